"""Runs coroutine tests that no other plugin claims, so that plain pytest is enough."""

from __future__ import annotations

import asyncio
import inspect

import pytest

__all__ = ["pytest_pyfunc_call"]


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the test in an event loop of its own.

    pytest-asyncio and anyio act before this hook and hide what is theirs.
    """
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner() as runner:
        runner.run(function(**arguments))
    return True
