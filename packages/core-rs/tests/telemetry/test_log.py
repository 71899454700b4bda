"""The log says what happened to every statement, and never what a value was unless asked."""

from __future__ import annotations

import asyncio
import logging

import pytest

from data_bridge import core
from data_bridge.core import Database
from data_bridge.core.connection.observer import observers
from data_bridge.core.telemetry import POOL, STATEMENTS


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "data_bridge")
    return caplog


def lines(log: pytest.LogCaptureFixture, logger: str) -> list[str]:
    return [r.getMessage() for r in log.records if r.name == f"data_bridge.{logger}"]


async def test_nothing_is_registered_when_nothing_is_asked_for(
    postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("data_bridge", POOL.name, STATEMENTS.name):  # an example of another page may have set them
        caplog.set_level(logging.WARNING, logger)
    before = list(observers)
    async with Database(postgres_dsn):
        assert observers == before
    async with Database(postgres_dsn, slow_query=0.2) as db:
        assert len(observers) == len(before) + 1
        await db.connect()
        assert len(observers) == len(before) + 1
    assert observers == before


async def test_a_database_that_is_lost_takes_its_observers_along(postgres_dsn: str) -> None:
    before = list(observers)
    db = Database(postgres_dsn, echo=True, slow_query=1)
    await db.connect()
    db._pool.shut()
    assert len(observers) == len(before) + 2
    del db
    assert observers == before


async def test_a_failed_init_leaves_no_observer(postgres_dsn: str) -> None:
    before = list(observers)
    with pytest.raises(core.ConnectError):
        await core.init("postgresql://localhost:1/x", echo=True, slow_query=1, alias="nowhere")
    assert observers == before


async def test_every_statement_at_debug(postgres_dsn: str, log: pytest.LogCaptureFixture) -> None:
    async with Database(postgres_dsn) as db:
        await db.fetch("/* report */ SELECT $1::text AS a, n FROM generate_series(1, 3) n", "hidden value")
        async with db.transaction():
            await db.execute("SELECT 1")
        with pytest.raises(core.UndefinedTable):
            await db.fetch("SELECT * FROM no_such_table")
        record = next(r for r in log.records if "generate_series" in r.getMessage())
        await db.execute_script("DROP TABLE IF EXISTS logged; CREATE TABLE logged (a int)")
        await db.copy_in("logged", [(1,), (2,)])
    told = lines(log, "sql")
    assert "3 rows: SELECT $1::text AS a" in told[0] and "[report]" in told[0] and __file__ in told[0]
    assert "queued" in told[0] and "wire" in told[0] and "decode" in told[0]
    assert [any(word in line for line in told) for word in ("BEGIN", "COMMIT", "UndefinedTable 42P01", "COPY")] == [
        True
    ] * 4
    assert "hidden value" not in log.text
    facts = record.__dict__["data_bridge"]
    assert (facts["kind"], facts["rows"], facts["tag"], facts["error"]) == ("select", 3, "report", None)
    assert facts["duration"] == pytest.approx(facts["queued"] + facts["wire"] + facts["decode"])


async def test_values_when_asked_for(postgres_dsn: str, log: pytest.LogCaptureFixture) -> None:
    async with Database(postgres_dsn, log_values=True) as db:
        await db.fetch(
            "SELECT $1::text, $2::bytea, $3::int[], $4::jsonb", "Ann", b"abc", [1, 2, 3, 4, 5, 6], {"a": "deep"}
        )
    (line,) = lines(log, "sql")
    assert "-- $1='Ann' $2=<3 bytes> $3=[1, 2, 3, 4, 5, … 6 elements] $4=<dict>" in line and "deep" not in line


async def test_only_the_statements_of_its_own_database(
    postgres_dsn: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Database(postgres_dsn, echo=True) as loud, Database(postgres_dsn) as quiet:
        await quiet.fetch("SELECT 1 AS quiet")
        async with quiet.transaction():
            await quiet.fetch("SELECT 2 AS quiet")
        async with loud.transaction():
            await loud.fetch("SELECT 3 AS loud")
    said = capsys.readouterr().err
    assert "quiet" not in said and said.count("loud") == 1 and "BEGIN" in said


async def test_slow_statements_and_their_plan(postgres_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Database(postgres_dsn, slow_query=0.05, slow_query_plan=True, max_connections=3) as db:
        await db.execute_script("DROP TABLE IF EXISTS slow_one; CREATE TABLE slow_one (a text, b int)")
        caplog.clear()
        await db.fetch("SELECT 1")
        assert lines(caplog, "slow") == []
        slow = "SELECT a, pg_sleep(0.06) FROM (SELECT 'x' AS a) x WHERE a <> $1 AND NOT EXISTS (SELECT FROM slow_one WHERE a = $1 AND b = $2)"
        await db.fetch(slow, "hidden value", 4711)
        await asyncio.sleep(0.3)
        first, plan = lines(caplog, "slow")
        assert first.startswith("slow: ") and "plan of SELECT a, pg_sleep" in plan
        assert "Seq Scan on slow_one" in plan and "rows=" in plan and "cost=" in plan and "= ?" in plan
        assert "hidden value" not in caplog.text and "4711" not in plan
        caplog.clear()
        await db.fetch(slow, "hidden value", 4711)
        await asyncio.sleep(0.2)
        assert len(lines(caplog, "slow")) == 1, "one plan of a statement in a minute"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO slow_writes SELECT 1 FROM pg_sleep(0.06)",
        "WITH w AS (INSERT INTO slow_writes VALUES (2) RETURNING a) SELECT a, pg_sleep(0.06) FROM w",
        "SELECT a, pg_sleep(0.06) FROM slow_writes LIMIT 1 FOR UPDATE",
    ],
)
async def test_no_plan_of_what_writes(postgres_dsn: str, caplog: pytest.LogCaptureFixture, sql: str) -> None:
    async with Database(postgres_dsn, slow_query=0.05, slow_query_plan=True) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS slow_writes; CREATE TABLE slow_writes (a int); INSERT INTO slow_writes VALUES (0)"
        )
        caplog.clear()
        await db.fetch(sql) if "SELECT a" in sql else await db.execute(sql)
        await asyncio.sleep(0.2)
        (line,) = lines(caplog, "slow")
        assert line.startswith("slow: ")


