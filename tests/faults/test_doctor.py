"""`data-bridge doctor` names the step that fails, for every way in which a connection fails on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from data_bridge.core import Database
from data_bridge.core.cli import main
from data_bridge.testing import EmbeddedServer

from .certificates import ELSEWHERE, Authority, encrypted

SECRET = "s3cr3t-w0rd"
SETUP = f"""
    CREATE ROLE able LOGIN PASSWORD '{SECRET}';
    CREATE ROLE unable NOLOGIN PASSWORD '{SECRET}';
    CREATE ROLE barred LOGIN PASSWORD '{SECRET}';
    CREATE ROLE limited LOGIN PASSWORD '{SECRET}' CONNECTION LIMIT 0;
    CREATE ROLE lonely LOGIN PASSWORD '{SECRET}' CONNECTION LIMIT 1;
    CREATE DATABASE closed ALLOW_CONNECTIONS false;
    CREATE DATABASE guarded;
    REVOKE CONNECT ON DATABASE guarded FROM PUBLIC;
    CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    async def prepare(dsn: str) -> None:
        async with Database(dsn, max_connections=1) as db:
            for statement in SETUP.strip().split(";"):
                if statement.strip():
                    await db.execute(statement)
            file = await db.fetch_val("SHOW hba_file")
            lines = await db.fetch_val("SELECT pg_read_file($1::text)", file)
            rules = "host all barred 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256\n"
            rows = [(line,) for line in (rules + lines).splitlines() if line and "\t" not in line and "\\" not in line]
            await db.execute("CREATE TABLE hba_lines (line text)")
            await db.copy_in("hba_lines", rows)
            # The server writes the file, which belongs to its account.
            await db.execute_script(f"COPY hba_lines TO '{file}'; DROP TABLE hba_lines")
            await db.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(0.3)

    with EmbeddedServer() as running:
        asyncio.run(prepare(running.dsn))
        yield running


def at(server: EmbeddedServer, role: str = "able", database: str = "postgres", **parts: Any) -> str:
    place = urlsplit(server.dsn)
    netloc = (
        f"{role}:{parts.get('password', SECRET)}@{parts.get('host', place.hostname)}:{parts.get('port', place.port)}"
    )
    return urlunsplit(("postgresql", netloc, f"/{database}", parts.get("query", ""), ""))


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, str]]]:
    """The exit status and the steps, which are the same in both forms and never show a password."""
    capsys.readouterr()
    status = main(["doctor", "--timeout", "1", *arguments])
    plain = capsys.readouterr()
    assert main(["doctor", "--timeout", "1", "--json", *arguments]) == status
    said = capsys.readouterr()
    assert SECRET not in plain.out + plain.err + said.out + said.err
    found = json.loads(said.out)
    assert found["ok"] is (status == 0)
    lines = plain.out.splitlines()
    assert [line.split()[:2] for line in lines] == [[step["status"], step["name"]] for step in found["steps"]]
    return status, found["steps"]


