"""Names that are not there: a module whose rare parts are imported late must not seem to have every name."""

from __future__ import annotations

import data_bridge.core as core
import data_bridge.postgres as postgres
import data_bridge.query as query


def known() -> None:
    print(core.Database, core.register_type, postgres.Migration, postgres.Table, query.ddl.CreateTable)


def misspelled() -> None:
    core.Databas  # error
    postgres.Tabel  # error
    postgres.select  # error
    query.selekt  # error
