"""The pytest plugin (entry point `pytest11`): options, header, fixtures, and the judgement at the end of each test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import Any

import pytest

from data_bridge.core.connection import context
from data_bridge.testing._async_tests import event_loop_runner, pytest_pyfunc_call, run_async_fixture
from data_bridge.testing._fixtures import (
    FAILED,
    JUDGES,
    STARTS,
    committed,
    databases,
    db,
    db_homes,
    db_template,
    embedded_server,
    isolated_db,
    own_server,
    postgres_dsn,
)
from data_bridge.testing._kept_databases import KeptDatabases, note, release, show
from data_bridge.testing._marker import DESCRIPTION
from data_bridge.testing._opened_databases import OpenedDatabases
from data_bridge.testing._options import add_options, read_options
from data_bridge.testing.data import numbering
from data_bridge.testing.databases.run_server import give_up, hand_to_worker
from data_bridge.testing.databases.source import describe

__all__ = [
    "committed",
    "databases",
    "db",
    "db_homes",
    "db_template",
    "embedded_server",
    "event_loop_runner",
    "isolated_db",
    "own_server",
    "postgres_dsn",
    "pytest_pyfunc_call",
]

REAL_MARKER = "db_real: init() of this test opens a real database, although the test has no database fixture"
CLAIMED = pytest.StashKey[list[Any]]()
"""The databases that the running test and the living fixtures have opened by init()."""
OURS = frozenset({"db", "committed", "isolated_db", "own_server", "embedded_server", "postgres_dsn"})
REFUSED = (
    "this test opens a database without asking for one: init() would connect to the configured server"
    "\nhint: add the fixture `db`, `committed` or `isolated_db`, which then answers init(); or mark the test with"
    " @pytest.mark.db_real"
)
BLOCKER = (
    "this test uses the database without asking for one"
    "\nhint: add the fixture `db` (rolled back), `committed` or `isolated_db` to the test, or let the code call init()"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and close the default database to tests that did not ask for one."""
    config.addinivalue_line("markers", DESCRIPTION)
    config.addinivalue_line("markers", REAL_MARKER)
    context.keep_real(*read_options(config).real_aliases)
    context.block(BLOCKER)
    config.pluginmanager.register(KeptDatabases(config))
    config.add_cleanup(lambda: context.unblock(BLOCKER))
    config.add_cleanup(lambda: release(config, give_up))


def pytest_report_header(config: pytest.Config) -> str:
    """Say which PostgreSQL the tests will meet."""
    return f"data-bridge: {describe(read_options(config))}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: one server for all workers."""
    hand_to_worker(node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the run which databases of failed tests are kept."""
    report = yield
    note(item, report)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the databases that `--db-keep` keeps."""
    show(config, terminalreporter)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Number the rows of factories from 1; refuse init() in a test that asks for no database and is not marked `db_real`."""
    numbering.begin_test()
    asks = OURS.intersection(getattr(item, "fixturenames", ())) or item.get_closest_marker("db_real")
    if asks:
        return (yield)
    context.refuse_init(REFUSED)
    try:
        return (yield)
    finally:
        context.allow_init(REFUSED)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Ask the fixtures what the test left behind: a failure of the test, not an error of its teardown."""
    item.stash[FAILED] = False  # it may have failed before, and run again
    no_actions: list[Callable[[], None]] = []
    opened = OpenedDatabases(item.config.stash.setdefault(CLAIMED, []))
    for call_begins in item.stash.get(STARTS, no_actions):
        call_begins()
    try:
        result = yield
    except BaseException:
        item.stash[FAILED] = True
        if problems := _problems(item, opened):
            item.add_report_section("call", "data-bridge", "\n".join(problems))
        raise
    if problems := _problems(item, opened):
        item.stash[FAILED] = True
        pytest.fail("\n".join(problems), pytrace=False)
    return result


def _problems(item: pytest.Item, opened: OpenedDatabases) -> list[str]:
    judges = item.stash[JUDGES] if JUDGES in item.stash else []  # noqa: SIM401 - get() loses the type
    opened.claim()
    return [problem for judge in judges for problem in judge()] + opened.close_forgotten("the test")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
    """Run async fixtures that no other plugin claims, and remember what a fixture opens by init()."""
    opened = OpenedDatabases(request.config.stash.setdefault(CLAIMED, []))

    def check() -> None:
        if problems := opened.close_forgotten(f"the fixture {fixturedef.argname!r}"):
            pytest.fail("\n".join(problems), pytrace=False)

    fixturedef.addfinalizer(check)  # before the fixture adds its own: it runs behind them
    shared = numbering.shared_rows() if fixturedef.scope != "function" else nullcontext()
    try:
        with run_async_fixture(fixturedef, request), shared:
            return (yield)
    finally:
        opened.claim()
