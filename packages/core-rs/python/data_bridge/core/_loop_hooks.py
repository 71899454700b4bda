"""What a reactor leaves in an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

_PATIENCE = 1.0
"""Seconds that a closing loop waits for statements which were cancelled by its end."""


async def _until_settled(bridge: Any) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        # The loop still runs (asyncio.run closes its generators before itself): cancels leave, answers come.
        end = time.monotonic() + _PATIENCE
        while bridge.dying() and time.monotonic() < end:  # noqa: ASYNC110 - it changes in other threads
            await asyncio.sleep(0.001)


def hook(bridge: Any) -> object:
    """Registers with the running loop's asynchronous generators, which are closed before the loop is."""
    generator = _until_settled(bridge)
    with suppress(StopIteration):
        generator.asend(None).send(None)
    return generator


def resolve(future: asyncio.Future[None]) -> None:
    """Wakes the task that waits for `future`, from the loop of that task."""
    if not future.done():
        future.set_result(None)
