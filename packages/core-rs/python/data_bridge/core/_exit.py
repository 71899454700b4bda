"""The end of the process, and forks of it."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from typing import Any

from data_bridge.core import _native
from data_bridge.core.connection import context

_LIMIT = 0.5
"""Seconds that the exit of the interpreter may be held up by cancelling statements that still run."""

_pools: weakref.WeakSet[Any] = weakref.WeakSet()


def remember(pool: Any) -> None:
    """The statements of this pool are cancelled when the process ends."""
    _pools.add(pool)


def _at_exit() -> None:
    """A server runs a statement to its end even when its client is gone: tell it that the client has gone away."""
    for pool in list(_pools):
        busy = pool.busy()
        if not busy:
            continue
        with contextlib.suppress(Exception):
            bridge = _native.shared_bridge()
            bridge.wait(pool.cancel_shared(busy), _LIMIT)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.after_fork)
    os.register_at_fork(after_in_child=context.forget_transactions)
