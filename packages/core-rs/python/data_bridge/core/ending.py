"""What has to be done whatever becomes of the task that does it."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["to_the_end"]


async def to_the_end(op: Any) -> Any:
    """Awaits an operation that must not stay half done: a cancellation is raised after its end."""
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            result = await op
        except asyncio.CancelledError as e:
            if op.done():
                raise
            cancelled = e
        else:
            break
    if cancelled is not None:
        raise cancelled
    return result
