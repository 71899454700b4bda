"""Through PgBouncer, whose transaction mode gives every transaction another session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from data_bridge import core
from data_bridge.migrate import get_migration_status, run_migrations
from data_bridge.testing.server import EmbeddedServer
from data_bridge.testing.server.account import server_account

pytestmark = pytest.mark.servers

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def keeps_statements() -> bool:
    """From 1.21 on PgBouncer keeps prepared statements apart for its clients."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout if PROGRAM else ""
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= (1, 21)


KEEPS_STATEMENTS = keeps_statements()
MODES = [("session", 500), ("transaction", 0), *([("transaction, statements", 500)] if KEEPS_STATEMENTS else [])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def bouncer(embedded_server: EmbeddedServer) -> Iterator[Callable[[str], str]]:
    """Starts PgBouncer in one of its modes before the embedded server and gives its URL."""
    assert PROGRAM, "pgbouncer is not installed"
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="dbb-"))
    running: list[subprocess.Popen[bytes]] = []

    def start(kind: str) -> str:
        mode, _, option = kind.partition(", ")
        count = {"no statements": 0, "statements": 200}.get(option)
        more = f"max_prepared_statements = {count}\n" if count is not None and KEEPS_STATEMENTS else ""
        more += "server_round_robin = 1\n" if option == "in turn" else ""
        target = urlsplit(embedded_server.dsn)
        port = free_port()
        place = f"host=127.0.0.1 port={target.port} user={target.username} password={target.password}"
        (folder / "users").write_text('"postgres" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\npostgres = {place} dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"auth_type = any\nauth_file = {folder}/users\npool_mode = {mode}\ndefault_pool_size = 3\n"
            f"logfile = {folder}/log\npidfile = {folder}/pid\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n"
            + more
        )
        if account:
            account.own(folder)
        log = (folder / "out").open("wb")
        process = subprocess.Popen[bytes](
            [PROGRAM or "", folder / "pgbouncer.ini"],
            stdout=log,
            stderr=log,
            cwd="/",
            **(account.drop() if account else {}),
        )
        log.close()
        running.append(process)
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return f"postgresql://postgres@127.0.0.1:{port}/postgres"
            assert process.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.fault("G4")
@pytest.mark.parametrize(("mode", "cache"), MODES)
async def test_statements_and_transactions(bouncer: Callable[[str], str], mode: str, cache: int) -> None:
    async with core.Database(bouncer(mode), statement_cache_size=cache, ssl="disable") as db:
        await db.execute("DROP TABLE IF EXISTS bounced")
        await db.execute("CREATE TABLE bounced (id int PRIMARY KEY, name text)")

        async def work(number: int) -> None:
            async with core.pg_transaction(using=db):
                await core.execute("INSERT INTO bounced VALUES ($1, $2)", number, str(number), using=db)
                if number % 3 == 0:
                    core.current_transaction(db).set_rollback_only()  # type: ignore[union-attr]

        await asyncio.gather(*(work(number) for number in range(30)))
        assert await db.fetch_val("SELECT count(*) FROM bounced") == 20
        values = await asyncio.gather(*(db.fetch_val("SELECT $1::int + $2::int", n, 1) for n in range(60)))
        assert values == list(range(1, 61))
        with pytest.raises(core.UniqueViolation):
            await db.execute("INSERT INTO bounced VALUES (1, 'again')")
        assert await db.fetch("SELECT id, name FROM bounced WHERE id = $1", 1) == [{"id": 1, "name": "1"}]
        await db.execute("DROP TABLE bounced")


@pytest.mark.parametrize(("mode", "cache"), MODES)
async def test_tenants(bouncer: Callable[[str], str], mode: str, cache: int) -> None:
    """Settings of transactions need no session: each transaction has them, whatever session it is given."""
    now = "SELECT NULLIF(current_setting('app.tenant', true), '')"
    async with core.Database(bouncer(mode), statement_cache_size=cache, max_connections=6) as db:

        async def work(who: str | None) -> None:
            if who is None:
                assert await db.fetch_val(now) is None
                return
            async with core.tenant(who):
                assert await db.fetch_val(now) == who
                async with db.transaction():
                    assert await db.fetch_val(now) == who

        await asyncio.gather(*(work(None if n % 3 == 0 else f"t{n}") for n in range(60)))


