"""Comments that say where a statement comes from: on every way, for hostile values, and without harm to prepared statements."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    QueryStarted,
    add_annotator,
    add_observer,
    remove_annotator,
    remove_observer,
)
from data_bridge.core.connection import annotators as module

route: ContextVar[str | None] = ContextVar("route", default=None)


def of_route() -> dict[str, str]:
    found = route.get()
    return {} if found is None else {"route": found}


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """The texts of statements, with the annotator registered."""
    texts: list[str] = []

    class Heard:
        def started(self, event: QueryStarted) -> None:
            texts.append(event.sql)

        def finished(self, token: Any, event: Any) -> None: ...

    heard = Heard()
    add_observer(heard)
    add_annotator(of_route)
    module._comments.clear()
    try:
        yield texts
    finally:
        remove_annotator(of_route)
        remove_observer(heard)
        module._comments.clear()
        module._is_full = False


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    async with Database(postgres_dsn, max_connections=2) as database:
        yield database


async def streamed(place: Any) -> Any:
    async with place.stream("SELECT 1 + $1::int AS n", 1) as rows:
        return (await anext(aiter(rows)))["n"]


DOORS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "execute": lambda p: p.execute("SELECT 1 + $1::int", 1),
    "fetch": lambda p: p.fetch("SELECT 1 + $1::int AS n", 1),
    "fetch_one": lambda p: p.fetch_one("SELECT 1 + $1::int AS n", 1),
    "fetch_val": lambda p: p.fetch_val("SELECT 1 + $1::int -- to the end of the line", 1),
    "a semicolon": lambda p: p.fetch_val("SELECT 1 + $1::int ;", 1),
    "stream": streamed,
}


@pytest.mark.parametrize("place", ["database", "transaction", "savepoint"])
@pytest.mark.parametrize("door", DOORS)
async def test_every_way_is_annotated(database: Database, sent: list[str], door: str, place: str) -> None:
    await DOORS[door](database)
    assert not any("/*" in text for text in sent)
    sent.clear()
    route.set("/users/{id}")
    expected = "\n/*route='%2Fusers%2F%7Bid%7D'*/"
    if place == "database":
        await DOORS[door](database)
    else:
        async with database.transaction() as tx:
            if place == "transaction":
                await DOORS[door](tx)
            else:
                async with tx.savepoint():
                    await DOORS[door](database)
    assert [text for text in sent if "SELECT" in text] != []
    assert all(text.endswith(expected) for text in sent if "SELECT" in text), sent


HOSTILE = ["*/; DROP TABLE x; --", "/*", "'", "\\'", "$1", "ä☃", "\0", "a\nb", "%27", "", "x" * 500]


@pytest.mark.parametrize("text", HOSTILE)
async def test_values_cannot_leave_the_comment(database: Database, sent: list[str], text: str) -> None:
    route.set(text)
    assert await database.fetch_val("SELECT 1 + $1::int", 1) == 2
    comment = sent[-1].split("/*")[1]
    assert comment.endswith("*/") and comment.count("*/") == 1 and "'" not in comment[7:-3]
    assert unquote(comment[7:-3]) == text


async def test_the_server_sees_the_comment(database: Database, sent: list[str]) -> None:
    route.set("/report")
    seen = await database.fetch_val("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    assert seen.endswith("/*route='%2Freport'*/")


async def test_a_comment_is_a_prepared_statement_of_its_own(postgres_dsn: str, sent: list[str]) -> None:
    async with Database(postgres_dsn, max_connections=1) as database:
        for name in ("/a", "/b", "/a", "/b", "/a"):
            route.set(name)
            assert await database.fetch_val("SELECT 40 + $1::int", 2) == 42
        route.set(None)
        prepared = await database.fetch(
            "SELECT statement, generic_plans + custom_plans AS runs FROM pg_prepared_statements WHERE statement LIKE 'SELECT 40%'"
        )
        assert sorted((p["statement"].split("*")[1], p["runs"]) for p in prepared) == [
            ("route='%2Fa'", 3),
            ("route='%2Fb'", 2),
        ]


async def test_values_of_one_call_are_not_kept(postgres_dsn: str) -> None:
    calls = iter(range(1000))

    def trace() -> dict[str, str]:
        return {"traceparent": f"00-{next(calls):032x}-00f067aa0ba902b7-01"}

    async with Database(postgres_dsn, max_connections=1) as database:
        add_annotator(trace, once=True)
        try:
            for number in range(50):
                assert await database.fetch_val("SELECT 41 + $1::int", number) == 41 + number
        finally:
            remove_annotator(trace)
        kept = await database.fetch_val("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT 41%'")
        assert kept <= 1, kept


async def test_errors_name_the_place_in_the_text_of_the_user(database: Database, sent: list[str]) -> None:
    route.set("/x")
    with pytest.raises(DatabaseError) as caught:
        await database.fetch("SELECT nothing_of_that_name")
    assert str(caught.value).split("At: ")[1][1:].startswith("nothing_of_that_name")


async def test_too_many_comments(
    database: Database, sent: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    with caplog.at_level(logging.WARNING, "data_bridge.annotators"):
        for number in range(6):
            route.set(f"/{number}")
            await database.fetch_val("SELECT 1")
        route.set("/1")
        await database.fetch_val("SELECT 1")
    assert ["/*" in text for text in sent] == [True, True, True, False, False, False, True]
    assert len(caplog.records) == 1 and "once=True" in caplog.text


async def test_an_annotator_that_fails_changes_nothing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, str]:
        raise RuntimeError("no route")

    add_annotator(broken)
    try:
        with caplog.at_level(logging.ERROR, "data_bridge.annotators"):
            assert await database.fetch_val("SELECT 1") == 1
    finally:
        remove_annotator(broken)
    assert "an annotator failed" in caplog.text
    with pytest.raises(ConfigurationError, match="was not added"):
        remove_annotator(broken)


async def test_each_task_has_its_own_values(database: Database, sent: list[str]) -> None:
    async def request(name: str) -> None:
        route.set(name)
        for _ in range(5):
            await database.fetch_val(f"SELECT '{name}'")

    await asyncio.gather(*(request(f"r{n}") for n in range(8)))
    assert len(sent) == 40
    assert all(text.split("'")[1] == text.split("route='")[1].rstrip("'*/") for text in sent)
