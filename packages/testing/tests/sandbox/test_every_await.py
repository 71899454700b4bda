"""Each operation is cancelled at each of its awaits, under `db` and on a real pool: one law holds for both.

Nothing is done by halves, what ended well is there, what was cancelled is not (or says that it was committed), and the next
statement finds the database whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from data_bridge.core import execute, on_commit, pg_transaction
from data_bridge.testing import Sandbox

Operation = Callable[[Any, str], Awaitable[None]]

ROWS = 300
# A row that is committed waits a little for its deferred trigger, so that a COMMIT has a middle.
SETUP = """
    CREATE TABLE halves (mark text, a int);
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.003); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER lingering AFTER INSERT ON halves DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.a = 2) EXECUTE FUNCTION linger()
"""
INSERT = "INSERT INTO halves VALUES ($1, $2)"
CALLED: list[str] = []


async def transaction(db: Any, mark: str) -> None:
    async with pg_transaction():
        on_commit(lambda: CALLED.append(mark))
        await insert_one(mark, 1)
        await insert_one(mark, 2)


async def insert_one(mark: str, a: int) -> None:
    await execute(INSERT, mark, a)


async def nested(db: Any, mark: str) -> None:
    async with pg_transaction():
        on_commit(lambda: CALLED.append(mark))
        async with pg_transaction():
            await insert_one(mark, 1)
        with suppress(ZeroDivisionError):
            async with pg_transaction():
                await insert_one(mark, 1)
                raise ZeroDivisionError
        await insert_one(mark, 1)


async def rolled_back(db: Any, mark: str) -> None:
    with suppress(ZeroDivisionError):
        async with pg_transaction():
            on_commit(lambda: CALLED.append(mark))
            await insert_one(mark, 1)
            raise ZeroDivisionError


async def statement(db: Any, mark: str) -> None:
    await db.execute("INSERT INTO halves SELECT $1, g FROM generate_series(3, 4) g, pg_sleep(0.002)", mark)


async def script(db: Any, mark: str) -> None:
    await db.execute_script(
        f"INSERT INTO halves VALUES ('{mark}', 1); SELECT pg_sleep(0.002); INSERT INTO halves VALUES ('{mark}', 1)"
    )


async def fetch(db: Any, mark: str) -> None:
    rows = await db.fetch("SELECT g FROM generate_series(1, 500) g, pg_sleep(0.002)", as_=tuple)
    assert rows == [(g,) for g in range(1, 501)]


async def stream(db: Any, mark: str) -> None:
    async with db.stream("SELECT g FROM generate_series(1, 300) g", as_=tuple, batch=100) as rows:
        assert [row[0] async for row in rows] == list(range(1, 301))


async def copy_in(db: Any, mark: str) -> None:
    assert await db.copy_in("halves", ((mark, 1) for _ in range(ROWS))) == ROWS


async def notify(db: Any, mark: str) -> None:
    async with pg_transaction():
        await db.notify("every_await", mark)
        await insert_one(mark, 1)
        await insert_one(mark, 1)


OPERATIONS: dict[str, tuple[Operation, int]] = {
    "transaction": (transaction, 2),
    "nested": (nested, 2),
    "rolled back": (rolled_back, 0),
    "statement": (statement, 2),
    "script": (script, 2),
    "fetch": (fetch, 0),
    "stream": (stream, 0),
    "copy_in": (copy_in, ROWS),
    "notify": (notify, 2),
}


async def cancelled_after(db: Any, name: str, steps: int) -> bool:
    """Whether the operation was cancelled on its way; checks the law."""
    operation, full = OPERATIONS[name]
    mark = f"{name} {steps}"
    CALLED.clear()
    task = asyncio.ensure_future(operation(db, mark))
    for _ in range(steps):
        await asyncio.sleep(0)
    hit = task.cancel()
    note = ""
    try:
        await asyncio.wait({task}, timeout=10)
        assert task.done()
        await task
        outcome = "done"
    except asyncio.CancelledError as error:
        assert hit and task.cancelled()
        outcome, note = "cancelled", " ".join(getattr(error, "__notes__", []))
    rows = await db.fetch_val("SELECT count(*) FROM halves WHERE mark = $1", mark)
    # A cancelled statement may have been done; a cancelled transaction says that it was committed.
    if outcome == "done" or "was committed" in note:
        assert rows == full
    elif name in ("transaction", "nested", "notify"):
        assert rows == 0
    else:
        assert rows in (0, full)
    # What on_commit() registered runs exactly for rows that are there.
    if name in ("transaction", "nested", "rolled back"):
        assert len(CALLED) == (1 if rows else 0)
    if isinstance(db, Sandbox):
        assert db.turn.holder is None
    async with pg_transaction():
        await insert_one("afterwards", 1)
    return hit


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("fixture", ["db", "isolated_db"])
async def test_cancelled_after_each_step_of_the_loop(request: pytest.FixtureRequest, fixture: str, name: str) -> None:
    db = request.getfixturevalue(fixture)
    await db.execute_script(SETUP)
    hits = unhurt = steps = 0
    # One by one where the calls into the library are, then in strides through the waiting, to the end.
    while steps < 20 or (unhurt < 2 and steps < 3000):
        if await cancelled_after(db, name, steps):
            hits, unhurt = hits + 1, 0
        else:
            unhurt += 1
        steps = steps + 1 if steps < 20 else steps * 3 // 2
    assert hits > 0
    counts = await db.fetch("SELECT mark, count(*) FROM halves WHERE mark <> 'afterwards' GROUP BY mark", as_=tuple)
    assert [one for one in counts if one[1] not in (2, ROWS)] == []
