"""The report at the end of a test: each thing that is left is told with the test, the line that took it and the remedy."""

from __future__ import annotations

import re

import pytest

INI = """
    [pytest]
    addopts = -p no:randomly -p no:cacheprovider
    asyncio_default_fixture_loop_scope = function
    filterwarnings = error
"""
CONFTEST = """
    import pytest

    @pytest.fixture(scope="session")
    def db_template():
        return lambda: "CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)"
"""
HEAD = """\
import asyncio
import pytest
from data_bridge import core

ROWS = "SELECT generate_series(1, 5000) AS n"
"""
# What a test leaves, and what has to be said about it; LINE stands for the file and the marked line.
LEAKS = {
    "a transaction": (
        "kept.append(await core.begin_transaction())  # here",
        "the transaction opened at LINE by task",
        "hint: commit it or roll it back",
    ),
    "a stream that is kept": (
        "rows = core.stream(ROWS, batch=10)\nkept.append(rows)\nasync for _ in rows:  # here\n    break",
        "the stream opened at LINE by task",
        "hint: read it to its end, or use it as a block: `async with db.stream(…) as rows:`",
    ),
    "a stream that is thrown away": (
        "async for _ in core.stream(ROWS, batch=10):  # here\n    break",
        "the stream opened at LINE by task",
        "hint: read it to its end, or use it as a block",
    ),
    "a copy": (
        "chunks = core.copy_out(ROWS)\nkept.append(chunks)\nasync for _ in chunks:  # here\n    break",
        "the COPY opened at LINE by task",
        "hint: read it to its end, or use it as a block: `async with db.copy_out(…) as chunks:`",
    ),
    "a listener": (
        "block = core.listen('jobs')\nkept.append(block)\nawait block.__aenter__()  # here",
        "the listener to jobs opened at LINE by task",
        "hint: use a block: `async with db.listen(…) as notifications:`",
    ),
    "a lock": (
        "await core.fetch('SELECT pg_advisory_lock(3, -4)')  # here",
        "1 session advisory lock(s) were still held at the end of the test: (3, -4) (asked for at LINE)",
        "hint: pg_advisory_unlock() in a `finally`",
    ),
    "a task": (
        "await core.fetch('SELECT 1')\n"
        "async def work():\n    await core.fetch('SELECT 1')\n    await asyncio.Event().wait()  # here\n"
        "kept.append(asyncio.create_task(work(), name='the forgotten one'))\nawait asyncio.sleep(0.1)",
        "'the forgotten one' still runs (at LINE) at the end of the test and has used the database",
        "hint: await it, or cancel it and await it",
    ),
}


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATA_BRIDGE_TEST_URL", "DATABASE_URL", "DATA_BRIDGE_PG_BIN", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the suite; what the interpreter itself says about things that are left is not the point here."""
    return pytester.runpytest_subprocess("-p", "no:unraisableexception", "-W", "ignore::ResourceWarning", *arguments)


def reports(text: str) -> dict[str, str]:
    """What was said, by name of the test."""
    parts = re.split(r"^_{3,} (test_\w+) _{3,}$", text.partition("short test summary")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("fixture", ["db", "isolated_db", "committed"])
def test_each_leak_is_told_with_its_line_and_its_remedy(pytester: pytest.Pytester, fixture: str) -> None:
    source = HEAD + "kept = []\n"
    expected: dict[str, tuple[str, str]] = {}
    # The pool of a real database takes session locks back with the connection.
    leaks = {what: leak for what, leak in LEAKS.items() if fixture == "db" or what != "a lock"}
    for what, (body, said, remedy) in leaks.items():
        name = "test_" + what.replace(" ", "_")
        # A loop of its own that is not closed, as plugins have them: closing it would cancel what is left.
        indented = "\n".join("        " + line for line in body.splitlines())
        source += (
            f"\ndef {name}({fixture}):\n    async def main():\n{indented}\n"
            "    loop = asyncio.new_event_loop()\n    kept.append(loop)\n    loop.run_until_complete(main())\n"
        )
        number = next(
            number
            for number, line in enumerate(source.splitlines(), 1)
            if number > len(source.splitlines()) - len(indented.splitlines()) - 4 and line.endswith("# here")
        )
        expected[name] = (said.replace("LINE", f"test_leaks.py:{number}"), remedy)
    source += f"\nasync def test_the_next_one({fixture}):\n    assert await core.fetch_val('SELECT 1') == 1\n"
    pytester.makepyfile(test_leaks=source)
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=len(leaks))
    told = reports(result.stdout.str())
    for name, parts in expected.items():
        for part in parts:
            assert part in told[name], (name, part, told[name])
        assert told[name].count("hint:") == 1, (name, told[name])


