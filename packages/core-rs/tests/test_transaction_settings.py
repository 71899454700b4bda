"""tenant() and transaction_settings(): what each transaction begins with, and nobody else ever sees."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    add_observer,
    begin_transaction,
    detached,
    fetch_val,
    on_commit,
    pg_transaction,
    remove_observer,
    tenant,
    transaction_settings,
    use_database,
)

NOW = "SELECT NULLIF(current_setting('app.tenant', true), '')"


@pytest.fixture
async def db(postgres_dsn: str) -> AsyncIterator[Database]:
    async with Database(postgres_dsn, max_connections=3) as database, use_database(database):
        yield database


@pytest.mark.parametrize(
    "value", ["a", "o'ne", "back\\slash", "$1", "$$; DROP TABLE x; --", "ünï", "a\nb", "/* */", "E'\\'", 7, UUID(int=5)]
)
async def test_any_value_arrives_as_it_is(db: Database, value: Any) -> None:
    async with tenant(value):
        assert await db.fetch_val(NOW) == str(value)
        async with db.transaction():
            assert await db.fetch_val(NOW) == str(value)
    assert await db.fetch_val(NOW) is None


@pytest.mark.parametrize("value", ["", None, True, 1.5, b"a", "a\0b", ["a"]])
def test_what_is_not_a_tenant_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"tenant\("):
        tenant(value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"": "x"},
        {"a b": "x"},
        {"app.": "x"},
        {"DateStyle": "ISO"},
        {"client_encoding": "x"},
        {"app.x'": "y"},
        {1: "x"},
    ],
)
def test_what_is_not_a_setting_is_refused(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match="transaction_settings"):
        transaction_settings(settings)


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"work_mem": "s3cret"}, "22023"),
        ({"role": "s3cret"}, "22023"),
        ({"nothing": "s3cret"}, "42704"),
        ({"port": "1"}, "55P02"),
    ],
)
@pytest.mark.parametrize("where", ["statement", "transaction", "nested", "stream", "copy_out"])
async def test_a_setting_that_the_server_refuses(
    db: Database, settings: dict[str, str], state: str, where: str
) -> None:
    """The error names the setting and not the value, and the connection is whole afterwards."""

    async def run() -> None:
        if where == "nested":
            async with pg_transaction() as outer:
                try:
                    async with transaction_settings(settings), pg_transaction():
                        raise AssertionError
                finally:
                    assert await outer.fetch_val("SELECT 1") == 1
        async with transaction_settings(settings):
            if where == "statement":
                await db.execute("SELECT 1")
            elif where == "transaction":
                async with db.transaction():
                    raise AssertionError
            elif where == "stream":
                [row async for row in db.stream("SELECT 1")]
            else:
                [chunk async for chunk in db.copy_out("SELECT 1")]

    for _ in range(4):
        with pytest.raises(ConfigurationError, match=next(iter(settings))) as caught:
            await run()
        assert state in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__suppress_context__
    assert await asyncio.gather(*(db.fetch_val("SELECT 1") for _ in range(6))) == [1] * 6
    assert db.pool_stats().closed_broken == 0


async def test_blocks_add_their_settings(db: Database) -> None:
    async with transaction_settings({"app.user": "ann", "app.tenant": "x"}):
        with tenant("acme"):
            both = "SELECT current_setting('app.user') || ' of ' || current_setting('app.tenant')"
            assert await db.fetch_val(both) == "ann of acme"
        assert await db.fetch_val(both) == "ann of x"


async def test_a_nested_block_sets_back_what_was_there(db: Database) -> None:
    async with pg_transaction() as outer:
        await outer.set_local("app.tenant", "by hand")
        async with tenant("inner"), pg_transaction():
            assert await db.fetch_val(NOW) == "inner"
            async with pg_transaction():
                assert await db.fetch_val(NOW) == "inner"
            async with tenant("innermost"), pg_transaction():
                assert await db.fetch_val(NOW) == "innermost"
            assert await db.fetch_val(NOW) == "inner"
        assert await db.fetch_val(NOW) == "by hand"


async def test_a_transaction_that_outlives_the_block(db: Database) -> None:
    async with tenant("a"):
        transaction = await begin_transaction()
    with pytest.raises(ConfigurationError, match="other settings"):
        await transaction.fetch_val(NOW)
    with pytest.raises(ConfigurationError, match="was left since"):
        async with pg_transaction():
            pass
    await transaction.commit()
    assert await db.fetch_val(NOW) is None


async def test_detached_keeps_the_tenant(db: Database) -> None:
    async with tenant("a"), pg_transaction(), detached():
        assert await db.fetch_val(NOW) == "a"


async def test_an_entered_block_is_not_entered_again() -> None:
    block = tenant("a")
    async with block:
        with pytest.raises(ConfigurationError, match="each task makes one of its own"):
            block.__enter__()
    async with block:
        pass


async def test_a_generator_that_somebody_else_closes(db: Database) -> None:
    """The end of its block changes nothing in the context of who closes it."""

    async def rows() -> AsyncIterator[int]:
        async with tenant("of the generator"):
            yield 1
            yield 2

    async def begin() -> AsyncIterator[int]:
        generator = rows()
        await anext(generator)
        return generator

    async def close(generator: Any) -> None:
        async with tenant("of the closer"):
            await generator.aclose()
            assert await db.fetch_val(NOW) == "of the closer"
        assert await db.fetch_val(NOW) is None

    generator = await asyncio.create_task(begin())
    await asyncio.create_task(close(generator))


async def test_deadlines_hold_for_the_whole(db: Database) -> None:
    async with tenant("a"):
        with pytest.raises(DatabaseError, match=r"timeout|took longer"):
            await db.execute("SELECT pg_sleep(5)", timeout=0.1)
        assert await db.fetch_val(NOW) == "a"
    assert db.pool_stats().used <= 1


async def test_values_are_not_told(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []

    class Listener:
        wants_values = True

        def started(self, event: Any) -> None:
            told.append(repr(event) + event.sql)

        def finished(self, token: Any, event: Any) -> None:
            told.append(repr(event))

    listener = Listener()
    caplog.set_level(logging.DEBUG)
    add_observer(listener)
    try:
        async with tenant("s3cret"):
            await db.execute("SELECT 1")
            async with pg_transaction(), tenant("s3cret2"), pg_transaction():
                await db.execute("SELECT 2")
            [row async for row in db.stream("SELECT 3")]
    finally:
        remove_observer(listener)
    assert any("SELECT 3" in text for text in told)
    assert "s3cret" not in "".join(told) + caplog.text


async def test_schemas_of_tenants_share_no_prepared_statement(db: Database) -> None:
    """One text under several search paths: tables and types of one name in each schema, on every connection."""
    labels = {"one": ("a", "b"), "two": ("c", "d"), "three": ("e", "f")}
    for schema, (first, second) in labels.items():
        kind = {"one": "int", "two": "text", "three": "date"}[schema]
        value = {"one": "5", "two": "'five'", "three": "'2024-01-01'"}[schema]
        await db.execute_script(
            f"DROP SCHEMA IF EXISTS path_{schema} CASCADE; CREATE SCHEMA path_{schema};"
            f"CREATE TYPE path_{schema}.state AS ENUM ('{first}', '{second}');"
            f"CREATE TABLE path_{schema}.things (state path_{schema}.state, what {kind});"
            f"INSERT INTO path_{schema}.things VALUES ('{first}', {value})"
        )

    async def visit(schema: str, rng: random.Random) -> None:
        first = labels[schema][0]
        async with transaction_settings({"search_path": f"path_{schema}"}):
            sql = "SELECT what, state::text FROM things WHERE state = $1"
            if rng.random() < 0.5:
                async with pg_transaction():
                    found = await db.fetch(sql, first, as_=tuple)
            else:
                found = await db.fetch(sql, first, as_=tuple)
            assert [row[1] for row in found] == [first]
            assert type(found[0][0]).__name__ == {"one": "int", "two": "str", "three": "date"}[schema]
            assert [row async for row in db.stream("SELECT state::text FROM things", as_=tuple)] == [(first,)]
            with pytest.raises(DatabaseError):
                await db.fetch(sql, "nobody's")

    rng = random.Random(1)
    for _ in range(12):
        await asyncio.gather(*(visit(rng.choice(list(labels)), rng) for _ in range(8)))


async def test_nothing_leaks_over_pooled_connections(postgres_dsn: str) -> None:
    """Tasks of many tenants, and of none, on few connections, cancelled at random: each sees its own."""
    async with Database(postgres_dsn, max_connections=3) as db:
        await db.execute_script("DROP TABLE IF EXISTS leaks; CREATE TABLE leaks (asked text, was text)")
        put = "INSERT INTO leaks VALUES ($1, current_setting('app.tenant', true)) RETURNING was"
        rng = random.Random(7)
        seen = 0

        async def work(name: str | None) -> None:
            nonlocal seen
            with suppress(ZeroDivisionError):
                if name is None:
                    assert not await db.fetch_val(put, None)
                    return
                async with tenant(name):
                    if rng.random() < 0.3:
                        await db.execute("SELECT pg_sleep(0.002)")
                    if rng.random() < 0.5:
                        assert await db.fetch_val(put, name) == name
                    else:
                        async with db.transaction():
                            assert await db.fetch_val(put, name) == name
                            inner = f"{name}/inner"
                            async with tenant(inner), db.transaction():
                                assert await db.fetch_val(put, inner) == inner
                            assert await db.fetch_val(put, name) == name
                            if rng.random() < 0.2:
                                raise ZeroDivisionError
                    seen += 1

        async def driver() -> None:
            for i in range(60):
                task = asyncio.create_task(work(None if i % 4 == 0 else f"t{rng.randrange(50)}"))
                if rng.random() < 0.4:
                    await asyncio.sleep(rng.random() * 0.006)
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        async with asyncio.timeout(60):
            await asyncio.gather(*(driver() for _ in range(10)))
        assert seen > 100
        wrong = await db.fetch("SELECT * FROM leaks WHERE coalesce(asked, '') <> coalesce(was, '')")
        assert wrong == []
        for _ in range(9):
            assert await db.fetch_val(NOW) is None
        stats = db.pool_stats()
        assert stats.size <= 3
        assert stats.waiting == 0


async def test_callbacks_after_commit_have_the_place_of_their_registration(db: Database, postgres_dsn: str) -> None:
    seen: list[tuple[str, str]] = []
    where = "SELECT current_setting('application_name')"

    async def look() -> None:
        seen.append((await fetch_val(where), await fetch_val(NOW)))

    async with Database(postgres_dsn, application_name="second") as second:
        first = await fetch_val(where)
        async with tenant("acme"):
            async with pg_transaction() as tx:
                on_commit(look)
                async with tenant("globex"), pg_transaction():
                    on_commit(look)
                async with use_database(second):
                    tx.on_commit(look)
            by_hand = await begin_transaction()
            by_hand.on_commit(look)
        await by_hand.commit()
        assert await fetch_val(NOW) is None
    assert seen == [(first, "acme"), (first, "globex"), ("second", "acme"), (first, "acme")]


@pytest.mark.parametrize("name", ["transaction_isolation", "transaction_read_only", "TRANSACTION_deferrable"])
def test_what_a_transaction_has_arguments_for(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"set by the arguments of pg_transaction\(\)"):
        transaction_settings({name: "on"})


async def test_a_schema_for_each_role(db: Database) -> None:
    """`"$user"` of the search path is the role, so that one text speaks of other tables."""
    await db.execute_script("""
        CREATE ROLE reader_a; CREATE ROLE reader_b;
        CREATE SCHEMA reader_a AUTHORIZATION reader_a; CREATE SCHEMA reader_b AUTHORIZATION reader_b;
        CREATE TABLE reader_a.own (n int); INSERT INTO reader_a.own VALUES (1); GRANT ALL ON reader_a.own TO reader_a;
        CREATE TABLE reader_b.own (n text); INSERT INTO reader_b.own VALUES ('x'); GRANT ALL ON reader_b.own TO reader_b
    """)
    try:
        for _ in range(4):
            for role, value in (("reader_a", 1), ("reader_b", "x")):
                async with transaction_settings({"role": role}):
                    assert await db.fetch_val("SELECT n FROM own WHERE n = $1", value) == value
                    assert await db.fetch("SELECT n FROM own", as_=tuple) == [(value,)]
    finally:
        await db.execute_script("DROP OWNED BY reader_a, reader_b CASCADE; DROP ROLE reader_a, reader_b")
