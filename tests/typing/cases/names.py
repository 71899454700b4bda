"""Names that are not there: a module whose rare parts are imported late must not seem to have every name."""

from __future__ import annotations

from data_bridge import core, postgres, query


def known() -> None:
    print(core.Database, core.register_type, postgres.Migration, postgres.Table, query.ddl.CreateTable)


def misspelled() -> None:
    core.Databas  # error
    postgres.Tabel  # error
    postgres.select  # error
    query.selekt  # error
