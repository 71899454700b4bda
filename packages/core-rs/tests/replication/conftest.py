"""A primary and two replicas for the tests of this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from data_bridge import core
from data_bridge.core import ReplicatedDatabase
from data_bridge.testing import EmbeddedCluster

HERE = os.path.dirname(__file__)
if HERE not in sys.path:  # the helpers of these tests
    sys.path.append(HERE)
from replication_kit import settled  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Servers of PostgreSQL's own streaming replication."""
    with EmbeddedCluster(replicas=2) as made:
        yield made


@pytest.fixture
async def db(cluster: EmbeddedCluster) -> AsyncIterator[ReplicatedDatabase]:
    """A database of these servers, which is the default one; its replicas are in the rotation."""
    made = ReplicatedDatabase(cluster.dsn, replicas=cluster.replica_dsns, max_connections=4, alias="replicated")
    try:
        await made.connect()
        await settled(made, cluster)
        async with core.use_database(made):
            yield made
    finally:
        await made.close()
