"""Round trips: how often each operation waits for the server, counted in what it sends; the documentation has the same table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import Database
from data_bridge.postgres import Col, Column, Table, create_all, pg_transaction, use_database

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "round-trips.md"


class Toll(Table):
    id: Col[int] = Column(primary_key=True, auto_increment=True)
    code: Col[int] = Column(unique=True)
    n: Col[int] = 0


class Counter:
    """A relay in front of the server, which counts the messages that the client waits for an answer to."""

    WAITED = frozenset(b"SQc")
    """Sync, Query, and the end of a COPY."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self.count = 0
        self.connections: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        back, forth = await asyncio.open_connection(*self._server)
        answers = asyncio.create_task(self._answers(back, writer))
        try:
            head = await reader.readexactly(4)  # the first message has no type
            forth.write(head + await reader.readexactly(int.from_bytes(head) - 4))
            while True:
                head = await reader.readexactly(5)
                self.count += head[0] in self.WAITED
                forth.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            forth.close()
            await answers
            writer.close()

    async def _answers(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await back.read(65536):
            writer.write(data)


@asynccontextmanager
async def counted(dsn: str) -> AsyncGenerator[Counter]:
    """A database of one connection, which the ORM uses in this block, behind a counter."""
    found = re.fullmatch(r"(postgresql://[^@]+@)([^:/]+):(\d+)/(\w+)", dsn)
    assert found is not None
    counter = Counter(found[2], int(found[3]))
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relayed = f"{found[1]}127.0.0.1:{port}/{found[4]}?sslmode=disable"
    try:
        async with Database(relayed, max_connections=1) as database, use_database(database):
            yield counter
    finally:
        server.close()
        await asyncio.gather(*counter.connections)


async def within(work: Callable[[], Awaitable[Any]]) -> None:
    async with pg_transaction():
        await work()


codes = iter(range(1_000, 10**9))


def new(count: int = 20) -> list[Toll]:
    return [Toll(code=next(codes)) for _ in range(count)]


def changed(rows: list[Toll]) -> list[Toll]:
    for row in rows:
        row.n += 1
    return rows


Operation = Callable[[list[Toll]], Awaitable[Any]]
OPERATIONS: dict[str, Operation] = {
    "`get()`": lambda rows: Toll.get(rows[0].id),
    "`find().to_list()`": lambda rows: Toll.find(Toll.n >= 0).to_list(),
    "`find().first()`": lambda rows: Toll.find(Toll.n >= 0).first(),
    "`find().count()`": lambda rows: Toll.find(Toll.n >= 0).count(),
    "`find().exists()`": lambda rows: Toll.find(Toll.n >= 0).exists(),
    "`find().update()`": lambda rows: Toll.find(Toll.code == 1).update(n=5),
    "`find().delete()`": lambda rows: Toll.find(Toll.code == -1).delete(),
    "`save()` of a new row": lambda rows: new(1)[0].save(),
    "`save()` of a changed row": lambda rows: changed(rows)[0].save(),
    "`save()` of an unchanged row": lambda rows: rows[1].save(),
    "`delete()` of a row": lambda rows: rows.pop().delete(),
    "`insert_many()` of 20 rows": lambda rows: Toll.insert_many(new()),
    "`insert_many(returning=False)` of 2,000 rows, a `COPY`": lambda rows: Toll.insert_many(new(2000), returning=False),
    "`upsert_many()` of 20 rows": lambda rows: Toll.upsert_many(new(), conflict=[Toll.code]),
    "`bulk_update()` of 20 rows": lambda rows: Toll.bulk_update(changed(rows)),
    "`get()` in a transaction of its own": lambda rows: within(lambda: Toll.get(rows[0].id)),
    "`insert_many()` of 20 rows in a transaction of its own": lambda rows: within(lambda: Toll.insert_many(new())),
}


@pytest.fixture(scope="module")
def table() -> dict[str, tuple[int, int]]:
    """Operation, and its round trips at first and later, as the documentation has them."""
    lines = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    return {name: (int(first), int(warm)) for name, first, warm in lines}


def test_the_documentation_has_every_operation(table: dict[str, tuple[int, int]]) -> None:
    assert list(table) == list(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_round_trips_are_those_of_the_documentation(
    name: str, table: dict[str, tuple[int, int]], isolated_db: Any
) -> None:
    await create_all(Toll)
    rows = await Toll.insert_many(new(30))
    async with counted(isolated_db.dsn) as counter:
        found = []
        for _ in range(3):
            before = counter.count
            await OPERATIONS[name](rows)
            found.append(counter.count - before)
    assert (found[0], found[2]) == table[name], found
