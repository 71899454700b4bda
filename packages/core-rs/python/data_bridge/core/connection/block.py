"""Blocks that change what is true in a context, without waiting for anything."""

from __future__ import annotations

from typing import Self

__all__ = ["ContextBlock"]


class ContextBlock:
    """A block for `with`; `async with` does the same."""

    __slots__ = ()

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__(*exc)
