"""Hostile values and names are literal, and what is secret is in no message, log, representation or traceback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from data_bridge.core import ConfigurationError, Database, DatabaseError, DataBridgeError

from .conftest import whole

HOSTILE = [
    "'; DROP TABLE canary; --", '"; DROP TABLE canary; --', "\\'; DROP TABLE canary; --", "$$; DROP TABLE canary; $$",
    "a.b", "A b", "select", "%s %(x)s $1 {x} :x ?", "' OR '1'='1", "x\r\n; DROP TABLE canary", "\u202e\u2019\ufeff漢😀",
    "%", "_", "\\", "/*", "*/", "--", "E'\\''", "U&'\\0027'", "pg_temp.x", "(SELECT 1)", "*",
]  # fmt: skip


@pytest.mark.fault("I1")
async def test_hostile_names_and_values_of_core(postgres_dsn: str) -> None:
    """Channels, savepoints, settings, tables and columns of COPY, values of every kind. (Expressions: test_safety.py.)"""
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS canary; CREATE TABLE canary (a int); INSERT INTO canary VALUES (1)"
        )
        for number, text in enumerate(HOSTILE):
            quoted = '"' + text.replace('"', '""') + '"'
            async with asyncio.timeout(20), db.listen(text) as heard:
                await db.notify(text, text)
                item = await anext(heard)
                assert (getattr(item, "channel", None), getattr(item, "payload", None)) == (text, text)
            async with db.transaction() as tx:
                await tx.set_local("application_name", text.encode("ascii", "replace").decode())
                with pytest.raises(ZeroDivisionError):
                    async with tx.savepoint(text):
                        await tx.execute("INSERT INTO canary VALUES (2)")
                        raise ZeroDivisionError
                assert await tx.fetch_val("SELECT $1::text", text) == text
                assert await tx.fetch_val("SELECT $1::text[]", [text, text]) == [text, text]
                assert await tx.fetch_val("SELECT $1::jsonb -> $2", {text: text}, text) == text
                assert await tx.fetch_val("SELECT $1::jsonb #>> $2", {"a": {text: 1}}, ["a", text]) == "1"
                assert await tx.fetch_val("SELECT $1::text LIKE $2", text, "canary%") is False
                if "." not in text:
                    await tx.execute(f"CREATE TABLE {quoted} ({quoted} text)")
                    assert await tx.copy_in(text, [(text,)], columns=[text]) == 1
                    assert await tx.fetch(f"SELECT * FROM {quoted}") == [{text: text}]
                await tx.execute(f"CREATE TYPE pg_temp.hostile AS ENUM ('{text.replace(chr(39), chr(39) * 2)}')")
                assert await tx.fetch_val(f"SELECT $1::pg_temp.hostile, {number}", text) == text
                await tx.rollback()
        for impossible in ("", "a\0b", "x" * 64):
            with pytest.raises((DataBridgeError, ValueError)):
                async with db.listen(impossible):
                    pass
            with pytest.raises((DataBridgeError, ValueError)):
                await db.notify(impossible, "x")
        assert await db.fetch("SELECT a FROM canary", as_=tuple) == [(1,)]
        await whole(db)
        await db.execute("DROP TABLE canary")


@pytest.mark.fault("I1")
async def test_hostile_settings_of_a_connection(postgres_dsn: str) -> None:
    hostile = 'a b\\ c\' -c statement_timeout=1 "x"'
    async with Database(postgres_dsn, server_settings={"search_path": f'"{hostile}"'.replace('"x"', "x")}) as db:
        assert await db.fetch_val("SHOW statement_timeout") == "0"
        assert "statement_timeout=1" in await db.fetch_val("SHOW search_path")
    for name in ("x'; DROP", "a b", "-c"):
        with pytest.raises(DataBridgeError):
            await Database(postgres_dsn, server_settings={name: "1"}, connect_timeout=3).connect()


@pytest.mark.fault("I4")
async def test_several_statements_take_no_parameters(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        await db.execute_script("DROP TABLE IF EXISTS several; CREATE TABLE several (a int)")
        for params in ((1,), ()):
            given = "$1" if params else "1"
            for call in (db.execute, db.fetch, db.fetch_val, db.fetch_one):
                with pytest.raises((DatabaseError, ConfigurationError)):
                    await call(f"INSERT INTO several VALUES ({given}); DROP TABLE several", *params)
            with pytest.raises((DatabaseError, ConfigurationError)):
                async with db.stream(f"SELECT {given}::int; DROP TABLE several", *params) as rows:
                    async for _ in rows:
                        pass
        assert await db.fetch_val("SELECT count(*) FROM several") == 0
        await db.execute("DROP TABLE several")


SCRIPT = """
    import asyncio, logging, sys, traceback
    logging.basicConfig(level=1, stream=sys.stderr)
    from data_bridge.core import ConnectError, DataBridgeError, Database

    dsn, wrong, key = sys.argv[1:]
    SECRET = "hunter2" + "secret"

    async def attempt(made):
        try:
            await made
        except (DataBridgeError, ValueError, TypeError) as e:
            print(e, repr(e), e.args)
            traceback.print_exc()

    async def main():
        db = Database(dsn)
        await db.connect()
        print(db, db.pool_stats(), vars(db), db._pool, db.address)
        await db.execute_script("CREATE TEMP TABLE x (a int)")
        await db.execute("CREATE TABLE IF NOT EXISTS keeper (v text UNIQUE, n int)")
        await db.execute("TRUNCATE keeper")
        await db.execute("INSERT INTO keeper VALUES ($1)", SECRET)
        await attempt(db.execute("INSERT INTO keeper VALUES ($1)", SECRET))
        await attempt(db.execute("INSERT INTO keeper (n) VALUES ($1)", SECRET))
        await attempt(db.execute("SELECT $1::text::int", SECRET + "\\0"))
        await attempt(db.fetch_val("SELECT pg_sleep(5), $1::text", SECRET, timeout=0.1))
        await attempt(db.copy_in("keeper", [(SECRET, SECRET)]))
        await attempt(Database(dsn, password=SECRET).connect())
        await attempt(Database(wrong).connect())
        await attempt(Database(dsn, ssl="verify-full", ssl_key=key, ssl_cert=key, ssl_root_cert=key).connect())
        for text in (dsn + "?nonsense=1", dsn.replace("postgresql", "nonsense"), dsn + "?port=x", dsn + "?sslmode=none"):
            try:
                Database(text)
            except ValueError as e:
                print(e, repr(e))
                traceback.print_exc()
        await db.execute("DROP TABLE keeper")
        await db.close()

    asyncio.run(main(), debug=True)
"""


@pytest.mark.fault("I2")
def test_secrets_are_told_to_nobody(postgres_dsn: str, tmp_path: Path) -> None:
    """With every log turned on, and every error printed with its traceback."""
    account, _, place = postgres_dsn.partition("//")[2].rpartition("@")
    user = account.partition(":")[0]
    dsn = f"postgresql://{account}@{place}"
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nhunter2keykeykeykey\n-----END PRIVATE KEY-----\n")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), dsn, f"postgresql://{user}:hunter2secret@{place}", str(key)],
        env={"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("Traceback") >= 8, said
    assert "hunter2" not in said, [line for line in said.splitlines() if "hunter2" in line]
    password = account.partition(":")[2]
    assert not password or password not in said
