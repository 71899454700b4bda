"""The lock that is declared for each operation is the one that PostgreSQL takes, and so is the rewrite."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from migrate_samples import SAMPLES, SCHEMA

from data_bridge.core import Database
from data_bridge.core.lint import facts
from data_bridge.migrate._sql_lexer import split
from data_bridge.migrate.operations.step import STRENGTH

_HELD = """
    SELECT l.relation::bigint AS oid, l.mode FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation'
"""
_NAMES = """
    SELECT oid::bigint AS oid, relname::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'v')
"""
_FILES = "SELECT relname::text AS name, relfilenode::bigint AS file FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')"


def worded(mode: str) -> str:
    """AccessExclusiveLock as ACCESS EXCLUSIVE."""
    return "".join(f" {c}" if c.isupper() else c for c in mode.removesuffix("Lock")).strip().upper()


def strongest(rows: list[dict[str, Any]]) -> dict[str, str]:
    held: dict[str, str] = {}
    for r in rows:
        lock = worded(r["mode"])
        if STRENGTH.index(lock) > STRENGTH.index(held.get(r["name"], "ACCESS SHARE")):
            held[r["name"]] = lock
    return held


def declared(sql: str) -> tuple[dict[str, str], set[str], bool]:
    """Locks, rewritten tables and whether it runs in a transaction, as the linter says: the schema is what it read before."""
    statements = [s.sql for s in split(SCHEMA)]
    fact = facts([*statements, sql])[-1]
    held: dict[str, str] = {}
    for name, lock in fact.locks:
        if STRENGTH.index(lock) > STRENGTH.index(held.get(name, "ACCESS SHARE")):
            held[name] = lock
    return held, set(fact.rewrites), fact.transactional


@pytest.mark.parametrize("operation", SAMPLES)
async def test_the_declared_lock_is_the_one_in_pg_locks(isolated_db: Any, operation: str) -> None:
    await isolated_db.execute_script(SCHEMA)
    await isolated_db.execute_script("ANALYZE t")
    sql = SAMPLES[operation]
    expected, rewrites, transactional = declared(sql)
    before = {r["name"]: r["file"] for r in await isolated_db.fetch(_FILES)}
    names = {r["oid"]: r["name"] for r in await isolated_db.fetch(_NAMES)}
    if not transactional:
        assert {k: v for k, v in (await observed_outside(isolated_db, sql)).items() if k in expected} == expected
        return
    async with isolated_db.transaction() as tx:
        await tx.execute(sql)
        files = {r["name"]: r["file"] for r in await tx.fetch(_FILES)}
        rows = await tx.fetch(_HELD)
        await tx.rollback()
    held = strongest([{"name": names[r["oid"]], "mode": r["mode"]} for r in rows if r["oid"] in names])
    # What statements only read is not a concern.
    assert {k: v for k, v in held.items() if v not in ("ROW SHARE", "ACCESS SHARE")} == expected
    if "REFRESH" not in sql and "TRUNCATE" not in sql and "REINDEX" not in sql:
        assert {n for n in before if files.get(n, before[n]) != before[n]} == rewrites


async def observed_outside(database: Any, sql: str) -> dict[str, str]:
    """The locks of a statement that waits for an old transaction: it holds them meanwhile."""
    async with Database(database.dsn, max_connections=3) as other:
        lease = other.lease(counted=False)
        await lease.take()
        await lease.begin("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await lease.script("SELECT count(*) FROM t")
        running = asyncio.create_task(database.execute_script(sql))
        held: dict[str, str] = {}
        try:
            for _ in range(400):
                rows = await other.fetch(
                    "SELECT DISTINCT c.relname::text AS name, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                    "JOIN pg_stat_activity a USING (pid) WHERE a.query = $1 AND l.granted AND c.relkind = 'r' "
                    "AND c.relnamespace = 'public'::regnamespace",
                    sql,
                )
                held = strongest(rows)
                if held:
                    break
                await asyncio.sleep(0.01)
        finally:
            await lease.rollback(keep=True)
            await lease.give_back()
            await running
        return held


def rows_of(page: str) -> dict[str, tuple[str, str]]:
    """Operation → (locks, rewrite) of the table in the reference."""
    found: dict[str, tuple[str, str]] = {}
    for line in page.splitlines():
        cells = [c.strip() for c in line.strip("| ").split(" | ")]
        if line.startswith("| `") and len(cells) == 4:
            found[cells[0].replace("`", "")] = (cells[1], cells[3])
    return found


def test_the_reference_says_what_the_code_says() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/migration-operations.md").read_text(encoding="utf-8")
    said = rows_of(page)
    assert set(said) == set(SAMPLES)
    for operation, sql in SAMPLES.items():
        locks, rewrites, _ = declared(sql)
        names = {
            "t": "table",
            "child": "table",
            "m": "view",
            "v": "view",
            "parted": "parent",
            "part1": "partition",
            "part2": "partition",
        }
        text = ", ".join(f"{lock} on the {names.get(n, 'referenced table')}" for n, lock in locks.items()) or "none"
        assert said[operation] == (text, "yes" if rewrites else "no"), operation
