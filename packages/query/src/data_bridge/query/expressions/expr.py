"""Expressions with their named methods: text, ranges of values, casts, jsonb and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from ..types.sql_types import Boolean, SQLType, Text, Timestamp, Timestamptz
from ..types.typemap import parse_type, type_of
from . import coercion
from .membership import among
from .node import Node, T_co
from .order import Order
from .search import Search

if TYPE_CHECKING:
    from ..statements.compound import Compound
    from ..statements.select import Select

__all__ = ["Expr", "Label"]

V = TypeVar("V")
_Decimals: TypeAlias = "Decimal | int | Node[Decimal] | Node[Decimal | None] | Node[int] | Node[int | None]"


class Expr(Search[T_co]):
    """An SQL expression of Python type T.

    Operators build conditions and arithmetic, ``& | ~`` join conditions, methods name the rest. Values become
    parameters and are checked against the type at once; nothing is ever put into the text.

    >>> from data_bridge.query import table, column
    >>> users = table("users", column("name", str), column("age", int))
    >>> ~users.name.startswith("A") & users.age.between(18, 65)
    <Expr NOT "users"."name" LIKE $1 AND "users"."age" BETWEEN $2 AND $3>
    """

    __slots__ = ()

    def _value(self, value: Any) -> tuple[Any, tuple[Any, ...]]:
        return coercion.compared(value, self.t, self.__owner__)

    def _condition(self, tag: str, value: Any) -> Expr[bool]:
        s, p = self._value(value)
        return Built((tag, self.s, s), self.p + p, Boolean)

    # ------------------------------------------------------------------------------------------------- membership
    @overload
    def in_(
        self: Node[Decimal] | Node[Decimal | None], values: Iterable[Decimal | int] | Select[Any] | Compound
    ) -> Expr[bool]: ...
    @overload
    def in_(self, values: Iterable[T_co | None] | Select[Any] | Compound) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def in_(self, values: Any) -> Expr[bool]:
        """``= ANY($1)``: one parameter whatever the length; no values is FALSE, a None among them means IS NULL.

        A query is a subquery. A str is a TypeError: its characters are never what is meant.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("id", int))
        >>> users.id.in_([1, 2, 3])
        <Expr "users"."id" = ANY($1)>
        """
        return among(self, values, negated=False)

    @overload
    def not_in(
        self: Node[Decimal] | Node[Decimal | None], values: Iterable[Decimal | int] | Select[Any] | Compound
    ) -> Expr[bool]: ...
    @overload
    def not_in(self, values: Iterable[T_co | None] | Select[Any] | Compound) -> Expr[bool]: ...  # pyright: ignore[reportGeneralTypeIssues]
    def not_in(self, values: Any) -> Expr[bool]:
        """``<> ALL($1)``: the opposite of `in_`; no values is TRUE.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("id", int))
        >>> users.id.not_in([1, 2])
        <Expr "users"."id" <> ALL($1)>
        """
        return among(self, values, negated=True)

    @overload
    def between(
        self: Node[Decimal] | Node[Decimal | None], low: _Decimals, high: _Decimals, *, symmetric: bool = False
    ) -> Expr[bool]: ...
    @overload
    def between(
        self,
        low: T_co | Node[T_co] | Node[T_co | None],  # pyright: ignore[reportGeneralTypeIssues]
        high: T_co | Node[T_co] | Node[T_co | None],  # pyright: ignore[reportGeneralTypeIssues]
        *,
        symmetric: bool = False,
    ) -> Expr[bool]: ...
    def between(self, low: Any, high: Any, *, symmetric: bool = False) -> Expr[bool]:
        """``BETWEEN low AND high``, both ends included; `symmetric` lets them come in any order.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> users.age.between(18, 65)
        <Expr "users"."age" BETWEEN $1 AND $2>
        """
        if low is None or high is None:
            raise TypeError("between() with None is never true: use >= or <= for an open end")
        low_s, low_p = self._value(low)
        high_s, high_p = self._value(high)
        s = ("between", self.s, low_s, high_s, "symmetric") if symmetric else ("between", self.s, low_s, high_s)
        return Built(s, self.p + low_p + high_p, Boolean)

    def is_null(self) -> Expr[bool]:
        """``IS NULL``; ``== None`` says the same.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> users.age.is_null()
        <Expr "users"."age" IS NULL>
        """
        return Built(("is", self.s, "null"), self.p, Boolean)

    def is_not_null(self) -> Expr[bool]:
        """``IS NOT NULL``; ``!= None`` says the same.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> users.age.is_not_null()
        <Expr "users"."age" IS NOT NULL>
        """
        return Built(("is", self.s, "not null"), self.p, Boolean)

    def is_distinct_from(self, other: Any) -> Expr[bool]:
        """``IS DISTINCT FROM``: inequality that treats NULL as a value.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> users.age.is_distinct_from(5)
        <Expr "users"."age" IS DISTINCT FROM $1>
        """
        return self._condition("distinct", other)

    def is_not_distinct_from(self, other: Any) -> Expr[bool]:
        """``IS NOT DISTINCT FROM``: equality that treats NULL as a value.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> users.age.is_not_distinct_from(None)
        <Expr "users"."age" IS NOT DISTINCT FROM NULL>
        """
        return self._condition("not distinct", other)

    def is_(
        self, what: Literal["true", "false", "unknown", "not true", "not false", "not unknown", "json", "not json"]
    ) -> Expr[bool]:
        """``IS TRUE`` and the like, whose result is never NULL.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("active", bool))
        >>> users.active.is_("not true")
        <Expr "users"."active" IS NOT TRUE>
        """
        return Built(("is", self.s, what), self.p, Boolean)

    # ----------------------------------------------------------------------------------------------------- in memory
    def matches(self, row: Any) -> bool:
        """Whether WHERE would keep the row (a mapping, or an object with attributes): three-valued logic, NULL is no.

        Raises TypeError for what only the server can decide, such as subqueries or the order of text.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("age", int))
        >>> (users.age > 25).matches({"age": 30}), (users.age != 25).matches({"age": None})
        (True, False)
        """
        return self.evaluate(row) is True

    def evaluate(self, row: Any) -> Any:
        """The value of the expression for a row, None for NULL; see `matches`.

        >>> from data_bridge.query import table, column
        >>> (table("users", column("age", int)).age / 2).evaluate({"age": -7})
        -3
        """
        # For start-up time: most programs evaluate nothing in memory.
        from .in_memory import compiled

        return compiled(self.s, self.p)(row)

    # -------------------------------------------------------------------------------------------- order, name, type
    def asc(self) -> Order:
        """Ascending; `Order.nulls_first` and `Order.nulls_last` say where NULLs go.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", int)).a.asc().nulls_first()
        <Order "t"."a" ASC NULLS FIRST>
        """
        return Order(("asc", self.s), self.p)

    def desc(self) -> Order:
        """Descending; PostgreSQL puts NULLs first then.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", int)).a.desc().nulls_last()
        <Order "t"."a" DESC NULLS LAST>
        """
        return Order(("desc", self.s), self.p)

    def label(self, name: str) -> Label[T_co]:
        """A name for a column of the result.

        >>> from data_bridge.query import table, column, select
        >>> t = table("t", column("a", int))
        >>> select((t.a + 1).label("next")).sql().sql
        'SELECT "t"."a" + $1 AS "next" FROM "t"'
        """
        return Label(self, name)

    @overload
    def cast(self, to: type[V]) -> Expr[V]: ...
    @overload
    def cast(self, to: SQLType | str) -> Expr[Any]: ...
    def cast(self, to: SQLType | type[Any] | str) -> Expr[Any]:
        """``::type``; from jsonb, ``cast(str)`` is the text itself (``->>``) and not its JSON form.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", int)).a.cast(str)
        <Expr "t"."a"::text>
        """
        of = parse_type(to) if isinstance(to, str) else type_of(to)
        family = None if self.t is None else self.t.family
        s: Any = self.s
        if family == "json" and of.family != "json" and type(s) is tuple and s[0] == "->":
            # The text inside, not its JSON form with quotes around it.
            s = ("->>", *s[1:])
            return Built(s, self.p, Text) if of == Text else Built(("cast", s, of.name), self.p, of)
        if family == "json" and of.family not in ("json", "text"):
            s = ("#>>", s, ("$", "text[]"))
            return Built(("cast", s, of.name), (*self.p, []), of)
        return Built(("cast", s, of.name), self.p, of)

    def collate(self, collation: str, schema: str | None = None) -> Expr[T_co]:
        """``COLLATE``: compare and sort by another collation.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", str)).a.collate("C")
        <Expr "t"."a" COLLATE "C">
        """
        return Built(("collate", self.s, collation if schema is None else (schema, collation)), self.p, self.t)

    def at_time_zone(self, zone: str | Node[str]) -> Expr[Any]:
        """``AT TIME ZONE``: between timestamptz and timestamp.

        >>> from data_bridge.query import table, column
        >>> from datetime import datetime
        >>> table("t", column("at", datetime)).at.at_time_zone("Europe/Berlin")
        <Expr "t"."at" AT TIME ZONE $1>
        """
        s, p = coercion.operand(zone, None, self.__owner__)
        other = {Timestamptz.name: Timestamp, Timestamp.name: Timestamptz}
        return Built(("at time zone", self.s, s), self.p + p, None if self.t is None else other.get(self.t.name))


class Label(Expr[T_co]):
    """An expression with a name for the result. As an operand it is the expression itself."""

    __slots__ = ("name",)

    name: str

    def __init__(self, expr: Node[T_co], name: str) -> None:
        super().__init__(expr.s, expr.p, expr.t)
        self.name = name


class Built(Expr[T_co]):
    """What operators and methods give.

    A class of its own beside columns and calls, because Python asks the right operand first when its class derives from
    the left one's: ``lower(a) == b`` would be printed the other way round.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return coercion.shown("Expr", self.s)


coercion.register_built(Built)
