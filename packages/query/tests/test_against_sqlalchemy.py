"""Random statements give the rows that SQLAlchemy Core's give: operators bind as they are written, here and there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from random_statements import DDL, TABLES, Statements
from sqlalchemy.dialects.postgresql.psycopg import dialect

from data_bridge.core import Database, DatabaseError

_EACH = 250


async def _ours(database: Database, statement: Any) -> Any:
    compiled = statement.sql()
    try:
        return await database.fetch(compiled.sql, *compiled.params, as_=tuple)
    except DatabaseError as e:
        return e.sqlstate


def _theirs(connection: Any, statement: Any) -> Any:
    compiled = statement.compile(dialect=dialect(), compile_kwargs={"render_postcompile": True})
    try:
        return connection.execute(str(compiled), compiled.params).fetchall()
    except psycopg.Error as e:
        return e.sqlstate


@pytest.mark.parametrize("part", range(4))
async def test_rows_are_the_same(isolated_db: Any, part: int) -> None:
    await isolated_db.execute_script(DDL)
    rows = Statements(part)
    for table in TABLES:
        for number in range(8):
            await isolated_db.execute(f"INSERT INTO {table} VALUES ($1, $2, $3, $4, $5, $6, $7)", *rows.row(number))
    failed = 0
    with psycopg.connect(isolated_db.dsn, autocommit=True) as connection:
        for seed in range(part * _EACH, (part + 1) * _EACH):
            made = Statements(seed).statement()
            ours, theirs = await _ours(isolated_db, made.ours), _theirs(connection, made.theirs)
            if isinstance(ours, str) or isinstance(theirs, str):
                assert ours == theirs, (seed, made.ours.sql())
                failed += 1
                continue
            assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), (seed, made.ours.sql(), str(made.theirs))
    assert failed < _EACH / 20, "statements that the server refuses prove little"
