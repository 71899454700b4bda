"""An application that opens and closes its database gets the test's."""

from __future__ import annotations

import pytest

HEAD = """
import asyncio, contextlib, pytest
from data_bridge import core

WRONG = "postgresql://nobody:secret@127.0.0.1:1/nowhere"

@contextlib.asynccontextmanager
async def lifespan(app=None):
    db = await core.init(WRONG, max_connections=3)
    await core.init(WRONG, alias="reports")
    yield db
    await db.close()
    await core.close()
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:randomly", *arguments)


@pytest.mark.parametrize("fixture", ["db", "committed", "isolated_db"])
def test_every_fixture_answers_init_and_outlives_close(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makepyfile(
        HEAD
        + f"""
@pytest.mark.parametrize("time", [1, 2])
async def test_it({fixture}, time):
    async with lifespan() as app:
        assert app is {fixture}
        await core.execute("CREATE TABLE seen (a int)")
        await core.execute("INSERT INTO seen VALUES (1)", using="reports")
        assert core.is_connected() and core.is_connected("reports")
    assert not core.is_connected("reports")
    assert await core.fetch_val("SELECT count(*) FROM seen") == 1
    await core.execute("DROP TABLE seen")
"""
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_web_application(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
from fastapi import FastAPI
from fastapi.testclient import TestClient

@contextlib.asynccontextmanager
async def of_the_application(app):
    async with lifespan():
        yield

app = FastAPI(lifespan=of_the_application)

@app.post("/items")
async def add():
    await core.execute("INSERT INTO item VALUES (1)")
    return {}

@pytest.mark.parametrize("time", [1, 2])
def test_it(db, time):
    async def table(): await db.execute("CREATE TABLE item (a int)")
    asyncio.run(table())
    with TestClient(app) as client:
        assert client.post("/items").status_code == 200
    async def count(): return await db.fetch_val("SELECT count(*) FROM item")
    assert asyncio.run(count()) == 1
"""
    )
    run(pytester).assert_outcomes(passed=2)


def test_without_a_fixture_init_is_refused_unless_marked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
async def test_refused():
    with pytest.raises(core.NotInitialized, match="db_real"):
        await core.init(WRONG)

@pytest.mark.db_real
async def test_marked():
    with pytest.raises(core.ConnectError):
        await core.init(WRONG, connect_timeout=1)

async def test_a_server_of_its_own():
    await core.init("embedded:")
    assert await core.fetch_val("SELECT 1") == 1
    await core.close()
"""
    )
    run(pytester).assert_outcomes(passed=3)


def test_a_real_alias(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
async def test_it(db):
    assert await core.init(WRONG) is db
    with pytest.raises(core.ConnectError):
        await core.init(WRONG, alias="legacy", connect_timeout=1)
"""
    )
    run(pytester, "--db-real-alias=legacy, other").assert_outcomes(passed=1)


FORGETS = {
    "test": """
@pytest.mark.db_real
async def test_forgets(postgres_dsn):
    await core.init(postgres_dsn)
    await core.execute("SELECT 1")
""",
    "function": """
@pytest.fixture
async def app():
    await core.init("embedded:")
    yield

@pytest.mark.db_real
async def test_forgets(app):
    await core.execute("SELECT 1")
""",
    "failing": """
@pytest.fixture
async def app():
    await core.init("embedded:")
    raise KeyError

@pytest.mark.db_real
async def test_forgets(app): ...
""",
    "module": """
@pytest.fixture(scope="module")
def app():
    asyncio.run(core.init("embedded:"))

@pytest.mark.db_real
async def test_uses(app):
    await core.execute("SELECT 1")

@pytest.mark.db_real
async def test_uses_again(app):
    await core.execute("SELECT 1")
""",
}
LATER = """
import pytest
from data_bridge import core

async def test_the_blocker():
    with pytest.raises(core.NotInitialized, match="without asking for one"):
        await core.fetch("SELECT 1")
"""


@pytest.mark.parametrize("who", FORGETS)
def test_a_forgotten_init_is_reported_and_closed(pytester: pytest.Pytester, who: str) -> None:
    pytester.makepyfile(test_a=HEAD + FORGETS[who], test_b=LATER)
    result = run(pytester)
    if who == "test":
        result.assert_outcomes(passed=1, failed=1)
        end = "the test"
    else:
        result.assert_outcomes(passed={"function": 2, "failing": 1, "module": 3}[who], errors=1 + (who == "failing"))
        end = "the fixture 'app'"
    result.stdout.fnmatch_lines(
        [f"*the database 'default', which init() has opened, is still open at the end of {end}*"]
    )


def test_a_fixture_that_closes_what_it_opened_is_not_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.fixture(scope="session")
def reports():
    asyncio.run(core.init("embedded:", alias="reports"))
    yield
    asyncio.run(core.close("reports"))

@pytest.fixture
def outer(reports):
    assert core.is_connected("reports")

@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.db_real
async def test_it(outer, time):
    assert await core.fetch_val("SELECT 1", using="reports") == 1
"""
    )
    run(pytester).assert_outcomes(passed=2)


@pytest.mark.parametrize("fixture", ["db", "committed", "isolated_db"])
def test_the_database_is_connected_in_fixtures_and_tests(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makepyfile(
        HEAD
        + f"""
@pytest.fixture
async def item({fixture}):
    assert core.is_connected() and core.get_database() is {fixture}
    yield
    assert core.is_connected()

async def test_it(item):
    assert core.is_connected()

def test_outside():
    assert not core.is_connected()
"""
    )
    run(pytester).assert_outcomes(passed=2)
