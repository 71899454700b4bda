"""A server that is named by URL: databases of our own are made on it and gone afterwards; nothing else is touched."""

from __future__ import annotations

import pytest

from data_bridge.testing import EmbeddedServer

from ..conftest import eventually

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


def templates(server: EmbeddedServer) -> set[str]:
    with server.admin() as session:
        names = {str(row[0]) for row in session.run("SELECT datname FROM pg_database")}
    return {name for name in names if name.startswith("data_bridge_test_template_")}


WAYS = {
    "function": "from schema import build; return build",
    "script": "from pathlib import Path; return lambda: Path('schema.sql').read_text()",
    "models": "from schema import Item; return [Item]",
    "one migration": "from schema import Create; return [Create]",
    "folder of Python": "return 'steps'",
    "folder of SQL": "return 'texts'",
}


def write(pytester: pytest.Pytester, columns: str, fields: str) -> None:
    pytester.makepyfile(
        schema=f"""
        from data_bridge.postgres import Column, Migration, Table, create_all

        class Item(Table):
            id: int = Column(primary_key=True)
            {fields}

        async def build():
            await create_all(Item)

        class Create(Migration):
            version = "1"
            async def up(self):
                import other
                await self.execute(other.SQL)
        """,
        other=f"SQL = 'CREATE TABLE item ({columns})'",
    )
    (pytester.path / "schema.sql").write_text(f"CREATE TABLE item ({columns})")
    steps, texts = pytester.path / "steps", pytester.path / "texts"
    steps.mkdir(exist_ok=True)
    texts.mkdir(exist_ok=True)
    (texts / "1_all.sql").write_text(f"CREATE TABLE item ({columns});")
    (steps / "1_all.py").write_text(
        "from data_bridge.migrate import Migration\nimport other\n\nclass All(Migration):\n    version = '1'\n"
        "    async def up(self):\n        await self.execute(other.SQL)\n"
    )


@pytest.mark.parametrize(("way", "arguments"), [*((way, []) for way in WAYS), ("function", ["-n", "2"])])
def test_a_template_is_never_that_of_an_older_schema(pytester: pytest.Pytester, way: str, arguments: list[str]) -> None:
    pytester.makeini(INI + "    pythonpath = .\n")
    pytester.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def db_template():
            {WAYS[way]}
    """)
    pytester.makepyfile(
        test_it="""
        from pathlib import Path

        import pytest
        from data_bridge.core import fetch_val

        @pytest.mark.parametrize("fixture", ["db", "committed", "isolated_db"])
        async def test_it(request, fixture):
            request.getfixturevalue(fixture)
            names = await fetch_val("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attnum > 0")
            assert names == Path("expected").read_text()
        """
    )
    with EmbeddedServer() as server:
        for columns, fields, expected in (
            ("id bigint", "pass", "id"),
            ("id bigint, name text", "name: str = ''", "id,name"),
            ("id bigint, title text", "title: str = ''", "id,title"),
        ):
            write(pytester, columns, fields)
            (pytester.path / "expected").write_text(expected)
            pytester.runpytest_subprocess(f"--db-url={server.dsn}", *arguments).assert_outcomes(passed=3)
            assert len(templates(server)) <= 1, "old templates are dropped"
        if way == "folder of SQL":
            assert len(templates(server)) == 1, "what its key covers is kept for the next run"


def test_a_template_of_a_killed_run_is_dropped_and_one_in_use_is_not(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(
        """
        import os, signal
        import pytest

        @pytest.fixture(scope="session")
        def db_template():
            def schema():
                return "CREATE TABLE item (id int PRIMARY KEY)"
            return schema

        def test_it(db):
            if "KILL" in os.environ:
                os.kill(os.getpid(), signal.SIGKILL)
            if "INNER" not in os.environ:
                import subprocess, sys
                inner = {**os.environ, "INNER": "1"}
                subprocess.run([sys.executable, "-m", "pytest", *os.environ["ARGUMENTS"].split()], env=inner, check=True)

        def test_after(isolated_db):
            pass
        """
    )
    with EmbeddedServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGUMENTS", f"--db-url={server.dsn} -p no:cacheprovider {pytester.path}")
        patch.setenv("KILL", "1")
        pytester.runpytest_subprocess(f"--db-url={server.dsn}")
        assert len(templates(server)) == 1
        patch.delenv("KILL")
        pytester.runpytest_subprocess(f"--db-url={server.dsn}").assert_outcomes(passed=2)
        assert templates(server) == set()


KILLED = """
    import os, signal
    from data_bridge import core

    async def test_it(isolated_db, databases):
        await core.execute("CREATE TABLE t (i int)")
        os.kill(os.getpid(), signal.SIGKILL)
