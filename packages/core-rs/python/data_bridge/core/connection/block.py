"""Blocks that change what is true in a context, without waiting for anything."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Self

__all__ = ["ContextBlock"]


class ContextBlock(AbstractContextManager[Any]):
    """A block for `with`; `async with` does the same."""

    async def __aenter__(self) -> Self:
        entered: Self = self.__enter__()
        return entered

    async def __aexit__(self, *exc: Any) -> None:
        self.__exit__(*exc)
