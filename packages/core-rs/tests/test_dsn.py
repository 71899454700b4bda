"""Connection strings and the environment."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_bridge import core
from data_bridge.core import ConfigurationError, Database
from data_bridge.core.settings.dsn import parse
from data_bridge.core.settings.session import CONNECT_TIMEOUT, connect_timeout_of, security_of

EMPTY: dict[str, str] = {"PGPASSFILE": "/nonexistent"}


def test_parts() -> None:
    a = parse("postgresql://ann:p%40ss@db.example:5433/shop?application_name=x", environment=EMPTY)
    assert (a.hosts, a.user, a.password, a.database, a.settings) == (
        [("db.example", 5433)],
        "ann",
        "p@ss",
        "shop",
        {"application_name": "x"},
    )
    assert "p@ss" not in repr(a)


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://a,b:2/x", [("a", 5432), ("b", 2)]),
        ("postgresql://[::1]:7/x", [("::1", 7)]),
        ("postgresql:///x?host=/run/pg&port=9", [("/run/pg", 9)]),
        ("postgresql://%2Frun%2Fpg/x", [("/run/pg", 5432)]),
        ("postgresql://u@/x?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
    ],
)
def test_hosts(dsn: str, hosts: list[tuple[str, int]]) -> None:
    assert parse(dsn, environment=EMPTY).hosts == hosts


def test_precedence() -> None:
    env = {
        **EMPTY,
        "PGHOST": "envhost",
        "PGPORT": "1111",
        "PGUSER": "envuser",
        "PGDATABASE": "envdb",
        "PGPASSWORD": "envpass",
    }
    a = parse(environment=env)
    assert (a.hosts, a.user, a.password, a.database) == ([("envhost", 1111)], "envuser", "envpass", "envdb")
    a = parse("postgresql://dsnuser@dsnhost/dsndb", environment=env)
    assert (a.hosts, a.user, a.password, a.database) == ([("dsnhost", 1111)], "dsnuser", "envpass", "dsndb")
    a = parse(
        "postgresql://dsnuser@dsnhost/dsndb",
        host="arg",
        username="arguser",
        database="argdb",
        password="argpass",
        environment=env,
    )
    assert (a.hosts, a.user, a.password, a.database) == ([("arg", 1111)], "arguser", "argpass", "argdb")


def test_pass_file(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text("# comment\nother:*:*:*:no\nh:5432:d:u:se\\:cret\n*:*:*:*:fallback\n")
    file.chmod(0o600)
    env = {"PGPASSFILE": str(file)}
    assert parse("postgresql://u@h/d", environment=env).password == "se:cret"
    assert parse("postgresql://v@h/d", environment=env).password == "fallback"
    file.chmod(0o644)
    assert parse("postgresql://u@h/d", environment=env).password is None


@pytest.mark.parametrize("dsn", ["mysql://x", "postgresql://h:99999999/x", "postgresql://h:abc/x", "nonsense"])
def test_what_is_refused(dsn: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(dsn, environment=EMPTY)


# As the documentation of the providers shows them.
PROVIDERS = {
    "Neon": "postgresql://alex:AbC123dEf@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require",
    "Neon, endpoint": "postgres://alex:AbC123dEf@ep-x.eu.neon.tech/dbname?sslmode=require&options=endpoint%3Dep-x",
    "Supabase": "postgresql://postgres.abcd:pass@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
    "Supabase, reference": "postgresql://postgres:pass@db.supabase.com:5432/postgres?options=reference%3Dabcd",
    "RDS": "host=mydb.123456789012.us-east-1.rds.amazonaws.com port=5432 dbname=mydb user=jane password=a\\'b sslmode=require",
    "Cloud SQL": "postgresql://user:pass@/dbname?host=/cloudsql/project:region:instance",
    "Azure": "host=srv.postgres.database.azure.com port=5432 dbname=postgres user=myadmin password='my pass' sslmode=require",
    "Heroku": "postgres://u:p@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1?sslmode=require",
    "Fly": "postgres://app:secret@top2.nearest.of.app-db.internal:5432/app?sslmode=disable",
    "CockroachDB": "postgresql://maxroach:pw@free-tier.gcp.cockroachlabs.cloud:26257/defaultdb?sslmode=require&options=--cluster%3Dname-123",
    "keepalives": "postgresql://h/d?keepalives=1&keepalives_idle=30&tcp_user_timeout=0&gssencmode=disable&client_encoding=UTF8",
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_strings_of_providers(name: str) -> None:
    address = parse(PROVIDERS[name], environment=EMPTY)
    assert address.hosts and (address.password or name == "keepalives")
    Database(PROVIDERS[name])
    if name == "CockroachDB":
        assert address.session == {"cluster": "name-123"}
    if name == "RDS":
        assert address.password == "a'b"
    if name == "Cloud SQL":
        assert address.hosts == [("/cloudsql/project:region:instance", 5432)]


def test_values_are_decoded_as_libpq_does() -> None:
    assert parse("postgresql://u:a+b%2B@h/d", environment=EMPTY).password == "a+b+"
    assert parse("postgresql://h/d?password=a+b", environment=EMPTY).password == "a+b"
    assert parse(r"postgresql://h/d?options=-c%20search_path=a,\ b%20--work_mem=4MB", environment=EMPTY).session == {
        "search_path": "a, b",
        "work_mem": "4MB",
    }
    assert parse(host="h", port="5433", environment=EMPTY).hosts == [("h", 5433)]
    env = {**EMPTY, "PGHOST": "h1,h2", "PGPORT": "1,2", "PGOPTIONS": "-c geqo=off", "PGCONNECT_TIMEOUT": "7"}
    found = parse(environment=env)
    assert found.hosts == [("h1", 1), ("h2", 2)]
    assert (found.session, found.settings["connect_timeout"]) == ({"geqo": "off"}, "7")


def test_each_host_has_its_password(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text("a:*:*:*:of a\nb:*:*:*:of b\n")
    file.chmod(0o600)
    found = parse(f"postgresql://u@a,b,c/d?passfile={file}", environment={})
    assert found.passwords == ["of a", "of b", None]


def test_services(tmp_path: Path) -> None:
    file = tmp_path / "services"
    file.write_text("[other]\nhost=no\n[shop]\n# a comment\nhost=db1\nport=7\ndbname=shop\nsslmode=require\n[last]\n")
    found = parse(f"postgresql:///mine?service=shop&servicefile={file}", environment=EMPTY)
    assert (found.hosts, found.database, found.settings) == ([("db1", 7)], "mine", {"sslmode": "require"})
    with pytest.raises(ConfigurationError, match="'none' is not defined"):
        parse(f"service=none servicefile={file}", environment=EMPTY)


def test_without_a_home_folder_and_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", none)
    monkeypatch.setattr(Path, "home", none)
    with pytest.raises(ConfigurationError, match="no user name"):
        parse("postgresql://h/d", environment={"HOME": "/nonexistent"})
    assert parse("postgresql://u@h/d", environment={"HOME": "/nonexistent"}).user == "u"


@pytest.mark.parametrize(
    ("dsn", "what"),
    [
        ("postgresql://h/d?gssencmode=require", "gssencmode"),
        ("postgresql://h/d?require_auth=scram-sha-256", "require_auth"),
        ("postgresql://h/d?sslnegotiation=direct", "sslnegotiation"),
        ("postgresql://h/d?client_encoding=latin1", "client_encoding"),
        ("postgresql://h/d?sslmod=require", "did you mean 'sslmode'"),
        ("postgresql://h/d?connect_timeout=abc", "connect_timeout"),
        ("postgresql://h/d?sslrootcert=/no/such.pem", "/no/such.pem"),
        ("postgresql://h/d?options=-d%205", "options"),
        ("postgresql://a,b:1,c:2,d/x?port=1,2", "3 hosts|4 hosts"),
        ("postgresql://h/%zz", "hexadecimal"),
    ],
)
def test_what_cannot_be_honoured(dsn: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        Database(dsn)


@settings(max_examples=400, deadline=None)
@given(
    st.text(min_size=1, max_size=8),
    st.sampled_from(["postgresql://u:{}@h/d", "host=h password={} dbname=d", "postgresql://u:{}@h:5/d?x=1", "{}"]),
)
def test_no_message_shows_a_password(noise: str, form: str) -> None:
    secret = "hunTer2" + noise + "hunTer2"
    try:
        shown = repr(parse(form.format(secret), environment=EMPTY))
    except ConfigurationError as e:
        shown = str(e) + repr(e.__context__) + repr(e.__cause__)
    assert "hunTer2" not in shown or form == "{}"


@pytest.mark.fault("I2")
def test_secrets_stay_secret() -> None:
    db = Database("postgresql://u:hunter2@h/x", max_connections=1)
    assert "hunter2" not in repr(db) and "hunter2" not in str(vars(db))
    with pytest.raises(ConfigurationError) as caught:
        Database("postgresql://u:hunter2@h/x?nonsense=1")
    assert "nonsense" in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["acquire_timeout", "connect_timeout", "idle_timeout", "max_lifetime", "command_timeout"]
)
@pytest.mark.parametrize("value", [math.nan, -1.0])
def test_times_are_positive_numbers(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Database("postgresql://h/x", **{name: value})  # type: ignore[arg-type]


def test_arguments_win_over_the_connection_string() -> None:
    address = parse("postgresql://h/x?connect_timeout=3", environment=EMPTY)
    assert connect_timeout_of(address, CONNECT_TIMEOUT) == 3
    assert connect_timeout_of(address, 5.0) == 5
    assert (
        security_of(parse("postgresql://h/x?sslmode=require", environment=EMPTY), "disable", None, None, None)["ssl"]
        == "disable"
    )
    assert security_of(parse(PROVIDERS["Neon"], environment=EMPTY), None, None, None, None)["ssl"] == "verify-full"
    assert security_of(parse("postgresql://h/x?sslrootcert=system", environment=EMPTY), None, None, None, None) == {
        "ssl": "verify-full",
        "ssl_root_cert": None,
        "ssl_cert": None,
        "ssl_key": None,
    }


async def test_settings_of_the_application_win(postgres_dsn: str) -> None:
    settings = {"TimeZone": "Asia/Kolkata", "DateStyle": "SQL, DMY", "application_name": "mine", "work_mem": "5MB"}
    async with Database(postgres_dsn, max_connections=1, server_settings=settings) as db:
        for _ in range(2):
            shown = [await db.fetch_val(f"SHOW {name}") for name in settings]
            assert shown == list(settings.values())
            moment = datetime(2024, 1, 1, 5, 30, tzinfo=UTC)
            assert await db.fetch_val("SELECT $1::timestamptz", moment) == moment
            assert await db.fetch_val("SELECT '2024-01-01 11:00+05:30'::timestamptz") == moment
            await db.execute("SET TimeZone = 'UTC'")  # undone by the reset
    for refused in ({"client_encoding": "LATIN1"}, {"standard_conforming_strings": "off"}):
        with pytest.raises(ConfigurationError):
            Database(postgres_dsn, server_settings=refused)


async def test_a_failing_init_leaves_the_working_database(postgres_dsn: str) -> None:
    before = await core.init(postgres_dsn, max_connections=1)
    try:
        with pytest.raises(core.ConnectError):
            await core.init("postgresql://127.0.0.1:1/x", connect_timeout=1)
        assert await core.fetch_val("SELECT 1") == 1
        assert core.get_database() is before
        with pytest.raises(TypeError, match="did you mean max_connections="):
            await core.init(postgres_dsn, pool_size=5)
        with pytest.raises(TypeError, match="did you mean acquire_timeout="):
            await core.init(postgres_dsn, aquire_timeout=5)
        after = await core.init(postgres_dsn, max_connections=1)
        assert core.get_database() is after
        with pytest.raises(core.NotInitialized):
            await before.fetch_val("SELECT 1")
    finally:
        await core.close()


async def test_connecting_can_be_tried_again(postgres_dsn: str) -> None:
    db = Database("postgresql://127.0.0.1:1/x", connect_timeout=1)
    for _ in range(2):
        with pytest.raises(core.ConnectError):
            await db.connect()
    await db.close()


@pytest.mark.parametrize("named", ["nothing", "DATABASE_URL", "PGHOST", "argument"])
async def test_a_failure_says_when_no_server_was_named(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    for name in ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPORT", "1")
    if named == "DATABASE_URL":
        monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/x")
    elif named == "PGHOST":
        monkeypatch.setenv("PGHOST", "localhost")
    with pytest.raises(core.ConnectError) as caught:
        await Database(host="localhost" if named == "argument" else None, connect_timeout=1).connect()
    assert ("no connection string was given" in str(caught.value)) == (named == "nothing")
