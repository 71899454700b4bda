"""Connection strings and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_bridge.core import ConfigurationError, Database
from data_bridge.core.dsn import parse

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


@pytest.mark.fault("I2")
def test_secrets_stay_secret() -> None:
    db = Database("postgresql://u:hunter2@h/x", max_connections=1)
    assert "hunter2" not in repr(db) and "hunter2" not in str(vars(db))
    with pytest.raises(ConfigurationError) as caught:
        Database("postgresql://u:hunter2@h/x?nonsense=1")
    assert "nonsense" in str(caught.value) and "hunter2" not in str(caught.value)
