"""Tasks of every event loop of the process: the running one, those that exist, and where one waits."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from data_bridge.testing._call_sites import place

__all__ = ["current_task", "existing_tasks", "runs_tests", "waits_at"]

REGISTERS = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")
"""Where asyncio notes tasks: the first before Python 3.12, the others in 3.12 and 3.13."""


def current_task() -> asyncio.Task[Any] | None:
    """The running task; None outside one."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def existing_tasks() -> list[asyncio.Task[Any]]:
    """Every task that has not ended, of all loops and threads; all_tasks() knows those of one loop only."""
    registers = [register for name in REGISTERS if (register := getattr(asyncio.tasks, name, None)) is not None]
    if not hasattr(asyncio.tasks, "_all_tasks") and len(registers) < 2:
        # From Python 3.14 on a task is noted in its thread, where only asyncio finds it.
        return [task for task in gc.get_objects() if isinstance(task, asyncio.Task) and not task.done()]
    return [task for register in registers for task in _copy(register) if not task.done()]


def _copy(register: Any) -> list[asyncio.Task[Any]]:
    """The content of a weak set to which other threads may add meanwhile."""
    while True:
        try:
            return list(register)
        except RuntimeError:
            continue


def waits_at(task: asyncio.Task[Any]) -> str:
    """The line at which a task waits, for messages; empty where it is unknown."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return f" (at {place((frame.f_code.co_filename, frame.f_lineno))})" if frame is not None else ""


def runs_tests(task: asyncio.Task[Any]) -> bool:
    """Whether it is the task in which another plugin runs fixtures and tests, one after another."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    module = frame.f_globals.get("__name__", "") if frame else ""
    return str(module).startswith(("anyio.", "pytest_asyncio"))
