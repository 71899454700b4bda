"""A server that is named by URL: databases of our own are made on it and gone afterwards; nothing else is touched."""

from __future__ import annotations

import pytest

from data_bridge.testing import EmbeddedServer

TEST = """
    import pytest
    from data_bridge import core

    @pytest.fixture(scope="session")
    def db_template():
        def schema():
            return "CREATE TABLE item (id int PRIMARY KEY)"
        return schema

    @pytest.mark.parametrize("n", range(3))
    async def test_rolled_back(db, n):
        async with core.pg_transaction():
            await core.execute("INSERT INTO item VALUES (1)")

    @pytest.mark.parametrize("n", range(3))
    async def test_committed(committed, n):
        await core.execute("INSERT INTO item VALUES (1)")

    @pytest.mark.parametrize("n", range(3))
    async def test_isolated(isolated_db, n):
        await core.execute("INSERT INTO item VALUES (1)")

    def test_session(postgres_dsn):
        assert "data_bridge_test_session" in postgres_dsn
"""
INI = """
    [pytest]
    addopts = -p no:randomly -p no:cacheprovider
    asyncio_default_fixture_loop_scope = function
    filterwarnings = error
"""


@pytest.mark.parametrize("superuser", [True, False])
@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_only_templates_are_kept(pytester: pytest.Pytester, superuser: bool, arguments: list[str]) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(TEST)
    with EmbeddedServer() as server:
        dsn = server.dsn
        with server.admin() as session:
            session.run("CREATE TABLE precious AS SELECT 1 AS n")
            if not superuser:
                session.run("CREATE ROLE tester LOGIN CREATEDB PASSWORD 'x'")
                dsn = dsn.replace(dsn.split("//")[1].split("@")[0], "tester:x")
        result = pytester.runpytest_subprocess(f"--db-url={dsn}", *arguments)
        result.assert_outcomes(passed=10)
        result.stdout.fnmatch_lines(
            [f"data-bridge: PostgreSQL at 127.0.0.1:{dsn.split(':')[3].split('/')[0]} (from --db-url)"]
        )
        with server.admin() as session:
            names = {str(row[0]) for row in session.run("SELECT datname FROM pg_database")}
            assert session.run("SELECT n FROM precious") == [("1",)]
        ours = {name for name in names if name.startswith("data_bridge_test_")}
        assert all(name.startswith("data_bridge_test_template_") for name in ours), ours
        again = pytester.runpytest_subprocess(f"--db-url={dsn}", "-k", "rolled_back")
        again.assert_outcomes(passed=3, deselected=7)


def test_a_server_that_is_not_there(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("def test_it(db): pass")
    with EmbeddedServer() as gone:
        dsn = gone.dsn
    result = pytester.runpytest_subprocess(f"--db-url={dsn}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ConnectError*"])


def test_another_scheme_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("def test_it(db): pass")
    result = pytester.runpytest_subprocess("--db-url=mysql://here")
    result.stdout.fnmatch_lines(["*--db-url is not a PostgreSQL URL*"])
