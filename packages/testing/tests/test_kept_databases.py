"""`--db-keep`: the databases of failed tests can be opened after the run, and nothing else is left."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

SUITE = """
import pytest
from data_bridge import core

@pytest.fixture(scope="session")
def db_template():
    return lambda: "CREATE TABLE item (name text)"

@pytest.mark.parametrize("name", ["a", "b"])
async def test_isolated(isolated_db, name):
    await core.execute("INSERT INTO item VALUES ($1)", name)
    assert name == "b"

async def test_committed(committed):
    await core.execute("INSERT INTO item VALUES ('c')")
    raise AssertionError

async def test_committed_again(committed):
    assert await core.fetch_val("SELECT count(*) FROM item") == 0

async def test_rolled_back(db):
    raise AssertionError
"""
INI = "[pytest]\naddopts = -p no:randomly -p no:cacheprovider -p no:asyncio\n"
URL = re.compile(r"::(\w+)\S*: (postgresql://\S+)")


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATA_BRIDGE_TEST_URL", "DATABASE_URL", "DATA_BRIDGE_PG_BIN", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)


def stop(folder: Path) -> None:
    command = [sys.executable, "-m", "data_bridge.testing", "server", "stop", "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("arguments", [["-p", "no:xdist"], ["-n", "2"]])
def test_the_server_runs_on_with_them_alone(pytester: pytest.Pytester, arguments: list[str]) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--db-keep", *arguments)
    folder = pytester.path / ".data-bridge" / "tests"
    try:
        result.assert_outcomes(passed=2, failed=3)
        result.stdout.fnmatch_lines(
            [
                "*data-bridge: kept databases*",
                "when you are done: data-bridge server stop --data .data-bridge/tests, and delete that folder",
            ]
        )
        result.stdout.fnmatch_lines(["*::test_rolled_back: (rolled back: add --db-mode=isolated to keep it)"])
        kept = dict(URL.findall(result.stdout.str()))
        assert kept.keys() == {"test_isolated", "test_committed"}
        for test, expected in (("test_isolated", "a"), ("test_committed", "c")):
            with psycopg.connect(kept[test]) as connection:
                assert connection.execute("SELECT name FROM item").fetchall() == [(expected,)]
                found = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'data\\_bridge%'")
                assert found.fetchone() == (2,)
    finally:
        stop(folder)


def test_nothing_is_left_when_nothing_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("async def test_it(isolated_db): await isolated_db.execute('SELECT 1')")
    pytester.runpytest_subprocess("--db-keep").assert_outcomes(passed=1)
    assert not (pytester.path / ".data-bridge" / "tests").exists()


def test_on_a_named_server(pytester: pytest.Pytester, postgres_dsn: str) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--db-keep", f"--db-url={postgres_dsn}", "-k", "isolated")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["DROP DATABASE … when you are done"])
    ((_, url),) = URL.findall(result.stdout.str())
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT name FROM item").fetchall() == [("a",)]
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"')
