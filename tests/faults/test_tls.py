"""TLS: who is believed, and who is not; nothing falls back to plain text where TLS was required."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from data_bridge.core import ConfigurationError, ConnectError, Database

from .certificates import ELSEWHERE, Authority, Pair, encrypted, self_signed
from .conftest import whole
from .liar import GREETING, Session, authentication, lying


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def trusted(folder: Path) -> Authority:
    return Authority(folder, "trusted")


@pytest.fixture(scope="module")
def bad(folder: Path, trusted: Authority) -> dict[str, Pair]:
    foreign = Authority(folder, "foreign")
    return {
        "wrong host": trusted.signed("wrong-host", ELSEWHERE),
        "expired": trusted.signed("expired", ended=True),
        "self-signed": Authority(folder, "self-signed").own,
        "foreign": foreign.signed("foreign-signed"),
    }


@pytest.mark.fault("I3")
async def test_a_certificate_that_is_right(postgres_dsn: str, trusted: Authority) -> None:
    with encrypted(postgres_dsn, trusted.signed("right")) as dsn:
        root = str(trusted.own.certificate)
        async with Database(dsn, ssl="verify-full", ssl_root_cert=root, max_connections=3) as db:
            assert await db.fetch_val("SELECT length(repeat('x', 1000000))") == 1_000_000
            assert len(await db.fetch_val("SELECT repeat('x', 1000000)")) == 1_000_000
            task = asyncio.create_task(db.execute("SELECT pg_sleep(20)"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await whole(db)
        elsewhere = dsn.replace("@127.0.0.1:", "@localhost:")
        async with Database(elsewhere, ssl="verify-full", ssl_root_cert=root) as db:
            assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.fault("I3", "I2")
@pytest.mark.parametrize("kind", ["wrong host", "expired", "self-signed", "foreign"])
async def test_certificates_that_are_not(
    postgres_dsn: str, trusted: Authority, bad: dict[str, Pair], kind: str
) -> None:
    with encrypted(postgres_dsn, bad[kind]) as dsn:
        root = str(trusted.own.certificate)
        with pytest.raises(ConnectError) as caught:
            await Database(dsn, ssl="verify-full", ssl_root_cert=root, connect_timeout=5).connect()
        assert caught.value.step == "TLS", caught.value
        assert dsn.partition("//")[2].partition("@")[0].partition(":")[2] not in str(caught.value)
        if kind != "wrong host":
            with pytest.raises(ConnectError):  # the public authorities know none of them
                await Database(dsn, ssl="verify-full", connect_timeout=5).connect()
        # `require` asks for TLS and for nothing else, as documented and as libpq has it.
        async with Database(dsn, ssl="require") as db:
            assert await db.fetch_val("SELECT 1") == 1


@pytest.mark.fault("I3")
async def test_a_certificate_that_is_its_own_root(postgres_dsn: str, tmp_path: Path) -> None:
    """rustls takes one that says that it is no authority; ADR 0015."""
    own = self_signed(tmp_path, "lone", is_authority=False)
    with encrypted(postgres_dsn, own) as dsn:
        async with Database(dsn, ssl="verify-full", ssl_root_cert=str(own.certificate)) as db:
            assert await db.fetch_val("SELECT 1") == 1
        other = self_signed(tmp_path, "other", is_authority=False)
        with pytest.raises(ConnectError):
            await Database(dsn, ssl="verify-full", ssl_root_cert=str(other.certificate), connect_timeout=5).connect()
    authority = self_signed(tmp_path, "authority", is_authority=True)
    with encrypted(postgres_dsn, authority) as dsn:
        with pytest.raises(ConnectError, match="basicConstraints=critical,CA:FALSE") as caught:
            await Database(
                dsn, ssl="verify-full", ssl_root_cert=str(authority.certificate), connect_timeout=5
            ).connect()
        assert caught.value.step == "TLS"


@pytest.mark.fault("I3")
def test_verify_ca_is_refused(postgres_dsn: str, trusted: Authority) -> None:
    """It would believe everybody whom any public authority knows."""
    with pytest.raises(ConfigurationError, match="verify-full"):
        Database(postgres_dsn, ssl="verify-ca", ssl_root_cert=str(trusted.own.certificate))


@pytest.mark.fault("I3")
@pytest.mark.parametrize("ssl", ["require", "verify-full"])
@pytest.mark.parametrize("answer", [b"N", b"N" + GREETING, b"S" + GREETING, b"E", GREETING, b""])
async def test_no_downgrade(ssl: str, answer: bytes) -> None:
    """Whatever the server says instead of TLS: it hears no role, no database and no password."""
    heard: list[bytes] = []

    def script(session: Session) -> None:
        heard.append(session.hear())
        session.say(answer)
        if not answer:
            session.end.close()
        while True:
            heard.append(session.hear())

    with lying(script) as liar:
        with pytest.raises(ConnectError) as caught:
            await Database(liar.dsn.partition("?")[0], ssl=ssl, connect_timeout=1).connect()
        assert "secret" not in str(caught.value)
    assert heard[0] == b"\0\0\0\x08\x04\xd2\x16/", "SSLRequest"
    for secret in (b"someone", b"secret", b"database"):
        assert secret not in b"".join(heard)


@pytest.mark.fault("I3")
async def test_prefer_takes_what_there_is(postgres_dsn: str, trusted: Authority) -> None:
    async with Database(postgres_dsn, ssl="prefer") as db:
        assert await db.fetch_val("SELECT 1") == 1
    with encrypted(postgres_dsn, trusted.signed("preferred")) as dsn:
        async with Database(dsn, ssl="prefer") as db:
            assert await db.fetch_val("SELECT 1") == 1
        with pytest.raises(ConnectError):  # the front takes what is no SSLRequest for one, and answers it with TLS
            await Database(dsn, ssl="disable", connect_timeout=1).connect()


@pytest.mark.fault("I3")
@pytest.mark.xfail(strict=True, reason="sqlx 0.9.0 gives its password to any server that asks for it in plain text")
async def test_a_password_is_not_sent_in_plain_text() -> None:
    heard: list[bytes] = []

    def script(session: Session) -> None:
        session.hear()
        session.say(authentication(3))
        heard.append(session.hear())

    with lying(script) as liar:
        with pytest.raises(ConnectError):
            await Database(liar.dsn, connect_timeout=1).connect()
    assert b"secret" not in b"".join(heard)