def test_what_other_libraries_leave(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncpg

        async def test_idle(isolated_db):
            global one
            one = await asyncpg.connect(isolated_db.dsn, server_settings={"application_name": "theirs"})
            await one.execute("BEGIN; INSERT INTO item (name) VALUES ('a')")

        async def test_listening(committed):
            global two
            two = await asyncpg.connect(committed.dsn)
            await two.execute("LISTEN jobs")

        async def test_locked(isolated_db):
            global three
            three = await asyncpg.connect(isolated_db.dsn)
            await three.execute("SELECT pg_advisory_lock(-5)")

        async def test_open_only(isolated_db):
            global four
            four = await asyncpg.connect(isolated_db.dsn)
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=3)
    told = reports(result.stdout.str())
    assert re.search(r"a session \(process \d+, theirs\) is idle in a transaction after: BEGIN", told["test_idle"])
    assert "hint: commit, roll back or close it in the test" in told["test_idle"]
    assert "still listens after: LISTEN jobs\nhint: UNLISTEN" in told["test_listening"].replace("E   ", "")
    assert "1 session advisory lock(s) were still held at the end of the test: -5" in told["test_locked"]


@pytest.mark.parametrize("fixture", ["db", "isolated_db", "committed"])
def test_what_fixtures_hold_is_no_leak_of_the_test(pytester: pytest.Pytester, fixture: str) -> None:
    """An application that lives in a fixture has its tasks, listeners and transactions until the fixture ends."""
    pytester.makepyfile(
        HEAD
        + f"""
class Application:
    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def run(self, work):
        return self.loop.run_until_complete(work)

    async def start(self):
        self.block = core.listen("jobs")
        await self.block.__aenter__()
        self.task = asyncio.create_task(self.work())
        await asyncio.sleep(0.05)
        self.transaction = await core.begin_transaction()
        await self.transaction.execute("INSERT INTO item (name) VALUES ('of the fixture')")

    async def work(self):
        await core.fetch("SELECT 1")
        await asyncio.Event().wait()

    async def stop(self):
        await self.transaction.rollback()
        await self.block.__aexit__(None, None, None)
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
def application({fixture}):
    application = Application()
    application.run(application.start())
    yield application
    application.run(application.stop())
    application.loop.close()


@pytest.mark.parametrize("n", [1, 2])
def test_it(application, n):
    assert application.run(application.transaction.fetch_val("SELECT count(*) FROM item")) == 1
"""
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_begin_that_fails_is_no_leak(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
async def test_it(isolated_db):
    with pytest.raises(core.DataBridgeError):
        async with core.pg_transaction(timeout=0.0):
            pass
    async def begins():
        await core.begin_transaction()
    task = asyncio.create_task(begins())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert await core.fetch_val("SELECT 1") == 1
"""
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize("fixture", ["db", "isolated_db", "committed"])
def test_what_fixtures_forget_is_told_at_their_end(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makepyfile(
        HEAD
        + f"""
@pytest.fixture
def order({fixture}):
    loop = asyncio.new_event_loop()
    async def begins(): return await core.begin_transaction()  # line 10
    kept = loop.run_until_complete(begins())
    yield loop
    loop.close()


def test_it(order):
    pass


async def test_the_next_one({fixture}):
    assert await core.fetch_val("SELECT count(*) FROM item") == 0
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    text = result.stdout.str()
    assert "ERROR at teardown of test_it" in text
    assert re.search(
        r"the transaction opened at \S+:\d+ by .* (is still open at the end of its fixture|was thrown away)", text
    )
