"""Coroutine tests and async fixtures under plain pytest, and beside other plugins."""

from __future__ import annotations

import pytest

PLAIN = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:randomly", "-p", "no:cacheprovider")
HEAD = """
import asyncio, contextlib, pytest
from data_bridge import core
"""


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def db_template():
            return lambda: "CREATE TABLE item (id int PRIMARY KEY)"
        """
    )


def run(pytester: pytest.Pytester, code: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + code)
    return pytester.runpytest_subprocess(*(arguments or PLAIN))


FIXTURES = """
SEEN = []

@pytest.fixture
async def loop_of_the_fixture(db):
    await core.execute("INSERT INTO item VALUES (1)")
    return asyncio.get_running_loop()

@pytest.fixture
async def item(db, loop_of_the_fixture):
    assert asyncio.get_running_loop() is loop_of_the_fixture
    await core.execute("INSERT INTO item VALUES (2)")
    yield 2
    assert await core.execute("DELETE FROM item") >= 2
    SEEN.append("torn down")

@pytest.mark.parametrize("n", [1, 2])
async def test_it(item, loop_of_the_fixture, n):
    assert asyncio.get_running_loop() is loop_of_the_fixture
    await core.execute("INSERT INTO item VALUES (3)")
    assert SEEN == ["torn down"] * (n - 1)

class TestMethods:
    @pytest.fixture
    async def mine(self, db):
        self.value = 7
        yield 7

    async def test_it(self, mine):
        assert self.value == mine == 7

def test_synchronous(item):
    assert item == 2

@pytest.fixture
async def failing():
    yield 1
    raise KeyError("the teardown")

async def test_the_teardown(failing): ...
"""


def test_async_fixtures_share_the_loop_of_their_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, FIXTURES)
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*KeyError: 'the teardown'*"])


def test_markers_of_plugins_that_are_not_there_claim_nothing(pytester: pytest.Pytester) -> None:
    code = """
@pytest.mark.asyncio
async def test_asyncio(db):
    await core.execute("INSERT INTO item VALUES (1)")

@pytest.mark.anyio
async def test_anyio(db):
    await core.execute("INSERT INTO item VALUES (1)")
"""
    run(pytester, code, *PLAIN, "-W", "ignore::pytest.PytestUnknownMarkWarning").assert_outcomes(passed=2)


def test_a_wider_scope_is_refused_with_the_remedy(pytester: pytest.Pytester) -> None:
    code = """
@pytest.fixture(scope="module")
async def wide():
    yield 1

async def test_it(wide): ...
"""
    result = run(pytester, code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the async fixture 'wide' has the scope 'module'*", "hint: leave scope= out*"])


def test_hypothesis_calls_coroutine_tests(pytester: pytest.Pytester) -> None:
    code = """
from hypothesis import HealthCheck, given, settings, strategies as st

SEEN = []

@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, database=None)
@given(number=st.integers(0, 3))
async def test_it(db, number):
    SEEN.append(number)
    async with db.example():
        await core.execute("INSERT INTO item VALUES ($1)", number)
        assert await core.fetch_val("SELECT count(*) FROM item") == 1

def test_examples_ran():
    assert SEEN

@settings(max_examples=10, database=None, deadline=None)
@given(number=st.integers(0, 3))
async def test_fails(number):
    assert number < 2, "found"
"""
    result = run(pytester, code)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: found*", "*number=2*"])


@pytest.mark.parametrize("fixture", ["db", "isolated_db"])
def test_a_task_that_still_runs_is_reported(pytester: pytest.Pytester, fixture: str) -> None:
    code = f"""
async def work():
    await core.fetch("SELECT 1")
    await asyncio.Event().wait()

async def test_it({fixture}):
    asyncio.create_task(work(), name="the forgotten task")
    await asyncio.sleep(0.05)
"""
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'the forgotten task' still runs (at *:6)*"])


APPLICATION = """
@contextlib.asynccontextmanager
async def application():
    wakes = asyncio.Event()

    async def work():
        await wakes.wait()
        while True:
            await core.fetch("SELECT 1")
            await asyncio.sleep(0.01)

    worker = asyncio.create_task(work(), name="worker")
    yield wakes
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker
"""
OWN_TASK = {
    "plain": (
        """
@pytest.fixture
async def app(db):
    async with application() as wakes:
        yield wakes

async def test_it(app):
    app.set()
    await asyncio.sleep(0.05)
""",
        PLAIN,
    ),
    "pytest-asyncio": (
        """
import pytest_asyncio

@pytest_asyncio.fixture
async def app(db):
    async with application() as wakes:
        yield wakes

@pytest.mark.asyncio
async def test_it(app):
    app.set()
    await asyncio.sleep(0.05)
""",
        ("-p", "no:randomly"),
    ),
    "anyio": (
        """
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def app(db, anyio_backend):
    async with application() as wakes:
        yield wakes

async def test_it(app):
    app.set()
    await asyncio.sleep(0.05)
""",
        ("-p", "no:asyncio", "-p", "no:randomly"),
    ),
    "a thread": (
        """
import threading

@pytest.fixture
def app(db):
    ready, ends = threading.Event(), threading.Event()

    async def serve():
        global wakes, loop
        async with application() as wakes:
            loop = asyncio.get_running_loop()
            ready.set()
            await asyncio.to_thread(ends.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    yield
    ends.set()
    thread.join()

async def test_it(app):
    loop.call_soon_threadsafe(wakes.set)
    await asyncio.sleep(0.05)
""",
        PLAIN,
    ),
}


@pytest.mark.parametrize("plugin", OWN_TASK)
def test_the_task_of_an_application_belongs_to_its_fixture(pytester: pytest.Pytester, plugin: str) -> None:
    """It meets the database first while the test runs; what counts is that it existed before."""
    code, arguments = OWN_TASK[plugin]
    run(pytester, APPLICATION + code, *arguments).assert_outcomes(passed=1)


def test_a_test_does_not_run_in_another_loop_than_its_fixtures(pytester: pytest.Pytester) -> None:
    code = """
import pytest_asyncio

@pytest_asyncio.fixture
async def item():
    return 1

async def test_unmarked(item): ...

@pytest.mark.asyncio
async def test_marked(item): ...
"""
    result = run(pytester, code, "-p", "no:randomly", "-o", "asyncio_mode=strict")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_unmarked runs in another event loop than its async fixture 'item'*", "hint: mark the test*"]
    )
