"""The pytest plugin (entry point `pytest11`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .coroutines import pytest_pyfunc_call
from .database import create_database, drop_database, fresh_name
from .embedded import EmbeddedServer

__all__ = ["embedded_server", "postgres_dsn", "pytest_pyfunc_call"]


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """The PostgreSQL server of this test session (data_bridge.testing)."""
    with EmbeddedServer(settings={"deadlock_timeout": "200ms"}) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_dsn(embedded_server: EmbeddedServer) -> Iterator[str]:
    """URL of a fresh, empty database that lives as long as the test session."""
    name = fresh_name("session")
    yield create_database(embedded_server, name)
    drop_database(embedded_server, name)
