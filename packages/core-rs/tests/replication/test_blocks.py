"""The blocks of levels, sessions and settings end as they began, in whatever order and context they are left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import copy_context
from typing import Any

import pytest

from data_bridge.core import adopt_context, consistency, read_your_writes, tenant
from data_bridge.core.connection.context import local_settings
from data_bridge.core.replication.consistency import chosen_level, current_session

KINDS: list[tuple[Callable[[], Any], Callable[[], Any], Callable[[], object]]] = [
    (lambda: consistency("primary"), lambda: consistency("eventual"), chosen_level),
    (read_your_writes, read_your_writes, current_session),
    (lambda: tenant("a"), lambda: tenant("b"), local_settings),
]


@pytest.mark.parametrize(("first", "second", "seen"), KINDS)
async def test_a_generator_that_is_closed_too_late(first: Any, second: Any, seen: Any) -> None:
    async def rows() -> AsyncIterator[int]:
        async with first():
            yield 1

    opened = rows()
    await anext(opened)
    async with second():
        inside = seen()
        await opened.aclose()  # type: ignore[attr-defined]
        assert seen() is inside
    assert seen() is not inside


@pytest.mark.parametrize(("first", "second", "seen"), KINDS)
def test_nested_and_with_an_error(first: Any, second: Any, seen: Any) -> None:
    before = seen()
    with first():
        outer = seen()
        with pytest.raises(ValueError, match="x"), second():
            assert seen() is not outer
            raise ValueError("x")
        assert seen() is outer
    assert seen() is before


@pytest.mark.parametrize(("first", "second", "seen"), KINDS)
def test_another_context_that_goes_on(first: Any, second: Any, seen: Any) -> None:
    """As where a blocking caller enters an async block."""

    def enter() -> object:
        block = second()
        block.__enter__()
        return seen()

    def play() -> None:
        other = copy_context()
        inside = other.run(enter)
        assert seen() is not inside
        adopt_context(other)
        assert seen() is inside

    copy_context().run(play)


async def test_one_session_in_several_tasks_and_inside_itself() -> None:
    shared, around = read_your_writes(), read_your_writes()

    async def work(own: Any) -> None:
        async with own, shared:
            await asyncio.sleep(0)
            async with shared:
                await asyncio.sleep(0)
            assert current_session() is shared
        assert current_session() not in (shared, own)

    before = current_session()
    with around:
        await asyncio.gather(*(work(read_your_writes()) for _ in range(5)))
        assert current_session() is around
        with shared, shared:
            pass
        assert current_session() is around
    assert current_session() is before
