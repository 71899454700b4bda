"""The fixture `db` under other people's plugins, runners and frameworks."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def db_template():
    def schema():
        return "CREATE TABLE item (id int PRIMARY KEY)"
    return schema
"""
INI = """
    [pytest]
    addopts = -p no:randomly -p no:cacheprovider
    asyncio_default_fixture_loop_scope = function
    filterwarnings =
        error
        ignore:.*httpx.*
"""
APPLICATION = """
    import asyncio
    from contextlib import asynccontextmanager
    from fastapi import FastAPI
    from data_bridge import core

    @asynccontextmanager
    async def lifespan(app):
        await core.execute("INSERT INTO item VALUES (100)")
        yield
        await core.get_database().close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/items/{number}")
    async def add(number: int):
        async with core.pg_transaction():
            await core.execute("INSERT INTO item VALUES ($1)", number)
            if number == 13:
                raise KeyError
        return {"count": await core.fetch_val("SELECT count(*) FROM item")}

    @app.get("/sync")
    def count():
        return {"count": asyncio.run(core.fetch_val("SELECT count(*) FROM item"))}
"""


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATA_BRIDGE_TEST_URL", "DATABASE_URL", "DATA_BRIDGE_PG_BIN", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    pytester.makepyfile(
        """
        import asyncio, pytest, pytest_asyncio
        from data_bridge import core

        @pytest_asyncio.fixture
        async def item(db):
            await core.execute("INSERT INTO item VALUES (1)")
            yield 1
            assert await core.execute("DELETE FROM item") == 1

        @pytest.mark.asyncio
        @pytest.mark.parametrize("n", range(3))
        async def test_with_fixture(item, n):
            assert await core.fetch_val("SELECT count(*) FROM item") == 1

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("n", range(3))
        async def test_in_the_loop_of_the_module(db, n):
            async with core.pg_transaction():
                await asyncio.gather(*(core.execute("INSERT INTO item VALUES ($1)", i) for i in range(5)))
            assert await core.fetch_val("SELECT count(*) FROM item") == 5

        @pytest.mark.asyncio
        async def test_committed(committed):
            await core.execute("INSERT INTO item VALUES (1)")

        @pytest.mark.asyncio
        async def test_isolated(isolated_db):
            assert await core.fetch_val("SELECT count(*) FROM item") == 0
        """
    )
    pytester.runpytest_subprocess("-o", f"asyncio_mode={mode}").assert_outcomes(passed=8)


def test_anyio(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import anyio, pytest
        from data_bridge import core

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def item(db, anyio_backend):
            await core.execute("INSERT INTO item VALUES (1)")
            yield 1

        async def test_with_fixture(item):
            async with anyio.create_task_group() as group:
                group.start_soon(core.execute, "INSERT INTO item VALUES (2)")
            assert await core.fetch_val("SELECT count(*) FROM item") == 2

        async def test_again(db):
            assert await core.fetch_val("SELECT count(*) FROM item") == 0
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_unittest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, unittest, pytest
        from data_bridge import core

        @pytest.mark.usefixtures("db")
        class Async(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                await core.execute("INSERT INTO item VALUES (1)")

            async def test_one(self):
                await core.execute("INSERT INTO item VALUES (2)")
                self.assertEqual(await core.fetch_val("SELECT count(*) FROM item"), 2)

            async def test_two(self):
                self.assertEqual(await core.fetch_val("SELECT count(*) FROM item"), 1)

        @pytest.mark.usefixtures("db")
        class Sync(unittest.TestCase):
            def test_one(self):
                asyncio.run(core.execute("INSERT INTO item VALUES (1)"))

            def test_left_open(self):
                async def begins():
                    await core.begin_transaction()
                asyncio.run(begins())
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*is still open at the end of the test*"])


def test_fastapi_and_its_test_clients(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(application=APPLICATION)
    pytester.makepyfile(
        """
        import asyncio, httpx, pytest
        from fastapi.testclient import TestClient
        from data_bridge import core
        from application import app

        @pytest.mark.parametrize("n", [1, 2])
        def test_the_client_with_a_loop_of_its_own(db, n):
            with TestClient(app) as client:
                assert client.post("/items/1").json() == {"count": 2}
                with pytest.raises(KeyError):
                    client.post("/items/13")
                assert client.get("/sync").json() == {"count": 2}
                assert asyncio.run(core.fetch_val("SELECT count(*) FROM item")) == 2

        async def test_the_transport_in_the_same_loop(db):
            await core.execute("INSERT INTO item VALUES (7)")
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.post("/items/1")).json() == {"count": 2}
                assert (await client.get("/sync")).json() == {"count": 2}

        def test_the_client_on_real_commits(committed):
            with TestClient(app) as client:
                assert client.post("/items/1").json() == {"count": 2}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_other_libraries_get_a_dsn(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncpg, psycopg, pytest
        from data_bridge import core

        async def test_asyncpg(isolated_db):
            connection = await asyncpg.connect(isolated_db.dsn)
            await connection.execute("INSERT INTO item VALUES (1)")
            await connection.close()
            assert await core.fetch_val("SELECT count(*) FROM item") == 1

        @pytest.mark.parametrize("n", [1, 2])
        def test_psycopg(committed, n):
            with psycopg.connect(committed.dsn) as connection:
                connection.execute("INSERT INTO item VALUES (1)")

        def test_psycopg_on_the_session_database(postgres_dsn):
            with psycopg.connect(postgres_dsn) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_uvloop(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, uvloop
        from data_bridge import core

        def test_it(db):
            async def work():
                async with core.pg_transaction():
                    await asyncio.gather(*(core.execute("INSERT INTO item VALUES ($1)", i) for i in range(5)))
                return await core.fetch_val("SELECT count(*) FROM item")

            assert uvloop.run(work()) == 5
            assert asyncio.run(core.fetch_val("SELECT count(*) FROM item")) == 5
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_hypothesis(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        from hypothesis import HealthCheck, given, settings, strategies as st
        from data_bridge import core

        @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
        @given(number=st.integers(0, 3))
        def test_it(db, number):
            async def work():
                async with db.example():
                    await core.execute("INSERT INTO item VALUES ($1)", number)
                    assert await core.fetch_val("SELECT count(*) FROM item") == 1
            asyncio.run(work())
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_thousand_tests_one_loop_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from data_bridge import core

        @pytest.mark.parametrize("n", range(1000))
        async def test_it(db, n):
            await core.execute("INSERT INTO item VALUES (1)")
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1000)
