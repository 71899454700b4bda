"""The fixtures. All are synchronous and need no event loop, no other plugin and no set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from data_bridge.core import enter_test_scope, leave_test_scope
from data_bridge.testing._kept_databases import ROLLED_BACK, keep
from data_bridge.testing._marker import Wanted, wanted_by
from data_bridge.testing._options import read_options
from data_bridge.testing._worker_databases import WorkerDatabases
from data_bridge.testing.databases.committed import TestDatabase
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.databases.run_server import source_of
from data_bridge.testing.databases.source import EmbeddedSource
from data_bridge.testing.databases.template import Content
from data_bridge.testing.databases.template_builder import imported_models
from data_bridge.testing.faults.test_server import TestServer
from data_bridge.testing.server import EmbeddedServer

__all__ = [
    "FAILED",
    "JUDGES",
    "STARTS",
    "committed",
    "databases",
    "db",
    "db_homes",
    "db_template",
    "embedded_server",
    "isolated_db",
    "own_server",
    "postgres_dsn",
]

FAILED = pytest.StashKey[bool]()
"""Whether the test function has failed."""
STARTS = pytest.StashKey[list[Callable[[], None]]]()
"""Whom to tell that the fixtures are ready and the test function begins."""
JUDGES = pytest.StashKey[list[Callable[[], list[str]]]]()
"""What to ask when the test function has ended, before its fixtures are torn down."""
IN_USE = pytest.StashKey[str]()
"""The fixture from which the test has its database."""


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Makes, clones and drops databases on the server of the run (data_bridge.testing)."""
    worker: str = getattr(request.config, "workerinput", {}).get("workerid", "main")
    made = Databases(source_of(request.config), worker)
    yield made
    made.close()


@pytest.fixture(scope="session")
def embedded_server(request: pytest.FixtureRequest) -> EmbeddedServer:
    """The embedded server of this run; fails when the run uses a server that was named by URL (data_bridge.testing)."""
    source = source_of(request.config)
    if not isinstance(source, EmbeddedSource):
        raise pytest.UsageError(
            "this run uses a server that was named by URL; `embedded_server` needs the embedded one"
        )
    return source.server


@pytest.fixture(scope="session")
def postgres_dsn(databases: Databases) -> Iterator[str]:
    """URL of an empty database that lives as long as the test session, for any library (data_bridge.testing)."""
    name = databases.create("session")
    yield databases.source.dsn_of(name)
    databases.drop(name)


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    """A server of the test's own that may be stopped, killed and stalled; about 0.15 s (data_bridge.testing)."""
    options = read_options(request.config)
    # What was committed must survive the crash of a process, as in production; there is still no wait for a disk.
    with EmbeddedServer(provider=options.provider, settings={"synchronous_commit": "on"}) as server:
        hurt = TestServer(server)
        yield hurt
        hurt.resume()


@pytest.fixture(scope="session")
def db_template() -> Content:
    """Override it in conftest.py: return what the test databases are made from (data_bridge.testing).

    A folder of migrations, a list of migrations, a list of models, or a function (async or not) that builds the schema
    and the rows every test starts with. Default: the models that are imported.
    """
    return imported_models()


@pytest.fixture(scope="session")
def db_homes(databases: Databases) -> Iterator[WorkerDatabases]:
    """The databases behind `db`, `committed` and `isolated_db` (data_bridge.testing)."""
    homes = WorkerDatabases(databases)
    yield homes
    homes.close()


def _content(request: pytest.FixtureRequest, wanted: Wanted) -> Content:
    """The template of this test: the marker names a session fixture; "empty" is always there."""
    if wanted.template == "empty":
        return None
    return request.getfixturevalue(wanted.template or "db_template")


def _refuse_trio(request: pytest.FixtureRequest) -> None:
    """Say what is wrong where another event loop than asyncio's would only say that none runs."""
    node = request.node
    backend = getattr(getattr(node, "callspec", None), "params", {}).get("anyio_backend")
    if backend is None and "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
    name: Any = backend[0] if isinstance(backend, tuple) else backend  # pyright: ignore[reportUnknownVariableType]
    if name == "trio" or node.get_closest_marker("trio"):
        raise pytest.UsageError(
            f"{node.nodeid} runs on trio; data-bridge runs on asyncio only"
            "\nhint: override the fixture anyio_backend: return 'asyncio'"
        )


