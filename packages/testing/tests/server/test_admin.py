"""The harness's own session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_bridge.core._native import quote_identifier, quote_literal
from data_bridge.testing import EmbeddedServer
from data_bridge.testing.server.admin import AdminError, AdminSession


@pytest.fixture
def session(embedded_server: EmbeddedServer) -> Iterator[AdminSession]:
    with embedded_server.admin() as opened:
        yield opened


def test_rows_are_text_and_null(session: AdminSession) -> None:
    assert session.run("SELECT 1, NULL, '', 'ä'; SELECT 2") == [("1", None, "", "ä"), ("2",)]


def test_an_error_carries_its_code_and_the_session_goes_on(session: AdminSession) -> None:
    with pytest.raises(AdminError) as caught:
        session.run("SELECT 1/0")
    assert caught.value.sqlstate == "22012"
    assert session.run("SELECT 1") == [("1",)]


def test_a_database_that_is_not_there(embedded_server: EmbeddedServer) -> None:
    with pytest.raises(AdminError, match="does not exist") as caught:
        embedded_server.admin("no_such_database")
    assert caught.value.sqlstate == "3D000"


def test_a_session_that_is_killed(embedded_server: EmbeddedServer, session: AdminSession) -> None:
    (pid,) = session.run("SELECT pg_backend_pid()")[0]
    with embedded_server.admin() as other:
        other.run(f"SELECT pg_terminate_backend({pid}, 2000)")
    with pytest.raises((AdminError, OSError)):
        session.run("SELECT 1")


@pytest.mark.parametrize("text", ["plain", 'with "quotes"', "it's", "back\\slash", "ünï"])
def test_quoting_survives_the_server(session: AdminSession, text: str) -> None:
    assert session.run(f"SELECT {quote_literal(text)}") == [(text,)]
    assert session.run(f"SELECT n FROM (SELECT 1 AS {quote_identifier(text)}) AS x(n)") == [("1",)]
