"""`TestServer` and the proxy, seen by another library's client: what breaks must break as announced."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

import psycopg
import pytest

from data_bridge.testing import EmbeddedServer, ServerError
from data_bridge.testing.faults.messages import ServerMessages
from data_bridge.testing.faults.test_server import TestServer
from data_bridge.testing.proxy import proxied

from ..conftest import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with EmbeddedServer(connections=12) as embedded:
        yield TestServer(embedded)


@pytest.fixture(autouse=True)
def quiet(server: TestServer) -> None:
    """Sessions of the test before have gone: a server process outlives its client by a moment."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    assert eventually(lambda: server.run(count) == [("1",)])


class Session(psycopg.Connection[tuple[Any, ...]]):
    """Closed at the end of its block whatever state it is in; psycopg would say COMMIT first, and stop when that fails."""

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(dsn: str, **options: object) -> Session:
    return Session.connect(dsn, autocommit=True, **options)  # type: ignore[arg-type]


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


def test_a_proxy_throttles(server: TestServer) -> None:
    with proxied(server.dsn) as proxy, connect(proxy.dsn) as session:
        proxy.bytes_per_second = 20_000
        started = time.monotonic()
        row = session.execute("SELECT repeat('x', 10000)").fetchone()
        assert time.monotonic() - started >= 0.45
        assert row == ("x" * 10_000,)
        proxy.bytes_per_second = None


@pytest.mark.parametrize(("side", "arrives"), [("server", True), ("client", False)])
def test_a_proxy_silences_one_side(server: TestServer, side: Literal["client", "server"], arrives: bool) -> None:
    """What the client says still arrives when the server's answers do not."""
    server.run("DROP TABLE IF EXISTS heard; CREATE TABLE heard (a int)")
    with proxied(server.dsn) as proxy:
        session = connect(proxy.dsn)
        proxy.silent = side

        def ask() -> None:
            with pytest.raises(psycopg.OperationalError):
                session.execute("INSERT INTO heard VALUES (1)")

        thread = threading.Thread(target=ask)
        thread.start()
        if arrives:
            assert eventually(lambda: server.run("SELECT count(*) FROM heard") == [("1",)])
        thread.join(0.3)
        assert thread.is_alive(), "an answer came through"
        assert server.run("SELECT count(*) FROM heard") == [("1" if arrives else "0",)]
        proxy.cut()
        thread.join(5)
        session.close()


def test_a_proxy_cuts_between_messages(server: TestServer) -> None:
    """Everything in front of the chosen message arrives, nothing behind it does."""
    with proxied(server.dsn) as proxy:
        with connect(proxy.dsn, sslmode="disable"):
            before = proxy.messages
        assert before > 10, "authentication, the parameters, the key, and that the server is ready"
        proxy.cut_after_messages = before
        session = connect(proxy.dsn, sslmode="disable")
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        session.close()
        proxy.cut_after_messages = before - 1
        with pytest.raises(psycopg.OperationalError):
            connect(proxy.dsn, sslmode="disable")
        proxy.cut_after_messages = before + 1000
        with connect(proxy.dsn, sslmode="prefer") as again, pytest.raises(psycopg.OperationalError):
            again.execute("SELECT generate_series(1, 2000)")


def test_messages_are_found_in_pieces_of_any_size() -> None:
    message = b"D" + (9).to_bytes(4, "big") + b"abcde"
    stream = (message + b"Z" + (4).to_bytes(4, "big")) * 3
    for size in range(1, 20):
        messages = ServerMessages()
        found = [at + end for at in range(0, len(stream), size) for end in messages.ends(stream[at : at + size])]
        assert found == [10, 15, 25, 30, 40, 45]
    for answer, count in ((b"N", 6), (b"S", 0)):
        messages = ServerMessages()
        messages.heard_client((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
        assert len(messages.ends(answer + stream)) == count


def test_a_proxy_before_nothing_resets(server: TestServer) -> None:
    with EmbeddedServer() as gone:
        dsn = gone.dsn
    with proxied(dsn) as proxy, pytest.raises(psycopg.OperationalError):
        connect(proxy.dsn)


def test_a_proxy_needs_tcp() -> None:
    with pytest.raises(ValueError, match="TCP"), proxied("postgresql://user@/db?host=/run/postgresql"):
        pass