async def test_what_happens_to_connections(postgres_dsn: str, log: pytest.LogCaptureFixture) -> None:
    async with Database(postgres_dsn, max_connections=1, acquire_timeout=1.0) as db:
        holder = asyncio.create_task(db.fetch("SELECT pg_sleep(0.2)"))
        await asyncio.sleep(0.05)
        await db.fetch("SELECT 'waited'")
        await holder
        blocker = asyncio.create_task(db.fetch("SELECT pg_sleep(1.3)"))
        await asyncio.sleep(0.05)
        with pytest.raises(core.PoolTimeout):
            await db.fetch("SELECT 'in vain'")
        await blocker
        with pytest.raises(core.QueryTimeout):
            await db.fetch("SELECT pg_sleep(5)", timeout=0.1)
        cancelled = asyncio.create_task(db.fetch("SELECT pg_sleep(5)"))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        async with Database(postgres_dsn) as other:
            pid = await db.fetch_val("SELECT pg_backend_pid()")
            victim = asyncio.create_task(db.fetch("SELECT pg_sleep(5) AS victim"))
            await asyncio.sleep(0.1)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(core.ConnectionLost):
                await victim
    levels = {
        (record.levelname, word)
        for record in log.records
        for word in ("waited", "no connection", "timed out", "was cancelled", "lost the connection", "opened")
        if record.name == "data_bridge.pool" and word in record.getMessage()
    }
    assert levels >= {
        ("INFO", "waited"), ("WARNING", "no connection"), ("WARNING", "timed out"), ("INFO", "was cancelled"),
        ("WARNING", "lost the connection"),
    }  # fmt: skip


async def test_retries(postgres_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "data_bridge.transactions")
    calls = 0
    async with Database(postgres_dsn) as db:

        @core.pg_transaction(retries=2, using=db)
        async def fails_once() -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                await db.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

        await fails_once()
    (line,) = lines(caplog, "transactions")
    assert "retry 1 of 2" in line


async def test_a_slow_query_is_a_number_of_seconds(postgres_dsn: str) -> None:
    with pytest.raises(core.ConfigurationError, match="slow_query=-1"):
        Database(postgres_dsn, slow_query=-1)
