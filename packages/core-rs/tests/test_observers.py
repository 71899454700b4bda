"""Observers hear of everything that is sent, and cannot change what becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from data_bridge import core
from data_bridge.core import Database, QueryFinished, QueryStarted, add_observer, remove_observer


class Log:
    def __init__(self) -> None:
        self.started_: list[QueryStarted] = []
        self.finished_: list[tuple[QueryStarted, QueryFinished]] = []

    def started(self, event: QueryStarted) -> QueryStarted:
        self.started_.append(event)
        return event

    def finished(self, token: Any, event: QueryFinished) -> None:
        self.finished_.append((token, event))

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.started_]


@contextmanager
def hearing() -> Iterator[Log]:
    log = Log()
    add_observer(log)
    try:
        yield log
    finally:
        remove_observer(log)


async def test_every_kind_of_operation(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script("DROP TABLE IF EXISTS heard; CREATE TABLE heard (a int)")
        with hearing() as log:
            await db.execute("INSERT INTO heard VALUES ($1)", 1)
            assert log.kinds == ["insert"]
            await db.execute_script("SELECT 1; SELECT 2")
            assert log.kinds[1:] == ["script"]
            log.started_.clear()
            async with db.transaction() as tx:
                await tx.execute("SELECT 1")
                async with db.transaction():
                    await db.execute("SELECT 2")
                async with tx.savepoint("mine"):
                    pass
            assert log.kinds == ["begin", "select", "savepoint", "select", "release", "savepoint", "release", "commit"]
            assert len({event.transaction for event in log.started_}) == 1
            log.started_.clear()
            with pytest.raises(ZeroDivisionError):
                async with db.transaction():
                    raise ZeroDivisionError
            assert log.kinds == ["begin", "rollback"]
            log.started_.clear()
            async with db.stream("SELECT 1") as rows:
                assert [row async for row in rows]
            assert log.kinds == ["begin", "declare", "fetch", "rollback"]
            log.started_.clear()
            await db.copy_in("heard", [(2,), (3,)])
            assert log.kinds[-1] == "copy" and log.finished_[-1][1].rows == 2
            async with db.copy_out("SELECT a FROM heard WHERE a > $1", 1) as chunks:
                assert [chunk async for chunk in chunks] == [b"2\n3\n"]
            assert log.started_[-1].sql == "COPY (SELECT a FROM heard WHERE a > $1) TO STDOUT"
            with pytest.raises(core.UndefinedTable):
                async with db.copy_out("SELECT * FROM no_such_table") as chunks:
                    await anext(chunks)
            assert log.finished_[-1][1].sqlstate == "42P01"
            async with db.listen("news"):
                pass
            assert log.started_[-1].sql == 'LISTEN "news"'
            assert len(log.finished_) == len({id(token) for token, _ in log.finished_})


async def test_shape_and_tag(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with hearing() as log:
            for n in (1, 2):
                await db.execute("/* report */ SELECT $1::int", n)
            await db.execute("SELECT 3")
        first, second, third = log.started_
        assert first.shape == second.shape != third.shape
        assert (first.tag, third.tag) == ("report", None)


async def test_an_observer_that_raises_changes_nothing(postgres_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def started(self, event: QueryStarted) -> None:
            if "first" in event.sql:
                raise ZeroDivisionError("in started")

        def finished(self, token: Any, event: QueryFinished) -> None:
            raise ZeroDivisionError("in finished")

    async with Database(postgres_dsn, max_connections=1) as db:
        broken = Broken()
        add_observer(broken)
        try:
            with caplog.at_level(logging.ERROR, "data_bridge.observers"), hearing() as log:
                assert await db.fetch_val("SELECT 1 AS first") == 1
                assert await db.fetch_val("SELECT 2") == 2
                async with db.transaction() as tx:
                    await tx.execute("SELECT 3")
        finally:
            remove_observer(broken)
    assert "in started" in caplog.text and "in finished" in caplog.text
    assert len(log.finished_) == 5


async def test_a_cancelled_statement_ends_on_the_server_also_when_it_is_observed(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1, acquire_timeout=3) as db:
        with hearing() as log:
            await db.fetch("SELECT 1")
            for start in (lambda: db.fetch("SELECT pg_sleep(20)"), lambda: db.execute_script("SELECT pg_sleep(20)")):
                task = asyncio.create_task(start())
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as kept:
                    await task
                assert await db.fetch_val("SELECT 2") == 2, "the connection was not given back"
                assert kept.value is not None
        assert sum(isinstance(ended.error, asyncio.CancelledError) for _, ended in log.finished_) == 2
