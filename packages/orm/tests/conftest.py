"""What the tests of the ORM share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from data_bridge.testing import assert_queries

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # the helpers of these tests, whose names begin with the package's
    sys.path.append(HERE)

Sent = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def sent() -> Sent:
    """`with sent(r"^UPDATE …"):` just these statements are sent inside, in this order; without patterns none."""

    @contextmanager
    def expect(*patterns: str) -> Iterator[None]:
        with assert_queries(len(patterns)) as log:
            yield
        for pattern, entry in zip(patterns, log, strict=True):
            assert re.search(pattern, entry.sql), f"{pattern!r} is not in {entry.sql!r}"

    return expect