@pytest.mark.parametrize(("mode", "cache"), MODES)
async def test_types_of_the_database(bouncer: Callable[[str], str], mode: str, cache: int) -> None:
    """The first statement of a connection has a column, a parameter or a streamed column of an own type."""
    url = bouncer(mode)
    async with core.Database(url, statement_cache_size=cache, ssl="disable") as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS moods; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'glad');"
            " CREATE TABLE moods (mood mood); INSERT INTO moods VALUES ('glad')"
        )

    async def streamed(db: core.Database) -> list[dict[str, object]]:
        async with db.stream("SELECT * FROM moods") as rows:
            return [row async for row in rows]

    async def framed(db: core.Database) -> list[dict[str, object]]:
        table = await db.fetch_arrow("SELECT * FROM moods WHERE mood = $1", "glad")
        return table.to_pyarrow().to_pylist()

    async def framed_stream(db: core.Database) -> list[dict[str, object]]:
        async with db.stream_arrow("SELECT * FROM moods") as tables:
            return [row async for table in tables for row in table.to_pyarrow().to_pylist()]

    for first in (
        lambda db: db.fetch("SELECT * FROM moods"),
        lambda db: db.fetch("SELECT * FROM moods WHERE mood = $1", "glad"),
        lambda db: db.fetch("SELECT $1::mood AS mood", "glad"),
        streamed,
        framed,
        framed_stream,
    ):
        async with core.Database(url, statement_cache_size=cache, ssl="disable") as db:
            for _ in range(3):
                assert await asyncio.gather(*(first(db) for _ in range(4))) == [[{"mood": "glad"}]] * 4
    async with core.Database(url, statement_cache_size=cache, ssl="disable") as db:
        assert isinstance(await db.fetch_val("SELECT datacl FROM pg_database LIMIT 1"), list | None)
        await db.execute_script("DROP TABLE moods; DROP TYPE mood")


async def test_sessions_differ_in_transaction_mode(bouncer: Callable[[str], str]) -> None:
    """The test above proves something only if the sessions really change."""
    async with core.Database(bouncer("transaction"), statement_cache_size=0, ssl="disable", max_connections=6) as db:
        seen = await asyncio.gather(*(db.fetch_val("SELECT pg_backend_pid() FROM pg_sleep(0.05)") for _ in range(6)))
        assert len(set(seen)) in (2, 3), "three server sessions serve six clients"


async def test_what_a_pooled_statement_leaves_behind(bouncer: Callable[[str], str]) -> None:
    """No prepared statement stays on a session that belongs to everybody, and giving up hurts only one's own."""
    async with core.Database(bouncer("transaction"), statement_cache_size=0, ssl="disable", max_connections=4) as db:
        assert await asyncio.gather(*(db.fetch_val("SELECT $1::int", n) for n in range(40))) == list(range(40))
        assert await db.fetch("SELECT name FROM pg_prepared_statements") == []
        with pytest.raises(core.EncodeError):
            await db.fetch_val("SELECT $1::int", "no number")
        await db.execute("VACUUM pg_catalog.pg_class")
        others = [asyncio.create_task(db.fetch_val("SELECT $1::int FROM pg_sleep(0.4)", n)) for n in range(2)]
        with pytest.raises(core.QueryTimeout):
            await db.execute("SELECT pg_sleep(3)", timeout=0.1)
        assert await asyncio.gather(*others) == [0, 1]
        assert await db.fetch_val("SELECT 1") == 1


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two migrations, one of them with a step outside of transactions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.data-bridge.migrate]\n")
    (tmp_path / "0001_a.sql").write_text("-- up\ncreate table pooled (a int);\n-- down\ndrop table pooled;")
    (tmp_path / "0002_b.sql").write_text(
        "-- up\ncreate index concurrently pooled_a on pooled (a);\n-- down\ndrop index concurrently pooled_a;"
    )
    return tmp_path


