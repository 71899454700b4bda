"""The lines that messages name are lines of the application, or are said to be unknown."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from data_bridge.core import SyntaxOrAccessError, copy_out, execute, fetch, get_database, pg_transaction, stream
from data_bridge.testing import Sandbox, capture_sql


@pytest.fixture(params=["db", "isolated_db"])
def database(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def line() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


async def test_statements(database: Any) -> None:
    with capture_sql() as log:
        first = line()
        await execute("SELECT 1")
        async with pg_transaction():
            await fetch("SELECT 2")
        async with asyncio.timeout(5), stream("SELECT 3") as rows:
            async for _ in rows:
                pass
        await asyncio.gather(execute("SELECT 4"))
    found = {query.sql[-1]: query.place.rpartition(":") for query in log if "SELECT" in query.sql}
    assert {number: int(place[2]) - first for number, place in found.items() if place[2].isdigit()} == {
        "1": 1,
        "2": 3,
        "3": 5,
    }
    assert all(place[0].endswith("test_call_sites.py") for number, place in found.items() if number != "4")
    assert "".join(found["4"]) == "an unknown place"


async def test_streams_and_copies_are_told_once(db: Sandbox) -> None:
    """They run through the leases of the sandbox, which look native to observers."""
    await execute("CREATE TABLE t (i int)")
    with capture_sql() as log:
        async for _ in stream("SELECT * FROM generate_series(1, 3)"):
            pass
        async for _ in copy_out("SELECT * FROM t"):
            pass
    kinds = [query.sql.split()[0] for query in log]
    assert kinds.count("DECLARE") == 1
    assert kinds.count("COPY") == 1
    assert (
        sum(query.rows or 0 for query in log if query.sql.startswith("FETCH")) == 3 if hasattr(log[0], "rows") else True
    )


async def test_a_decorated_function_that_is_a_task_is_named_by_its_definition(database: Any) -> None:
    begun = asyncio.Event()
    definition = line() + 3

    @pg_transaction()
    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    holds = [hold for hold in get_database().watch.connections if hold.open]
    assert [hold.site and hold.site[1] - definition for hold in holds] == [-1]
    assert holds[0].site is not None and holds[0].site[0] == __file__
    task.cancel()
    await asyncio.wait([task])


async def test_a_block_in_a_task_is_named_by_its_line(database: Any) -> None:
    begun = asyncio.Event()
    places: list[int] = []

    async def work() -> None:
        places.append(line() + 1)
        async with pg_transaction():
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    assert [hold.site[1] for hold in get_database().watch.connections if hold.open and hold.site] == places
    task.cancel()
    await asyncio.wait([task])


async def test_a_copy_that_fails_says_why(database: Any) -> None:
    with pytest.raises(SyntaxOrAccessError, match="syntax error"):
        async for _ in copy_out("SELEC 1"):
            pass
