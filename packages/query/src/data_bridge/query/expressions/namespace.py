"""``func``: any function of the server by its name, the common ones typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, overload

from .column import ColumnProxy
from .expr import Built, Expr
from .functions import Call, call
from .node import Node

__all__ = ["FunctionNamespace", "excluded", "func", "new", "old"]

V = TypeVar("V")


class FunctionNamespace:
    """``func.name(…)`` calls any function; the common ones are typed.

    Arguments are expressions or values, keywords are named arguments. Any name goes, also ``func("schema.name", …)``.

    >>> from data_bridge.query import table, column, func
    >>> users = table("users", column("name", str))
    >>> func.lower(users.name) == "x"
    <Expr lower("users"."name") = $1>
    """

    __slots__ = ()

    def __call__(self, name: str, *args: Any, **named: Any) -> Call[Any]:
        """A function by name, with its schema if it has a dot in it: ``func("app.total", 1)``."""
        schema, dot, bare = name.partition(".")
        return call((schema, bare) if dot else name, args, named)

    def __getattr__(self, name: str) -> Callable[..., Call[Any]]:
        if name.startswith("__"):
            raise AttributeError(name)

        def function(*args: Any, **named: Any) -> Call[Any]:
            return call(name, args, named)

        function.__name__ = name
        return function

    def count(self, e: Node[Any] | None = None, /) -> Call[int]:
        """How many rows; with an argument how many times it is not NULL.

        >>> from data_bridge.query import func
        >>> func.count()
        <Call count(*)>
        """
        return call("count", () if e is None else (e,), {})

    @overload
    def sum(self, e: Node[int] | Node[int | None], /) -> Call[int | None]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def sum(self, e: Node[Decimal] | Node[Decimal | None], /) -> Call[Decimal | None]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def sum(self, e: Node[float] | Node[float | None], /) -> Call[float | None]: ...
    @overload
    def sum(self, e: Node[Any], /) -> Call[Any]: ...
    def sum(self, e: Node[Any], /) -> Call[Any]:
        """The sum, NULL of no rows. Of bigint the server makes it numeric, so that it cannot overflow.

        >>> from data_bridge.query import column, func, table, types
        >>> func.sum(table("t", column("n", types.Integer)).n)
        <Call sum("t"."n")>
        """
        return call("sum", (e,), {})

    @overload
    def avg(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
        self, e: Node[int] | Node[int | None] | Node[Decimal] | Node[Decimal | None], /
    ) -> Call[Decimal | None]: ...
    @overload
    def avg(self, e: Node[float] | Node[float | None], /) -> Call[float | None]: ...
    @overload
    def avg(self, e: Node[Any], /) -> Call[Any]: ...
    def avg(self, e: Node[Any], /) -> Call[Any]:
        """The mean: a Decimal of integers and Decimals.

        >>> from data_bridge.query import column, func, table
        >>> func.avg(table("t", column("n", int)).n)
        <Call avg("t"."n")>
        """
        return call("avg", (e,), {})

    def max(self, e: Node[V], /) -> Call[V | None]:
        """The greatest value, NULL of no rows.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.max(t.name)
        <Call max("t"."name")>
        """
        return call("max", (e,), {})

    def min(self, e: Node[V], /) -> Call[V | None]:
        """The smallest value, NULL of no rows.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.min(t.name)
        <Call min("t"."name")>
        """
        return call("min", (e,), {})

    def now(self) -> Call[datetime]:
        """The start of the transaction.

        >>> from data_bridge.query import func
        >>> func.now()
        <Call now()>
        """
        return call("now", (), {})

    def current_timestamp(self) -> Call[datetime]:
        """The start of the transaction.

        >>> from data_bridge.query import func
        >>> func.current_timestamp()
        <Call CURRENT_TIMESTAMP>
        """
        return call("current_timestamp", (), {})

    def current_date(self) -> Call[date]:
        """The day, in the session's time zone.

        >>> from data_bridge.query import func
        >>> func.current_date()
        <Call CURRENT_DATE>
        """
        return call("current_date", (), {})

    def lower(self, e: Node[str] | Node[str | None] | str, /) -> Call[str]:
        """Lower case.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.lower(t.name)
        <Call lower("t"."name")>
        """
        return call("lower", (e,), {})

    def upper(self, e: Node[str] | Node[str | None] | str, /) -> Call[str]:
        """Upper case.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.upper(t.name)
        <Call upper("t"."name")>
        """
        return call("upper", (e,), {})

    def length(self, e: Node[Any], /) -> Call[int]:
        """How many characters (of text) or bytes (of bytea).

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.length(t.name)
        <Call length("t"."name")>
        """
        return call("length", (e,), {})

    def row_number(self) -> Call[int]:
        """The number of the row in its window, from 1.

        >>> from data_bridge.query import func
        >>> func.row_number()
        <Call row_number()>
        """
        return call("row_number", (), {})

    def rank(self, *args: Any) -> Call[int]:
        """The rank in the window, with gaps; with arguments the rank they would have ``.within_group(…)``.

        >>> from data_bridge.query import func
        >>> func.rank()
        <Call rank()>
        """
        return call("rank", args, {})

    def dense_rank(self, *args: Any) -> Call[int]:
        """The rank in the window, without gaps; with arguments the rank they would have ``.within_group(…)``.

        >>> from data_bridge.query import func
        >>> func.dense_rank()
        <Call dense_rank()>
        """
        return call("dense_rank", args, {})

    def array_agg(self, e: Node[V], /) -> Call[list[V]]:
        """All values as an array.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.array_agg(t.name)
        <Call array_agg("t"."name")>
        """
        return call("array_agg", (e,), {})

    def string_agg(self, e: Node[str] | Node[str | None], separator: str, /) -> Call[str | None]:
        """All texts joined.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", str))
        >>> func.string_agg(t.name, ", ")
        <Call string_agg("t"."name", $1)>
        """
        return call("string_agg", (e, separator), {})

    def bool_and(self, e: Node[bool] | Node[bool | None], /) -> Call[bool | None]:
        """Whether all are true.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", bool))
        >>> func.bool_and(t.name)
        <Call bool_and("t"."name")>
        """
        return call("bool_and", (e,), {})

    def bool_or(self, e: Node[bool] | Node[bool | None], /) -> Call[bool | None]:
        """Whether one is true.

        >>> from data_bridge.query import column, func, table
        >>> t = table("t", column("name", bool))
        >>> func.bool_or(t.name)
        <Call bool_or("t"."name")>
        """
        return call("bool_or", (e,), {})

    @overload
    def coalesce(self, a: Node[V | None], b: V | Node[V], /) -> Call[V]: ...
    @overload
    def coalesce(self, a: Any, /, *others: Any) -> Call[Any]: ...
    def coalesce(self, a: Any, /, *others: Any) -> Call[Any]:
        """The first value that is not NULL.

        >>> from data_bridge.query import column, func, table
        >>> func.coalesce(table("t", column("name", str)).name, "nobody")
        <Call coalesce("t"."name", $1::text)>
        """
        return call("coalesce", (a, *others), {})


func = FunctionNamespace()
"""Every function of the server: ``func.count()``, ``func.lower(users.name)``, ``func.anything(…)``."""


def excluded(column: ColumnProxy[V]) -> Expr[V]:
    """The value an INSERT proposed for a column, in ON CONFLICT DO UPDATE.

    >>> from data_bridge.query import excluded, table, column
    >>> excluded(table("t", column("a", int)).a)
    <Expr "excluded"."a">
    """
    return Built(("col", "excluded", column.__column__.name), (), column.t)


def old(column: ColumnProxy[V]) -> Expr[V]:
    """The value before the change, in RETURNING (PostgreSQL 18).

    >>> from data_bridge.query import old, table, column
    >>> old(table("t", column("a", int)).a)
    <Expr "old"."a">
    """
    return Built(("col", "old", column.__column__.name), (), column.t)


def new(column: ColumnProxy[V]) -> Expr[V]:
    """The value after the change, in RETURNING (PostgreSQL 18).

    >>> from data_bridge.query import new, table, column
    >>> new(table("t", column("a", int)).a)
    <Expr "new"."a">
    """
    return Built(("col", "new", column.__column__.name), (), column.t)
