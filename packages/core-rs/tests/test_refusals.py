"""What cannot work is refused at once, with the way that works, and the connection stays whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from data_bridge.core import (
    ConfigurationError,
    Database,
    TransactionAborted,
    begin_transaction,
    detached,
    register_type,
)

COPIES = [
    "COPY refused FROM STDIN",
    "SELECT 1;\n/* rows */ copy refused (i) from stdin with (format csv); SELECT 2",
    "COPY (SELECT 1) TO STDOUT",
]


@pytest.mark.parametrize("script", COPIES)
async def test_copy_in_a_script(postgres_dsn: str, script: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        pid = await db.fetch_val("SELECT pg_backend_pid()")
        with pytest.raises(ConfigurationError, match=r"line [12] of the script is a COPY .* use copy_in\(\) or"):
            await db.execute_script(script)
        async with db.transaction() as tx:
            with pytest.raises(ConfigurationError, match="of the script is a COPY"):
                await tx.execute_script(script)
            assert await tx.fetch_val("SELECT 1") == 1
        assert await db.fetch_val("SELECT pg_backend_pid()") == pid


async def test_a_script_may_speak_of_copy(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script("SELECT 'COPY t FROM STDIN'; COPY (SELECT 1 AS stdout) TO PROGRAM 'cat > /dev/null'")


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "transaction_timeout"])
async def test_a_transaction_that_the_server_ended_before_its_commit(postgres_dsn: str, setting: str) -> None:
    """The outcome is known: the server stopped to wait for the next statement, so it never read COMMIT."""
    async with Database(postgres_dsn) as db:
        if not await db.fetch_val("SELECT count(*) FROM pg_settings WHERE name = $1", setting):
            pytest.skip(f"this server has no {setting}")
        transaction = await begin_transaction(using=db)
        await transaction.execute(f"SET LOCAL {setting} = '100ms'")
        await asyncio.sleep(0.3)
        with pytest.raises(TransactionAborted, match=r"rolled back instead of committed.*25P0[34]"):
            await transaction.commit()
        assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.parametrize("hook", ["on_connect", "on_checkout"])
async def test_a_hook_that_uses_its_own_pool(postgres_dsn: str, hook: str) -> None:
    async def greedy(_: Any) -> None:
        await db.fetch_val("SELECT 1")

    async def modest(connection: Any) -> None:
        async with detached():
            await connection.fetch_val("SELECT 1")

    options: dict[str, Any] = {hook: greedy}
    async with Database(postgres_dsn, max_connections=3, **options) as db:
        async with asyncio.timeout(5):
            with pytest.raises(ConfigurationError, match="used the pool of its own database"):
                await db.fetch_val("SELECT 2")
    async with Database(postgres_dsn, **{hook: modest}) as db:
        assert await db.fetch_val("SELECT 2") == 2


@pytest.mark.parametrize(
    "name", ["jsonb", "int4", "integer", "pg_catalog.text", "timestamp with time zone", "INT4RANGE"]
)
def test_a_codec_for_a_built_in_type(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the codec of a built-in type cannot be replaced"):
        register_type(name, encode=str, decode=bytes.decode)


async def test_names_of_tables_in_copy_in(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script(
            'CREATE SCHEMA "a.b"; CREATE TABLE "a.b".plain (i int); CREATE TABLE "a.b"."x""y.z" (i int)'
        )
        try:
            for name in ['"a.b".plain', '"a.b"."plain"', '"a.b"."x""y.z"']:
                assert await db.copy_in(name, [(1,), (2,)]) == 2
            assert await db.fetch_val('SELECT count(*) FROM "a.b".plain') == 4
            assert await db.fetch_val('SELECT count(*) FROM "a.b"."x""y.z"') == 2
            for wrong in ["a.b.plain", "", ".", "a.", ".a"]:
                with pytest.raises(ConfigurationError, match="the name of a table is 'table' or"):
                    await db.copy_in(wrong, [(1,)])
        finally:
            await db.execute_script('DROP SCHEMA "a.b" CASCADE')


async def test_a_transaction_of_the_loop_of_another_thread(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:

        async def inherited() -> Any:
            return await db.fetch_val("SELECT 1")

        async def own() -> Any:
            async with detached():
                return await db.fetch_val("SELECT 1")

        async with db.transaction():
            with pytest.raises(RuntimeError, match=r"event loop of another thread.*detached\(\)"):
                await asyncio.to_thread(lambda: asyncio.run(inherited()))
            assert await asyncio.to_thread(lambda: asyncio.run(own())) == 1
            assert await db.fetch_val("SELECT 1") == 1


def test_without_asyncio() -> None:
    """Trio drives coroutines without a loop of asyncio, as this does."""
    with pytest.raises(RuntimeError, match=r"no event loop of asyncio is running.*Trio is not supported"):
        Database("postgresql://127.0.0.1:1/x").connect().send(None)


def test_a_subinterpreter() -> None:
    program = (
        "import sys\n"
        "try:\n    import _xxsubinterpreters as interpreters\n"
        "except ImportError:\n    sys.exit(77)\n"
        "interpreters.run_string(interpreters.create(), 'import data_bridge.core')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 77:
        pytest.skip("this Python has no _xxsubinterpreters")
    assert done.returncode == 1
    assert "main interpreter of a process only" in done.stderr