def failed(capsys: pytest.CaptureFixture[str], dsn: str) -> dict[str, str]:
    status, steps = doctor(capsys, dsn)
    assert status == 1
    assert [step["status"] == "failed" for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[-1]["cure"]
    return steps[-1]


def test_a_connection_that_works(server: EmbeddedServer, capsys: pytest.CaptureFixture[str]) -> None:
    status, steps = doctor(capsys, at(server))
    assert status == 0
    assert [step["name"] for step in steps] == [
        "dsn", "password", "dns", "tcp", "tls", "pg_hba", "authentication", "role", "database", "server", "pooler",
    ]  # fmt: skip
    assert {step["status"] for step in steps} == {"ok"}


@pytest.mark.parametrize(
    ("role", "database", "parts", "step", "detail"),
    [
        ("able", "postgres", {"port": 1}, "tcp", "nothing listens"),
        ("able", "postgres", {"host": "nowhere.invalid"}, "dns", "no address"),
        ("able", "postgres", {"query": "sslmode=require"}, "tls", "does not encrypt"),
        ("able", "postgres", {"password": "wrong"}, "authentication", "is wrong"),
        ("nobody", "postgres", {}, "authentication", "does not exist"),
        ("unable", "postgres", {}, "role", "may not log in"),
        ("barred", "postgres", {}, "pg_hba", "does not admit barred"),
        ("able", "missing", {}, "database", "no database missing"),
        ("able", "closed", {}, "database", "may not connect"),
        ("able", "guarded", {}, "database", "may not connect"),
        ("limited", "postgres", {}, "connections", "limit of connections"),
        ("able", "postgres", {"query": "target_session_attrs=standby"}, "session", "target_session_attrs"),
    ],
)
def test_every_way_to_fail(
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    role: str,
    database: str,
    parts: dict[str, Any],
    step: str,
    detail: str,
) -> None:
    found = failed(capsys, at(server, role, database, **parts))
    assert found["name"] == step and detail in found["detail"]


def test_no_password(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = urlsplit(server.dsn)
    dsn = f"postgresql://able@{place.hostname}:{place.port}/postgres"
    file = tmp_path / "passwords"
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert "there is none" in failed(capsys, dsn)["detail"]
    file.write_text(f"*:*:*:able:{SECRET}\n")
    file.chmod(0o644)
    status, steps = doctor(capsys, dsn)
    assert status == 1 and steps[1]["status"] == "warning" and "chmod 600" in steps[1]["cure"]
    file.chmod(0o600)
    assert doctor(capsys, dsn)[0] == 0


def test_the_connection_string(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failed(capsys, f"postgresql://a:{SECRET}@h:port/x")["name"] == "dsn"
    assert failed(capsys, f"mysql://a:{SECRET}@h/x")["name"] == "dsn"
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert "service 'shop' is not defined" in failed(capsys, "service=shop")["detail"]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [("expired", "has expired"), ("other name", "is not for 127.0.0.1"), ("foreign", "is not signed by")],
)
def test_certificates(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, detail: str
) -> None:
    trusted, foreign = Authority(tmp_path, "trusted"), Authority(tmp_path, "foreign")
    pair = {
        "expired": lambda: trusted.signed("expired", ended=True),
        "other name": lambda: trusted.signed("elsewhere", ELSEWHERE),
        "foreign": lambda: foreign.signed("foreign-signed"),
    }[kind]()
    with encrypted(at(server), pair) as dsn:
        found = failed(capsys, f"{dsn}?sslmode=verify-full&sslrootcert={trusted.own.certificate}")
        assert found["name"] == "tls" and detail in found["detail"]
    with encrypted(at(server), trusted.signed("right")) as dsn:
        status, steps = doctor(capsys, f"{dsn}?sslmode=verify-full&sslrootcert={trusted.own.certificate}")
        assert status == 0 and "valid until" in next(step["detail"] for step in steps if step["name"] == "tls")


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port that answers with these bytes, or not at all."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            while True:
                try:
                    plug, _ = door.accept()
                except OSError:
                    return
                with plug:
                    plug.recv(8)
                    if answer is not None:
                        plug.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
def test_something_else_listens(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], answer: bytes | None
) -> None:
    with listening(answer) as port:
        found = failed(capsys, at(server, port=port))
    assert found["name"] == "tls" and "not answer like PostgreSQL" in found["detail"]


def test_warnings_do_not_fail(server: EmbeddedServer, capsys: pytest.CaptureFixture[str]) -> None:
    def warnings(dsn: str) -> dict[str, str]:
        status, steps = doctor(capsys, dsn)
        assert status == 0
        return {step["name"]: step["detail"] for step in steps if step["status"] == "warning"}

    assert "LATIN1" in warnings(at(server, database="latin"))["server"]
    assert "second connection" in warnings(at(server, "lonely"))["pooler"]
    read_only = "options=-c%20default_transaction_read_only%3Don"
    assert "read-only" in warnings(at(server, query=read_only))["server"]
    port = urlsplit(server.dsn).port
    several = f"postgresql://able:{SECRET}@127.0.0.1:1,127.0.0.1:{port}/postgres"
    assert "nothing listens" in warnings(several)["tcp"]


def test_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--timeout", "0"], ["--no-such-option"]):
        with pytest.raises(SystemExit) as caught:
            main(["doctor", *words])
        assert caught.value.code == 2
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--help"])
    assert caught.value.code == 0 and "Passwords are never shown" in capsys.readouterr().out