"""
LIVES = """
    import subprocess, sys

    async def test_outer(isolated_db):
        arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_inner.py", "--db-url={url}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        await isolated_db.expire()
        assert await isolated_db.fetch_val("SELECT 1") == 1
"""


def ours(server: EmbeddedServer) -> set[str]:
    with server.admin() as session:
        names = {str(row[0]) for row in session.run("SELECT datname FROM pg_database")}
    return {name for name in names if name.startswith("data_bridge_test_") and "_template_" not in name}


def test_databases_of_a_killed_run_are_dropped_and_those_of_a_living_one_are_not(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    inner = "async def test_it(isolated_db): await isolated_db.execute('SELECT 1')"
    with EmbeddedServer() as server:
        pytester.makepyfile(test_killed=KILLED, test_inner=inner, test_outer=LIVES.format(url=server.dsn))
        pytester.runpytest_subprocess(f"--db-url={server.dsn}", "test_killed.py")
        assert eventually(lambda: not in_use(server))
        assert ours(server)
        result = pytester.runpytest_subprocess(f"--db-url={server.dsn}", "test_outer.py")
        result.assert_outcomes(passed=1)
        assert ours(server) == set()


def in_use(server: EmbeddedServer) -> bool:
    with server.admin() as session:
        return session.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") != []


def test_a_run_with_another_database_of_the_server_is_left_alone(pytester: pytest.Pytester) -> None:
    """Its locks are not seen."""
    pytester.makeini(INI)
    inner = "async def test_it(isolated_db): await isolated_db.execute('SELECT 1')"
    with EmbeddedServer() as server:
        with server.admin() as session:
            session.run("CREATE DATABASE other")
        pytester.makepyfile(test_inner=inner, test_outer=LIVES.format(url=server.dsn_of("other")))
        pytester.runpytest_subprocess(f"--db-url={server.dsn}", "test_outer.py").assert_outcomes(passed=1)


def test_two_roles_have_templates_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(TEST)
    (pytester.path / "migrations").mkdir()
    (pytester.path / "migrations" / "0001_item.sql").write_text(
        "-- up\nCREATE TABLE item (id int);\n-- down\nDROP TABLE item;\n"
    )
    pytester.makeconftest("import pytest\n@pytest.fixture(scope='session')\ndef db_template(): return 'migrations'\n")
    pytester.makepyfile("async def test_it(db): await db.execute('INSERT INTO item VALUES (1)')")
    with EmbeddedServer() as server:
        for role in ("first", "second"):
            with server.admin() as session:
                session.run(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'x'")
            dsn = server.dsn.replace(server.dsn.split("//")[1].split("@")[0], f"{role}:x")
            pytester.runpytest_subprocess(f"--db-url={dsn}").assert_outcomes(passed=1)


def test_a_role_that_may_not_create_databases_hears_what_helps(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile("def test_it(db): pass")
    with EmbeddedServer() as server:
        with server.admin() as session:
            session.run("CREATE ROLE weak LOGIN PASSWORD 'x'")
        dsn = server.dsn.replace(server.dsn.split("//")[1].split("@")[0], "weak:x")
        result = pytester.runpytest_subprocess(f"--db-url={dsn}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the role of the URL may not create databases*", "*hint: ALTER ROLE … CREATEDB*"])