@pytest.mark.parametrize("cache", [0, 500])
@pytest.mark.parametrize("mode", ["transaction", "transaction, in turn"])
@pytest.mark.parametrize("opened", [0, 2, 3], ids="{}_sessions_open".format)
async def test_migrations_refuse_a_pool_of_transactions(
    bouncer: Callable[[str], str],
    embedded_server: EmbeddedServer,
    migrations: Path,
    cache: int,
    mode: str,
    opened: int,
) -> None:
    """However many sessions PgBouncer holds already, and in whatever order it lends them."""
    url = bouncer(mode)
    async with core.Database(url, statement_cache_size=0, ssl="disable") as db:
        await asyncio.gather(*(db.fetch_val("SELECT 1 FROM pg_sleep(0.05)") for _ in range(opened)))
    async with core.Database(url, statement_cache_size=cache, ssl="disable") as db:
        with pytest.raises(core.ConfigurationError, match=r"pool_mode = transaction.*Connect to the server directly"):
            await run_migrations(directory=migrations, using=db)
    async with core.Database(embedded_server.dsn) as db:
        assert await db.fetch_val("SELECT to_regclass('pooled') IS NULL") is True
        assert await db.fetch_val("SELECT to_regclass('_data_bridge_migrations') IS NULL") is True


async def test_migrations_run_through_a_pool_of_sessions(bouncer: Callable[[str], str], migrations: Path) -> None:
    async with core.Database(bouncer("session"), ssl="disable", max_connections=1) as db:
        assert await run_migrations(directory=migrations, using=db) == ["0001", "0002"]
        assert (await get_migration_status(directory=migrations, using=db)).pending == []
        assert await run_migrations(directory=migrations, using=db, direction="down", target="0") == ["0002", "0001"]
        await db.execute("DROP TABLE _data_bridge_migrations")


@pytest.mark.fault("G4")
async def test_prepared_statements_through_a_pool_of_transactions(bouncer: Callable[[str], str]) -> None:
    """With the default cache and a PgBouncer that keeps none: what happens, and what the message says to do."""
    async with core.Database(bouncer("transaction, no statements"), ssl="disable", max_connections=6) as db:
        with pytest.raises(core.DatabaseError) as caught:
            for _ in range(50):
                await asyncio.gather(*(db.fetch_val("SELECT $1::int FROM pg_sleep(0.01)", n) for n in range(6)))
        assert caught.value.sqlstate in ("26000", "42P05")
        assert "statement_cache_size=0" in str(caught.value)


@pytest.mark.fault("G4")
@pytest.mark.skipif(not KEEPS_STATEMENTS, reason="PgBouncer before 1.21 keeps no prepared statements")
async def test_giving_up_hurts_nobody_else(bouncer: Callable[[str], str]) -> None:
    """Behind a pooler that keeps statements, too, a process works for whoever has its session now: none is signalled."""
    sleeping = "SELECT $1::int FROM pg_sleep(0.3)"
    async with core.Database(bouncer("transaction, statements"), ssl="disable", max_connections=6) as db:
        for _ in range(5):
            others = [asyncio.create_task(db.fetch_val(sleeping, n)) for n in range(2)]
            with pytest.raises(core.QueryTimeout):
                await db.execute("SELECT pg_sleep(0.5)", timeout=0.1)
            assert await asyncio.gather(*others) == [0, 1]
        assert await db.fetch_val(sleeping, 7) == 7
        # A signal would have left it, and hit anybody.
        assert db.pool_stats().closed_broken == 5


@pytest.mark.fault("G4")
async def test_the_server_ends_what_was_given_up(
    bouncer: Callable[[str], str], embedded_server: EmbeddedServer
) -> None:
    """What the documentation advises: the server looks now and then whether anybody still waits."""
    runs = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(19)%'"
    async with core.Database(embedded_server.dsn, max_connections=1) as server:
        await server.execute("ALTER DATABASE postgres SET client_connection_check_interval = '200ms'")
        try:
            async with core.Database(bouncer("transaction"), statement_cache_size=0, ssl="disable") as db:
                with pytest.raises(core.QueryTimeout):
                    await db.execute("SELECT pg_sleep(19)", timeout=0.3)
                deadline = time.monotonic() + 3
                while await server.fetch_val(runs):
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.02)
        finally:
            await server.execute("ALTER DATABASE postgres RESET client_connection_check_interval")