def _judge_by(request: pytest.FixtureRequest, call_begins: Callable[[], None], judge: Callable[[], list[str]]) -> None:
    """Have the test judged as long as the fixture lives: a plugin that runs a failed test again keeps its item."""
    _refuse_trio(request)
    name: str = request.fixturename or ""
    other = request.node.stash.get(IN_USE, None)
    if other is not None:
        raise pytest.UsageError(
            f"{request.node.nodeid} uses the fixtures `{other}` and `{name}`, which are two databases: code under test finds "
            "only one of them\nhint: use one fixture, or `isolated_db` with further databases by Database(dsn)"
        )
    starts = request.node.stash.setdefault(STARTS, [])
    judges = request.node.stash.setdefault(JUDGES, [])
    starts.append(call_begins)
    judges.append(judge)
    request.node.stash[IN_USE] = name

    def forget() -> None:
        starts.remove(call_begins)
        judges.remove(judge)
        del request.node.stash[IN_USE]

    request.addfinalizer(forget)


def _given_to(
    request: pytest.FixtureRequest, database: Any, judge: Callable[[], list[str]], put_away: Callable[[bool], None]
) -> Iterator[Any]:
    """Make a database that of the test.

    Args:
        request: of the fixture.
        database: the Sandbox or TestDatabase.
        judge: says what the test has left, at the end of its function.
        put_away: makes the database ready for the next test, or drops it; told whether anything was left.
    """
    leaks: list[str] = []

    def found() -> list[str]:
        leaks.extend(judge())
        return leaks

    _judge_by(request, database.watch.call_begins, found)
    enter_test_scope(database)
    left: list[str] = []
    try:
        yield database
    finally:
        leave_test_scope(database)
        left = database.watch.left_by_fixtures()
        put_away(bool(leaks or left))
    if left:
        # What fixtures leave can only be told when they are torn down: an error of the teardown.
        pytest.fail("\n".join(left), pytrace=False)


@pytest.fixture
def db(request: pytest.FixtureRequest, db_homes: WorkerDatabases) -> Iterator[Any]:
    """The database of this test: every statement runs on it and is rolled back afterwards (data_bridge.testing).

    Code under test may begin, commit and roll back; see the page on rollback mode for what it cannot see.
    """
    wanted = wanted_by(request.node)
    content = _content(request, wanted)
    if read_options(request.config).mode == "isolated":
        # A clone is new, so that its sequences are, and its clock is live.
        yield from _dropped(request, db_homes, db_homes.isolated_sandbox(content, wanted.isolation))
        return
    home = db_homes.sandbox_home(content)
    if wanted.reset_sequences:
        db_homes.reset_sandbox_sequences(content)
    sandbox = home.open(wanted.isolation)
    if wanted.clock:
        sandbox.unfreeze()

    def put_away(_: bool) -> None:
        if _is_kept(request):
            keep(request.node, ROLLED_BACK)
        home.abandon(sandbox)
        home.roll_back(sandbox)
        sandbox.end(request.node.nodeid)
        if sandbox.escaped:
            db_homes.replace_sandbox(content)

    yield from _given_to(request, sandbox, lambda: home.judge(sandbox), put_away)


@pytest.fixture
def committed(request: pytest.FixtureRequest, db_homes: WorkerDatabases) -> Iterator[TestDatabase]:
    """A database with real commits and a real pool; its rows are deleted afterwards (data_bridge.testing)."""
    wanted = wanted_by(request.node)
    content = _content(request, wanted)
    database = db_homes.committed(content)
    database.renew_watch()
    if wanted.reset_sequences:
        db_homes.reset_sequences_of(database.name)

    def put_away(dirty: bool) -> None:
        if _is_kept(request):
            keep(request.node, db_homes.keep_committed(content, database))
        else:
            db_homes.reset_committed(content, database, dirty=dirty)

    yield from _given_to(request, database, database.judge, put_away)


@pytest.fixture
def isolated_db(request: pytest.FixtureRequest, db_homes: WorkerDatabases) -> Iterator[TestDatabase]:
    """A database of the test's own, cloned from the template, dropped afterwards (data_bridge.testing)."""
    yield from _dropped(request, db_homes, db_homes.isolated(_content(request, wanted_by(request.node))))


def _is_kept(request: pytest.FixtureRequest) -> bool:
    """Whether the database of this test is left for its author to look at."""
    return read_options(request.config).keep and request.node.stash.get(FAILED, False)


def _dropped(request: pytest.FixtureRequest, homes: WorkerDatabases, database: TestDatabase) -> Iterator[TestDatabase]:
    """A database that ends with its test."""

    def put_away(_: bool) -> None:
        database.shut()
        if _is_kept(request):
            keep(request.node, homes.databases.keep(database.name))
        else:
            homes.databases.drop_later(database.name)

    yield from _given_to(request, database, database.judge, put_away)
