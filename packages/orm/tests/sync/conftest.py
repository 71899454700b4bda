"""A database that blocking code has opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from orm_blocking import Blocking, BlockingChild

from data_bridge.postgres import create_all, drop_all
from data_bridge.postgres.sync import close, init, run


@pytest.fixture
def opened(postgres_dsn: str) -> Iterator[str]:
    init(postgres_dsn, max_connections=4)
    run(drop_all(BlockingChild, Blocking))
    run(create_all(Blocking, BlockingChild))
    yield postgres_dsn
    run(drop_all(BlockingChild, Blocking))
    close()
