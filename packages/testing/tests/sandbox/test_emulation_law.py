"""The law of the sandbox: whatever a program does with transactions, it meets the same answers and leaves the same rows as on a
real connection. Random programs are run both ways."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_bridge import core
from data_bridge.testing import EmbeddedServer, Sandbox

SCHEMA = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE strict (id int PRIMARY KEY, parent_id int REFERENCES parent)
"""
NAMES = st.sampled_from(["a", "b"])
SMALL = st.integers(1, 3)
STEP = st.one_of(
    st.tuples(st.just("begin")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("rollback")),
    st.tuples(st.just("savepoint"), NAMES),
    st.tuples(st.just("rollback_to"), NAMES),
    st.tuples(st.just("release"), NAMES),
    st.tuples(st.just("parent"), SMALL),
    st.tuples(st.just("child"), SMALL, SMALL),
    st.tuples(st.just("strict"), SMALL, SMALL),
    st.tuples(st.just("delete"), SMALL),
    st.tuples(st.just("broken")),
)


@pytest.fixture(scope="session")
def family() -> object:
    def build() -> str:
        return SCHEMA

    return build


async def one_step(step: tuple[Any, ...], opened: list[core.Transaction], database: Any) -> Any:
    """Do one step; begin and end act on the innermost open transaction."""
    what, *arguments = step
    if what == "begin":
        opened.append(await core.begin_transaction(using=opened[-1] if opened else database))
    elif what in ("commit", "rollback"):
        if opened:
            await getattr(opened.pop(), what)()
    elif what in ("savepoint", "rollback_to", "release"):
        if opened:
            method = "set_savepoint" if what == "savepoint" else what
            await getattr(opened[-1], method)(arguments[0])
    else:
        executor = opened[-1] if opened else database
        sql = {
            "parent": "INSERT INTO parent VALUES ($1)",
            "child": "INSERT INTO child VALUES ($1, $2)",
            "strict": "INSERT INTO strict VALUES ($1, $2)",
            "delete": "DELETE FROM parent WHERE id = $1",
            "broken": "SELECT 1 / 0",
        }[what]
        return await executor.fetch(sql, *arguments) if what == "broken" else await executor.execute(sql, *arguments)
    return None


async def run(program: list[tuple[Any, ...]], database: Any) -> tuple[list[Any], list[Any]]:
    """Outcomes of the steps, and the rows that are there in the end."""
    opened: list[core.Transaction] = []
    outcomes: list[Any] = []
    for step in program:
        try:
            outcomes.append(await one_step(step, opened, database))
        except core.DataBridgeError as error:
            outcomes.append((type(error).__name__, getattr(error, "sqlstate", None)))
    while opened:
        # ROLLBACK TO of the outer one may have taken the savepoint of the inner one along.
        with contextlib.suppress(core.DatabaseError):
            await opened.pop().rollback()
    rows = [
        await database.fetch(f"SELECT * FROM {table} ORDER BY id", as_=tuple) for table in ("parent", "child", "strict")
    ]
    return outcomes, rows


@pytest.fixture(scope="module")
def real(embedded_server: EmbeddedServer, databases: Any) -> str:
    name = databases.create("real")
    with embedded_server.admin(name) as session:
        session.run(SCHEMA)
    return str(databases.source.dsn_of(name))


@pytest.mark.db(template="family")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(STEP, max_size=14))
@example([("begin",), ("child", 1, 9), ("commit",), ("parent", 1)])
@example([("begin",), ("parent", 1), ("parent", 1), ("parent", 2), ("commit",)])
@example([("begin",), ("savepoint", "a"), ("broken",), ("rollback_to", "a"), ("parent", 1), ("commit",)])
@example([("begin",), ("begin",), ("child", 1, 1), ("commit",), ("parent", 1), ("commit",)])
@example([("parent", 1), ("child", 1, 1), ("delete", 1), ("child", 2, 9)])
@example([("begin",), ("savepoint", "a"), ("begin",), ("rollback_to", "a")])
@example([("begin",), ("savepoint", "a"), ("savepoint", "a"), ("release", "a"), ("rollback_to", "a"), ("release", "b")])
def test_the_sandbox_answers_as_a_real_connection(db: Sandbox, real: str, program: list[tuple[Any, ...]]) -> None:
    async def both() -> None:
        async with core.Database(real, max_connections=2) as database:
            await database.execute_script("DELETE FROM child; DELETE FROM strict; DELETE FROM parent")
            expected = await run(program, database)
        async with db.example():
            emulated = await run(program, db)
        assert emulated == expected

    asyncio.run(both())
