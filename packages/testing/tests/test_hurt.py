"""`TestServer` and the proxy, seen by another library's client: what breaks must break as announced."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from data_bridge.testing import EmbeddedServer, ServerError
from data_bridge.testing.hurt import TestServer
from data_bridge.testing.proxy import proxied

from .conftest import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with EmbeddedServer(connections=12) as embedded:
        yield TestServer(embedded)


@pytest.fixture(autouse=True)
def quiet(server: TestServer) -> None:
    """Sessions of the test before have gone: a server process outlives its client by a moment."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    assert eventually(lambda: server.run(count) == [("1",)])


def connect(dsn: str, **options: object) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True, **options)  # type: ignore[arg-type]


def test_terminated_sessions_get_57p01(server: TestServer) -> None:
    with connect(server.dsn) as one, connect(server.dsn) as two:
        assert server.terminate_backends() == 2
        for session in (one, two):
            with pytest.raises(psycopg.errors.AdminShutdown):
                session.execute("SELECT 1")


def test_a_killed_backend_takes_all_sessions_and_the_server_comes_back(server: TestServer) -> None:
    with connect(server.dsn) as one, connect(server.dsn) as two:
        server.kill_backend()
        for session in (one, two):
            with pytest.raises(psycopg.OperationalError):
                while True:
                    session.execute("SELECT 1")
    deadline = time.monotonic() + 10
    while True:
        try:
            connect(server.dsn).close()
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_without_a_session_there_is_nothing_to_kill(server: TestServer) -> None:
    server.terminate_backends()
    with pytest.raises(ServerError, match="no client session"):
        server.kill_backend()


def test_restart_breaks_sessions_and_keeps_the_address(server: TestServer) -> None:
    with connect(server.dsn) as session:
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    connect(server.dsn).close()


def test_a_stalled_server_serves_open_sessions_and_hangs_new_ones(server: TestServer) -> None:
    with connect(server.dsn) as session:
        server.stall()
        try:
            assert session.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                connect(server.dsn, connect_timeout=2)
        finally:
            server.resume()
            server.resume()
    connect(server.dsn).close()


def test_stalled_backends_hang_until_the_end_of_the_block(server: TestServer) -> None:
    with connect(server.dsn) as session:
        answers: list[object] = []
        thread = threading.Thread(target=lambda: answers.append(session.execute("SELECT 1").fetchone()))
        with server.stalled_backends() as count:
            assert count == 1
            thread.start()
            thread.join(0.3)
            assert answers == []
        thread.join(5)
        assert answers == [(1,)]


def test_too_many_connections(server: TestServer) -> None:
    server.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN PASSWORD 'x'")
    dsn = server.dsn.replace(server.dsn.split("//")[1].split("@")[0], "plain:x")
    with server.few_connections(1):
        with connect(dsn), pytest.raises(psycopg.OperationalError, match=r"remaining connection slots|too many"):
            connect(dsn)
    with connect(dsn), connect(dsn):
        pass


def test_a_proxy_passes_everything(server: TestServer) -> None:
    with server.proxy() as dsn, connect(dsn) as session:
        row = session.execute("SELECT repeat('x', 1000000)").fetchone()
        assert row is not None and len(row[0]) == 1_000_000


def test_a_proxy_delays(server: TestServer) -> None:
    with server.proxy(delay=0.05) as dsn, connect(dsn) as session:
        started = time.monotonic()
        session.execute("SELECT 1")
        assert time.monotonic() - started >= 0.1


def test_a_proxy_cuts_after_some_bytes(server: TestServer) -> None:
    with server.proxy(cut_after=20_000) as dsn, connect(dsn) as session:
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT repeat('x', 1000000)")
        assert session.broken


def test_a_proxy_cuts_on_demand_and_goes_silent(server: TestServer) -> None:
    with proxied(server.dsn) as proxy:
        session = connect(proxy.dsn)
        assert proxy.accepted == 1
        proxy.silent = True
        answers: list[object] = []

        def ask() -> None:
            try:
                answers.append(session.execute("SELECT 1").fetchone())
            except psycopg.OperationalError as error:
                answers.append(type(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.3)
        assert answers == [], "half-open: no answer and no error"
        assert proxy.cut() == 1
        thread.join(5)
        assert answers == [psycopg.OperationalError]
        session.close()


def test_a_proxy_before_nothing_resets(server: TestServer) -> None:
    with EmbeddedServer() as gone:
        dsn = gone.dsn
    with proxied(dsn) as proxy, pytest.raises(psycopg.OperationalError):
        connect(proxy.dsn)


def test_a_proxy_needs_tcp() -> None:
    with pytest.raises(ValueError, match="TCP"), proxied("postgresql://user@/db?host=/run/postgresql"):
        pass
