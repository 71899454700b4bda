"""tenant() and transaction_settings() under the fixture `db`: as in production, and nothing stays behind."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from data_bridge import core
from data_bridge.core import ConfigurationError, tenant, transaction_settings
from data_bridge.testing.sandbox import Sandbox

NOW = "SELECT NULLIF(current_setting('app.tenant', true), '')"


@pytest.mark.parametrize("attempt", [1, 2])
async def test_every_door(db: Sandbox, attempt: int) -> None:
    assert await core.fetch_val(NOW) is None
    await core.execute_script("CREATE TABLE seen (n int, who text DEFAULT current_setting('app.tenant', true))")
    async with tenant("o'ne"):
        await core.execute("INSERT INTO seen VALUES (1)")
        await core.execute_script("SELECT 1; INSERT INTO seen VALUES (2)")
        await core.copy_in("seen", [(3,)], columns=["n"])
        async with core.pg_transaction():
            await core.execute("INSERT INTO seen VALUES (4)")
            async with core.pg_transaction():
                await core.execute("INSERT INTO seen VALUES (5)")
        chunks = core.copy_out("INSERT INTO seen VALUES (6) RETURNING who")
        assert b"".join([chunk async for chunk in chunks]) == b"o'ne\n"
        assert await core.fetch_val(NOW) == "o'ne"
    assert await core.fetch_val(NOW) is None
    assert await core.fetch("SELECT n, who FROM seen ORDER BY n", as_=tuple) == [(n, "o'ne") for n in range(1, 7)]


async def test_a_stream_keeps_the_settings_that_it_was_opened_with(db: Sandbox) -> None:
    sql = "SELECT current_setting('app.tenant', true) FROM generate_series(1, 6)"
    async with tenant("reader"):
        rows = core.stream(sql, batch=2, as_=tuple)
        assert await anext(rows) == ("reader",)
        await core.execute("SELECT 1")
    async with tenant("other"):
        assert [row async for row in rows] == [("reader",)] * 5
        assert await core.fetch_val(NOW) == "other"
    assert await core.fetch_val(NOW) is None


async def test_another_transaction_is_refused(db: Sandbox) -> None:
    async with core.pg_transaction():
        async with tenant("a"):
            with pytest.raises(ConfigurationError, match="other settings"):
                await core.execute("SELECT 1")
            async with core.pg_transaction():
                assert await core.fetch_val(NOW) == "a"
        assert await core.fetch_val(NOW) is None


async def test_a_setting_that_the_server_refuses(db: Sandbox) -> None:
    for _ in range(3):
        async with transaction_settings({"work_mem": "s3cret"}):
            with pytest.raises(ConfigurationError, match="work_mem") as caught:
                await core.execute("SELECT 1")
        assert "s3cret" not in str(caught.value)
    assert await core.fetch_val("SELECT 1") == 1


async def test_a_failed_statement_leaves_nothing(db: Sandbox) -> None:
    async with tenant("a"):
        with pytest.raises(core.DatabaseError):
            await core.execute("SELECT 1/0")
        assert await core.fetch_val(NOW) == "a"
    assert await core.fetch_val(NOW) is None


async def test_callbacks_after_commit_have_the_settings_of_their_registration(db: Sandbox) -> None:
    seen: list[str | None] = []

    async def look() -> None:
        seen.append(await core.fetch_val(NOW))

    async with tenant("acme"):
        async with core.pg_transaction():
            core.on_commit(look)
            async with tenant("globex"), core.pg_transaction():
                core.on_commit(look)
        by_hand = await core.begin_transaction()
        by_hand.on_commit(look)
    await by_hand.commit()
    assert seen == ["acme", "globex", "acme"]


@pytest.mark.parametrize("comment", [None, "route"])
@pytest.mark.parametrize("settings", [{}, {"search_path": "public"}, {"role": "postgres"}, {"app.user": "ann"}])
async def test_statements_with_comments_are_known(db: Sandbox, comment: str | None, settings: dict[str, str]) -> None:
    """Cursors are closed and the clock stands still, whatever comment stands behind a statement."""

    def annotator() -> dict[str, str]:
        return {} if comment is None else {"route": comment}

    core.add_annotator(annotator)
    try:
        for _ in range(3):
            with transaction_settings(settings) if settings else nullcontext():
                stream = core.stream("SELECT n FROM generate_series(1, 5) AS n", batch=2, as_=tuple)
                assert [row async for row in stream] == [(n,) for n in range(1, 6)]
                left = core.stream("SELECT n FROM generate_series(1, 5) AS n", batch=2, as_=tuple)
                assert await anext(left) == (1,)
                await left.aclose()
        assert await core.fetch("SELECT name FROM pg_cursors WHERE name <> ''") == []
        moment = datetime(2020, 5, 5, tzinfo=UTC)
        db.freeze(moment)
        with transaction_settings(settings) if settings else nullcontext():
            assert await core.fetch_val("SELECT now()") == moment
            assert await core.fetch_val("SELECT clock_timestamp()") == moment
    finally:
        core.remove_annotator(annotator)
