"""Sort keys."""

from __future__ import annotations

from typing import Any

from . import coercion

__all__ = ["Order"]


class Order:
    """A key of ORDER BY with a direction; made by ``asc()``, ``desc()`` and unary minus."""

    __slots__ = ("p", "s")

    def __init__(self, s: Any, p: tuple[Any, ...] = ()) -> None:
        self.s = s
        self.p = p

    def nulls_first(self) -> Order:
        """NULLs come before everything else.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", int)).a.asc().nulls_first()
        <Order "t"."a" ASC NULLS FIRST>
        """
        return Order((self.s[0], self.s[1], "first"), self.p)

    def nulls_last(self) -> Order:
        """NULLs come after everything else.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", int)).a.desc().nulls_last()
        <Order "t"."a" DESC NULLS LAST>
        """
        return Order((self.s[0], self.s[1], "last"), self.p)

    def __repr__(self) -> str:
        return coercion.shown_order(self.s)
