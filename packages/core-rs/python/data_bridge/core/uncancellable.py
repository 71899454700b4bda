"""What has to be done whatever becomes of the task that does it."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["to_the_end"]


async def to_the_end(op: Any) -> Any:
    """Awaits an operation that must not stay half done.

    Raises:
        asyncio.CancelledError: the task was cancelled meanwhile, and the operation has been done.
        Exception: that of the operation, also when the task was cancelled: what failed must not go unheard.
    """
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            result = await op
            break
        except asyncio.CancelledError as e:
            cancelled = e
            op.hurry()
        if op.done():
            result = op.result()
            break
    if cancelled is not None:
        raise cancelled
    return result
