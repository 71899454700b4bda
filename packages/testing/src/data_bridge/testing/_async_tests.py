"""Runs coroutine tests and async fixtures that no other plugin claims, so that plain pytest is enough."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["event_loop_runner", "pytest_pyfunc_call", "run_async_fixture"]

RUNNER = "_data_bridge_runner"
PLUGINS = ("asyncio", "anyio", "trio")
"""Other plugins, and the markers of the same names by which they claim a test."""
RUN_HERE = pytest.StashKey[set[str]]()
"""The async fixtures of a test that run in the event loop of this plugin."""


@pytest.fixture(name=RUNNER)
def event_loop_runner() -> Iterator[asyncio.Runner]:
    """The event loop that a test shares with its async fixtures; tasks that still run are cancelled with it."""
    with asyncio.Runner() as runner:
        yield runner


@contextmanager
def run_async_fixture(fixturedef: Any, request: Any) -> Generator[None]:
    """Inside, pytest calls an async fixture as a synchronous one, which runs in the event loop of its test.

    pytest-asyncio and anyio have put a synchronous function in the place of what is theirs.
    """
    function = fixturedef.func
    if not _is_async(function) or _is_claimed(request):
        yield
        return
    if fixturedef.scope != "function":
        pytest.fail(
            f"the async fixture {fixturedef.argname!r} has the scope {fixturedef.scope!r}, and each test has an event loop of"
            " its own\nhint: leave scope= out, or let pytest-asyncio or anyio run tests and fixtures",
            pytrace=False,
        )
    runner: asyncio.Runner = request.getfixturevalue(RUNNER)
    request.node.stash.setdefault(RUN_HERE, set()).add(fixturedef.argname)
    fixturedef.func = _synchronous(_bound(function, request.instance), runner)
    try:
        yield
    finally:
        fixturedef.func = function


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, or each example of one that Hypothesis calls.

    pytest-asyncio and anyio act before this hook and hide what is theirs.
    """
    function = pyfuncitem.obj
    given = getattr(function, "hypothesis", None)
    examples = getattr(given, "inner_test", None)
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(examples)) or _is_claimed(
        pyfuncitem._request
    ):
        return None
    _refuse_other_loops(pyfuncitem)
    runner: asyncio.Runner = pyfuncitem._request.getfixturevalue(RUNNER)
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    if not inspect.iscoroutinefunction(examples):
        runner.run(function(**arguments))
        return True
    assert given is not None
    given.inner_test = _synchronous(examples, runner)
    try:
        function(**arguments)
    finally:
        given.inner_test = examples
    return True


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_claimed(request: Any) -> bool:
    """Whether another plugin runs the test that asks."""
    item = request._pyfuncitem
    return any(item.get_closest_marker(name) and item.config.pluginmanager.hasplugin(name) for name in PLUGINS)


def _bound(function: Callable[..., Any], instance: Any) -> Callable[..., Any]:
    """A fixture that is a method, bound to the instance of its test."""
    owner = getattr(function, "__self__", None)
    if instance is not None and owner is not None and type(owner) is type(instance):
        method: Callable[..., Any] = function.__func__.__get__(instance)  # type: ignore[attr-defined]
        return method
    return function


def _synchronous(function: Callable[..., Any], runner: asyncio.Runner) -> Callable[..., Any]:
    """The function as pytest and Hypothesis call it."""
    if not inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return runner.run(function(*args, **kwargs))

        return run

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
        generator = function(*args, **kwargs)
        yield runner.run(_advanced(generator))
        try:
            runner.run(_advanced(generator))
        except StopAsyncIteration:
            return
        raise ValueError(f"the async fixture {function.__name__!r} has more than one yield")

    return generate


async def _advanced(generator: AsyncIterator[Any]) -> Any:
    return await anext(generator)


def _refuse_other_loops(item: pytest.Function) -> None:
    """Refuse a test whose fixtures another plugin has run: what they made belongs to another event loop."""
    ours = item.stash.get(RUN_HERE, set[str]())
    for name in item.fixturenames:
        defined = item._fixtureinfo.name2fixturedefs.get(name)
        if defined and _is_async(defined[-1].func) and name not in ours:
            pytest.fail(
                f"{item.name} runs in another event loop than its async fixture {name!r}: another plugin runs the fixture, and"
                " not the test\nhint: mark the test with @pytest.mark.asyncio or @pytest.mark.anyio, or set asyncio_mode = auto",
                pytrace=False,
            )
