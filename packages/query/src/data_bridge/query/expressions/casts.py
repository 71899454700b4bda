"""Expressions that are grammar and not functions: CASE, casts, literals, EXISTS, ANY, rows and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeVar, overload

from ..types import sql_types as t
from ..types.sql_types import Boolean, SQLType
from ..types.typemap import parse_type, type_of
from . import coercion
from .expr import Built, Expr
from .node import Node

__all__ = [
    "all_",
    "and_",
    "any_",
    "array",
    "case",
    "cast",
    "exists",
    "extract",
    "literal",
    "not_",
    "null",
    "or_",
    "row",
    "variadic",
]

V = TypeVar("V")


def _target(to: SQLType | type[Any] | str) -> SQLType:
    return parse_type(to) if isinstance(to, str) else type_of(to)


@overload
def cast(value: Any, to: type[V]) -> Expr[V]: ...
@overload
def cast(value: Any, to: SQLType | str) -> Expr[Any]: ...
def cast(value: Any, to: SQLType | type[Any] | str) -> Expr[Any]:
    """``value::type``, for expressions and values; see `Expr.cast`.

    >>> from data_bridge.query import cast, types
    >>> cast("2024-01-01", types.Date)
    <Expr $1::date>
    """
    of = _target(to)
    if isinstance(value, Expr):
        return value.cast(of)
    if value is None:
        return Built(("cast", coercion.NULL, of.name), (), of)
    return Built(("$", of.name), (of.bind(value, "cast()"),), of)


def literal(value: Any, type: SQLType | type[Any] | str | None = None) -> Expr[Any]:  # noqa: A002
    """A value as an expression: a typed parameter, so that it can stand where nothing else tells its type.

    >>> from data_bridge.query import literal
    >>> literal("x"), literal(5), literal(None)
    (<Expr $1::text>, <Expr $1::integer>, <Expr NULL>)
    """
    if type is not None:
        return cast(value, type)
    s, p, of = coercion.argument(value, text=True)
    return Built(s, p, of)


def null() -> Expr[None]:
    """NULL.

    >>> from data_bridge.query import null
    >>> null()
    <Expr NULL>
    """
    return Built(coercion.NULL)


def _joined(word: Literal["and", "or"], conditions: tuple[Any, ...]) -> Expr[bool]:
    if not conditions:
        return Built(("true",) if word == "and" else ("false",), (), Boolean)
    first = conditions[0]
    if not isinstance(first, Node):
        raise TypeError(f"{word}_() joins conditions, got {type(first).__name__}")
    result: Expr[bool] = Expr(first.s, first.p, Boolean)
    for condition in conditions[1:]:
        result = coercion.joined(word, result, condition)
    return result


def and_(*conditions: Node[bool]) -> Expr[bool]:
    """All of them; ``and_()`` of nothing is TRUE.

    >>> from data_bridge.query import and_, table, column
    >>> t = table("t", column("a", int))
    >>> and_(t.a > 1, t.a < 5)
    <Expr "t"."a" > $1 AND "t"."a" < $2>
    """
    return _joined("and", conditions)


def or_(*conditions: Node[bool]) -> Expr[bool]:
    """At least one of them; ``or_()`` of nothing is FALSE.

    >>> from data_bridge.query import or_
    >>> or_()
    <Expr FALSE>
    """
    return _joined("or", conditions)


def not_(condition: Node[bool]) -> Expr[bool]:
    """The opposite; NULL stays NULL.

    >>> from data_bridge.query import not_, table, column
    >>> not_(table("t", column("a", int)).a > 1)
    <Expr NOT "t"."a" > $1>
    """
    if not isinstance(condition, Node):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"not_() takes a condition, got {type(condition).__name__}")
    return ~condition


def exists(query: Any) -> Expr[bool]:
    """EXISTS (query); columns of outer tables in the query make it correlated.

    >>> from data_bridge.query import exists, select, table, column
    >>> users, orders = table("users", column("id", int)), table("orders", column("user_id", int))
    >>> exists(select(orders.user_id).where(orders.user_id == users.id))
    <Expr EXISTS (SELECT "orders"."user_id" FROM "orders" WHERE "orders"."user_id" = "users"."id")>
    """
    s, p = _operand(query, "exists")
    return Built(("exists", s[1]), p, Boolean)


def _operand(query: Any, what: str) -> tuple[Any, tuple[Any, ...]]:
    as_operand = getattr(query, "__operand__", None)
    if as_operand is None or isinstance(query, type):
        raise TypeError(f"{what}() takes a query, got {type(query).__name__}")
    made: tuple[Any, tuple[Any, ...]] = as_operand()
    return made


def _quantified(word: str, of: Any) -> Expr[Any]:
    if isinstance(of, Node):
        return Quantified((word, of.s), of.p, None if of.t is None else of.t.of)
    if hasattr(of, "__operand__") and not isinstance(of, type):
        s, p = of.__operand__()
        return Quantified((word, s), p)
    if isinstance(of, str | bytes) or not isinstance(of, Iterable):
        raise TypeError(f"{word}_() takes an array or a query, got {type(of).__name__}")
    values: Iterable[Any] = of  # pyright: ignore[reportUnknownVariableType]
    return Quantified((word, "$"), (list(values),))


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Quantified(Expr[Any]):
    """ANY or ALL. The grammar has it on the right of a comparison only, so it goes there wherever it was written."""

    __slots__ = ()

    def _compare(self, tag: str, other: Any) -> Expr[bool]:
        if other is None:
            raise TypeError(f"{tag} with None is never true")
        s, p = coercion.compared(other, self.t, None)
        return Built((_TURNED.get(tag, tag), s, self.s), p + self.p, Boolean)

    def __eq__(self, other: object) -> Expr[bool]:  # type: ignore[override]
        return self._compare("=", other)

    def __ne__(self, other: object) -> Expr[bool]:  # type: ignore[override]
        return self._compare("<>", other)

    __hash__ = object.__hash__


def any_(query_or_array: Any) -> Expr[Any]:
    """``= ANY(…)``: true when the comparison holds for one element of an array or row of a query.

    >>> from data_bridge.query import any_, table, column
    >>> t = table("t", column("a", int))
    >>> t.a > any_([1, 2])
    <Expr "t"."a" > ANY($1)>
    """
    return _quantified("any", query_or_array)


def all_(query_or_array: Any) -> Expr[Any]:
    """``= ALL(…)``: true when the comparison holds for every element.

    >>> from data_bridge.query import all_, table, column
    >>> t = table("t", column("a", int))
    >>> t.a > all_([1, 2])
    <Expr "t"."a" > ALL($1)>
    """
    return _quantified("all", query_or_array)


def case(*whens: tuple[Any, Any], else_: Any = None, value: Node[Any] | None = None) -> Expr[Any]:
    """CASE WHEN … THEN … END. The branches have one type: that of the first one with a type.

    With `value` the branches begin with what it may equal: ``case((1, "one"), (2, "two"), value=t.a)``.

    >>> from data_bridge.query import case, table, column
    >>> t = table("t", column("a", int))
    >>> case((t.a > 10, "big"), (t.a > 5, "middle"), else_="small")
    <Expr CASE WHEN "t"."a" > $1 THEN $2::text WHEN "t"."a" > $3 THEN $4::text ELSE $5::text END>
    """
    if not whens:
        raise TypeError("case() takes at least one (condition, value)")
    kinds: list[SQLType | None] = []
    operand = None if value is None else value.s
    params: tuple[Any, ...] = () if value is None else value.p
    parts: list[Any] = []
    for when in whens:
        if not isinstance(when, tuple) or len(when) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("case() takes pairs of a condition and a value")
        if value is None and not isinstance(when[0], Node):
            raise TypeError("case() takes pairs of a condition and a value; say value=… for pairs of two values")
        head_s, head_p = coercion.operand(
            when[0], None if value is None else value.t, None if value is None else value.__owner__
        )
        s, p, found = coercion.argument(when[1], text=True)
        kinds.append(found)
        parts.append((head_s, s))
        params += head_p + p
    if else_ is None:
        return Built(("case", operand, tuple(parts)), params, coercion.common(kinds))
    s, p, found = coercion.argument(else_, text=True)
    return Built(("case", operand, tuple(parts), s), params + p, coercion.common([*kinds, found]))


def extract(field: str, source: Any) -> Expr[Any]:
    """EXTRACT(field FROM source): a numeric.

    >>> from data_bridge.query import extract, table, column
    >>> from datetime import datetime
    >>> extract("year", table("t", column("at", datetime)).at)
    <Expr EXTRACT(year FROM "t"."at")>
    """
    s, p, _ = coercion.argument(source)
    return Built(("extract", field, s), p, t.Numeric())


def row(*values: Any) -> Expr[Any]:
    """A row value, compared column by column: ``row(a, b) < row(x, y)``.

    >>> from data_bridge.query import row, table, column
    >>> t = table("t", column("a", int), column("b", int))
    >>> row(t.a, t.b) > (1, 2)
    <Expr ("t"."a", "t"."b") > ($1, $2)>
    """
    return Row(values)


class Row(Expr[Any]):
    """A row; tuples beside it become rows whose values are checked against its columns."""

    __slots__ = ("_of",)

    def __init__(self, values: tuple[Any, ...]) -> None:
        parts = [coercion.argument(value, text=True) for value in values]
        super().__init__(("row", *(s for s, _, _ in parts)), tuple(v for _, p, _ in parts for v in p))
        self._of = [(of, getattr(value, "__owner__", None)) for (_, _, of), value in zip(parts, values, strict=True)]

    def _compare(self, tag: str, other: Any) -> Expr[bool]:
        return super()._compare(tag, self._row(other))

    def __eq__(self, other: object) -> Expr[bool]:  # type: ignore[override]
        return self._compare("=", other)

    def __ne__(self, other: object) -> Expr[bool]:  # type: ignore[override]
        return self._compare("<>", other)

    __hash__ = object.__hash__

    def in_(self, values: Any) -> Expr[bool]:
        """``IN (…)`` over rows, or a query with as many columns.

        >>> from data_bridge.query import row, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> row(t.a, t.b).in_([(1, 2), (3, 4)])
        <Expr ("t"."a", "t"."b") IN (($1, $2), ($3, $4))>
        """
        return super().in_(values if hasattr(values, "__operand__") else [self._row(value) for value in values])

    def not_in(self, values: Any) -> Expr[bool]:
        """The opposite of `in_`.

        >>> from data_bridge.query import row, table, column
        >>> t = table("t", column("a", int), column("b", int))
        >>> row(t.a, t.b).not_in([])
        <Expr TRUE>
        """
        return super().not_in(values if hasattr(values, "__operand__") else [self._row(value) for value in values])

    def overlaps(self, other: Any) -> Expr[bool]:
        """``OVERLAPS``: two periods, each of a start and an end or a length, have something in common.

        >>> from data_bridge.query import row, table, column, types
        >>> t = table("t", column("first", types.Date), column("last", types.Date))
        >>> row(t.first, t.last).overlaps(("2024-01-01", "2024-02-01"))
        <Expr ("t"."first", "t"."last") OVERLAPS ($1::date, $2::date)>
        """
        if isinstance(other, tuple | list):
            # Typed, because the server would take dates for moments.
            bound = [
                value if of is None or coercion.is_node(value) else of.bind(value, owner)
                for value, (of, owner) in zip(self._of_same_length(other), self._of, strict=True)
            ]
            other = Row(tuple(bound))
        return self._compare("overlaps", other)

    def _of_same_length(self, other: Any) -> tuple[Any, ...]:
        values: tuple[Any, ...] = tuple(other)
        if len(values) != len(self._of):
            raise TypeError(f"a row of {len(self._of)} is compared with a row of {len(values)}")
        return values

    def _row(self, other: Any) -> Any:
        if not isinstance(other, tuple | list):
            return other
        values = self._of_same_length(other)
        parts = [coercion.operand(value, of, owner) for value, (of, owner) in zip(values, self._of, strict=True)]
        return Built(("row", *(s for s, _ in parts)), tuple(v for _, p in parts for v in p))  # pyright: ignore[reportUnknownVariableType]


def array(*values: Any, of: SQLType | type[Any] | None = None) -> Expr[Any]:
    """ARRAY[…] of expressions; of a query it is ARRAY(SELECT …). Plain lists of values need no array().

    >>> from data_bridge.query import array, table, column
    >>> t = table("t", column("a", int))
    >>> array(t.a, 5)
    <Expr ARRAY["t"."a", $1::integer]>
    """
    if len(values) == 1 and hasattr(values[0], "__operand__"):
        s, p = values[0].__operand__()
        return Built(("array_query", s[1]), p)
    parts = [coercion.argument(value, text=True) for value in values]
    element = type_of(of) if of is not None else next((found for _, _, found in parts if found is not None), None)
    s = ("array", *(part for part, _, _ in parts))
    params = tuple(v for _, p, _ in parts for v in p)
    if of is not None and element is not None:
        return Built(("cast", s, f"{element.name}[]"), params, t.Array(element))
    return Built(s, params, None if element is None else t.Array(element))


def variadic(values: Any) -> Expr[Any]:
    """VARIADIC array: its elements are the last arguments of a function.

    >>> from data_bridge.query import func, variadic
    >>> func.concat("a", variadic(["b", "c"]))
    <Call concat($1::text, VARIADIC $2::text[])>
    """
    s, p, _ = coercion.argument(values)
    return Built(("variadic", s), p)
