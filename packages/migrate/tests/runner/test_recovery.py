"""What an interruption left: an index counts as done when its name and its definition are those of the step."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.migrate import run_migrations
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.runner.wanted_index import index_of
from data_bridge.migrate.sources.discovery import checksum, in_directory
from data_bridge.postgres import MigrationError, UniqueViolation, execute, execute_script, fetch, fetch_val

Folder = Any
TABLE = 'CREATE SCHEMA s; CREATE TABLE s."my table" (a int, b text, "c d" int); INSERT INTO s."my table" VALUES (1, \'x\', 1), (2, \'y\', 2)'
INDEXES = {
    "plain": "CREATE INDEX CONCURRENTLY i ON s.\"my table\" (a)",
    "unique": "CREATE UNIQUE INDEX CONCURRENTLY i ON s.\"my table\" (a)",
    "if not exists": "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.\"my table\" (a)",
    "quoted": 'create unique index concurrently "My "" I" on only s."my table" ("c d" desc nulls last)',
    "expression": "CREATE UNIQUE INDEX CONCURRENTLY i ON s.\"my table\" (lower(b), (a + 1))",
    "partial": "CREATE UNIQUE INDEX CONCURRENTLY i ON s.\"my table\" (a) WHERE b IS NOT NULL AND a > 0",
    "include": "CREATE UNIQUE INDEX CONCURRENTLY i ON s.\"my table\" USING btree (a) INCLUDE (b)",
    "nulls": "CREATE UNIQUE INDEX CONCURRENTLY i ON s.\"my table\" (a) NULLS NOT DISTINCT",
    "operator class": "CREATE INDEX CONCURRENTLY i ON s.\"my table\" (b text_pattern_ops)",
    "collation": 'CREATE INDEX CONCURRENTLY i ON s."my table" (b COLLATE "C")',
    "options": "CREATE INDEX CONCURRENTLY i ON s.\"my table\" (a) WITH (fillfactor = 70)",
    "comments": "CREATE /* x */ INDEX CONCURRENTLY i -- on\n ON s.\"my table\" /* on t */ (a)",
    "method": "CREATE INDEX CONCURRENTLY i ON s.\"my table\" USING hash (a)",
    "no name": "CREATE UNIQUE INDEX CONCURRENTLY ON s.\"my table\" (a)",
}  # fmt: skip
OTHERS = [
    'CREATE INDEX other ON s."my table" (b)',
    'CREATE UNIQUE INDEX other ON s."my table" (b, a)',
    'CREATE INDEX other ON s."my table" (a) WHERE a > 5',
]


async def interrupted(folder: Folder, sql: str) -> Any:
    """A folder whose only step was announced by a runner that died."""
    place = folder(**{"1_a.sql": f"{sql};"})
    folder(**{"0_first.sql": "select 1;"})
    await run_migrations(directory=place, target="0")
    made = next(m for m in in_directory(place) if m.version == "1")
    (step,) = (await record(made, "up"))[0]
    await execute(
        "INSERT INTO _data_bridge_migrations (version, name, state, checksum, steps_done, steps, applied_by, tool) "
        "VALUES ('1', 'a', 'running', $1, 1, $2, 'x', 'x')",
        checksum(made),
        [f"{step.digest}?"],
    )
    return place


async def indexes() -> dict[str, tuple[int, bool]]:
    rows = await fetch(
        "SELECT c.relname::text AS name, c.oid::bigint AS oid, i.indisvalid AS valid FROM pg_index i JOIN pg_class c "
        "ON c.oid = i.indexrelid WHERE i.indrelid = 's.\"my table\"'::regclass"
    )
    return {r["name"]: (r["oid"], r["valid"]) for r in rows}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", INDEXES)
async def test_another_index_is_not_the_wanted_one(isolated_db: Any, folder: Folder, kind: str, other: str) -> None:
    await execute_script(TABLE)
    place = await interrupted(folder, INDEXES[kind])
    await execute(other)
    assert await run_migrations(directory=place) == ["1"]
    found = await indexes()
    assert len(found) == 2
    assert all(valid for _, valid in found.values())


@pytest.mark.parametrize("kind", INDEXES)
async def test_the_wanted_one_is_not_built_again(isolated_db: Any, folder: Folder, kind: str) -> None:
    await execute_script(TABLE)
    place = await interrupted(folder, INDEXES[kind])
    await execute(OTHERS[0])
    await execute(INDEXES[kind])
    before = await indexes()
    assert await run_migrations(directory=place) == ["1"]
    assert await indexes() == before


@pytest.mark.parametrize(
    "other",
    [
        "CREATE INDEX i ON s.\"my table\" (a)",
        "CREATE UNIQUE INDEX i ON s.\"my table\" (b)",
        "CREATE UNIQUE INDEX i ON s.\"my table\" (a) WHERE a > 1",
        "CREATE UNIQUE INDEX i ON s.\"my table\" (a DESC)",
        "CREATE UNIQUE INDEX i ON s.\"my table\" (a) INCLUDE (b)",
    ],
)  # fmt: skip
async def test_another_index_of_the_same_name_is_an_error(isolated_db: Any, folder: Folder, other: str) -> None:
    await execute_script(TABLE)
    place = await interrupted(folder, INDEXES["unique"])
    await execute(other)
    before = await indexes()
    with pytest.raises(MigrationError, match='relation "i" already exists'):
        await run_migrations(directory=place)
    assert await indexes() == before
    assert await fetch_val("SELECT state FROM _data_bridge_migrations WHERE version = '1'") != "applied"


@pytest.mark.parametrize("kind", ["unique", "if not exists", "no name"])
async def test_half_an_index_is_built_anew_and_one_of_others_is_left_alone(
    isolated_db: Any, folder: Folder, kind: str
) -> None:
    await execute_script(TABLE)
    place = await interrupted(folder, INDEXES[kind])
    await execute("INSERT INTO s.\"my table\" VALUES (1, 'x', 1)")
    for sql in (INDEXES[kind], 'CREATE UNIQUE INDEX CONCURRENTLY of_others ON s."my table" (b)'):
        with pytest.raises(UniqueViolation):
            await execute(sql)
    await execute('DELETE FROM s."my table" WHERE ctid = (SELECT max(ctid) FROM s."my table")')
    halves = await indexes()
    assert not any(valid for _, valid in halves.values())
    assert await run_migrations(directory=place) == ["1"]
    found = await indexes()
    assert found["of_others"] == halves["of_others"]
    assert [valid for name, (_, valid) in found.items() if name != "of_others"] == [True]


def test_statements_that_make_no_index() -> None:
    for sql in (
        "create table t (a int)",
        "create index",
        "create index i on",
        "drop index i",
        "",
        "create index a b on t (x)",
    ):
        assert index_of(sql) is None
