"""The pytest plugin (entry point `pytest11`): options, the header, the server of the run, and the fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .coroutines import pytest_pyfunc_call
from .database import Databases
from .embedded import EmbeddedServer
from .hurt import TestServer
from .options import add_options, read_options
from .source import EmbeddedSource, Source, attach, describe, open_source

__all__ = ["databases", "embedded_server", "own_server", "postgres_dsn", "pytest_pyfunc_call"]

SOURCE = pytest.StashKey[Source]()
WORKER_INPUT = "data_bridge_source"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    add_options(parser)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which PostgreSQL the tests will meet."""
    return f"data-bridge: {describe(read_options(config))}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: the controlling process keeps one server for all workers and tells them where it is."""
    config: pytest.Config = node.config
    if SOURCE not in config.stash:
        workers = len(node.config.getoption("tx") or [None])
        config.stash[SOURCE] = open_source(read_options(config), workers=workers)
    node.workerinput[WORKER_INPUT] = config.stash[SOURCE].facts()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give up the server of the run."""
    source = config.stash.get(SOURCE, None)
    if source is not None:
        del config.stash[SOURCE]
        source.close()


def source_of(config: pytest.Config) -> Source:
    """The server of this run; started when it is first needed."""
    if SOURCE not in config.stash:
        handed: dict[str, Any] | None = getattr(config, "workerinput", {}).get(WORKER_INPUT)
        config.stash[SOURCE] = attach(handed) if handed else open_source(read_options(config))
    return config.stash[SOURCE]


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
    with EmbeddedServer(provider=options.provider) as server:
        hurt = TestServer(server)
        yield hurt
        hurt.resume()
