"""Functions: ``func.anything(…)``, with everything an aggregate or a window function may carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ..types import sql_types as t
from ..types.sql_types import SQLType
from ..types.typemap import type_of
from . import coercion
from .expr import Built, Expr
from .node import Node, T_co
from .order import Order
from .sources import FunctionSource
from .window import Frame, Window, order_structures, over

__all__ = ["Call", "RowsFrom", "call", "rows_from"]

# What is compared with the result of these is checked; of all others nothing is assumed.
_RETURNS: dict[str, SQLType] = {
    **dict.fromkeys(("count", "row_number", "rank", "dense_rank", "ntile"), t.BigInt),
    **dict.fromkeys(
        ("length", "char_length", "octet_length", "strpos", "cardinality", "array_length", "ascii"), t.Integer
    ),
    **dict.fromkeys(
        (
            "lower",
            "upper",
            "initcap",
            "trim",
            "btrim",
            "ltrim",
            "rtrim",
            "concat",
            "concat_ws",
            "left",
            "right",
            "substr",
            "substring",
            "replace",
            "repeat",
            "reverse",
            "lpad",
            "rpad",
            "to_char",
            "string_agg",
            "md5",
            "format",
            "split_part",
            "translate",
            "overlay",
        ),
        t.Text,
    ),
    **dict.fromkeys(("bool_and", "bool_or", "every", "starts_with", "isfinite", "pg_try_advisory_lock"), t.Boolean),
    **dict.fromkeys(
        ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "current_timestamp"), t.Timestamptz
    ),
    "current_date": t.Date,
    "age": t.Interval,
    "justify_interval": t.Interval,
    "make_interval": t.Interval,
    "gen_random_uuid": t.Uuid,
    "uuidv7": t.Uuid,
    "cume_dist": t.Double,
    "percent_rank": t.Double,
    **dict.fromkeys(
        ("to_jsonb", "jsonb_agg", "jsonb_object_agg", "jsonb_build_object", "jsonb_build_array", "jsonb_set"), t.Jsonb
    ),
    "to_tsvector": t.TsVector,
    "to_tsquery": t.TsQuery,
    "plainto_tsquery": t.TsQuery,
    "phraseto_tsquery": t.TsQuery,
    "websearch_to_tsquery": t.TsQuery,
}
# The result has the type of the first argument that has one.
PICKS = {
    "max",
    "min",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "mode",
    "percentile_disc",
    "any_value",
}
"""What they give is one of the values they were given."""
_LIKE_ARGUMENT = PICKS | {"abs", "date_trunc"}
# … or the type all of them have in common.
_LIKE_ALL = {"coalesce", "nullif", "greatest", "least"}
# These take anything, so PostgreSQL cannot guess what an untyped text is.
_ANY_TEXT = {
    "concat",
    "concat_ws",
    "format",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "to_json",
    "to_jsonb",
    "array_agg",
    "json_agg",
    "jsonb_agg",
    "num_nulls",
    "num_nonnulls",
    "pg_typeof",
    "count",
    "max",
    "min",
    "greatest",
    "least",
    "coalesce",
    "nullif",
}


# Text for an argument of these is text on the way and a name in the catalogs on the server: drivers cannot send those types.
_TEXT_SEARCH = {
    "to_tsvector",
    "to_tsquery",
    "plainto_tsquery",
    "phraseto_tsquery",
    "websearch_to_tsquery",
    "ts_headline",
}
_OF_RELATIONS = {"nextval", "currval", "setval", "pg_relation_size", "pg_table_size", "pg_total_relation_size"}


class Call(Expr[T_co]):
    """A call of a function. ``distinct``, ``order_by``, ``filter``, ``within_group`` and ``over`` give a new call
    each.
    """

    __slots__ = ("_args", "_distinct", "_filter", "_name", "_order", "_within")

    _args: tuple[tuple[Any, ...], tuple[Any, ...]]

    def __init__(self, name: Any, args_s: tuple[Any, ...], args_p: tuple[Any, ...], t: SQLType | None) -> None:
        """Use ``func.name(…)``."""
        super().__init__(("call", name, *args_s), args_p, t)
        self._name = name
        self._args = (args_s, args_p)
        self._distinct: str | None = None
        self._order: tuple[tuple[Any, ...] | None, tuple[Any, ...]] = (None, ())
        self._filter: tuple[Any, tuple[Any, ...]] = (None, ())
        self._within: tuple[tuple[Any, ...] | None, tuple[Any, ...]] = (None, ())

    def _changed(self, **parts: Any) -> Call[T_co]:
        new: Call[T_co] = Call(self._name, *self._args, self.t)
        new._distinct, new._order, new._filter, new._within = self._distinct, self._order, self._filter, self._within
        for name, value in parts.items():
            setattr(new, name, value)
        new.s = ("agg", new._name, new._args[0], new._distinct, new._order[0], new._filter[0], new._within[0])
        new.p = new._args[1] + new._order[1] + new._filter[1] + new._within[1]
        return new

    def distinct(self) -> Call[T_co]:
        """DISTINCT in front of the arguments.

        >>> from data_bridge.query import table, column, func
        >>> func.count(table("t", column("a", int)).a).distinct()
        <Call count(DISTINCT "t"."a")>
        """
        return self._changed(_distinct="distinct")

    def order_by(self, *keys: Node[Any] | Order) -> Call[T_co]:
        """ORDER BY behind the arguments, for aggregates that keep an order.

        >>> from data_bridge.query import table, column, func
        >>> t = table("t", column("a", int))
        >>> func.array_agg(t.a).order_by(-t.a)
        <Call array_agg("t"."a" ORDER BY "t"."a" DESC)>
        """
        return self._changed(_order=order_structures(keys))

    def filter(self, condition: Node[bool]) -> Call[T_co]:
        """FILTER (WHERE …): only these rows are aggregated.

        >>> from data_bridge.query import table, column, func
        >>> t = table("t", column("a", int))
        >>> func.count().filter(t.a > 1)
        <Call count(*) FILTER (WHERE "t"."a" > $1)>
        """
        return self._changed(_filter=(condition.s, condition.p))

    def within_group(self, *keys: Node[Any] | Order) -> Call[T_co]:
        """WITHIN GROUP (ORDER BY …), for ordered-set aggregates.

        >>> from data_bridge.query import table, column, func
        >>> t = table("t", column("a", int))
        >>> func.percentile_cont(0.5).within_group(t.a)
        <Call percentile_cont($1::double precision) WITHIN GROUP (ORDER BY "t"."a")>
        """
        return self._changed(_within=order_structures(keys))

    def over(
        self,
        window: str | Window | None = None,
        *,
        partition_by: Iterable[Node[Any]] | Node[Any] = (),
        order_by: Iterable[Node[Any] | Order] | Node[Any] | Order = (),
        rows: Frame | None = None,
        range: Frame | None = None,  # noqa: A002 - the name of the clause
        groups: Frame | None = None,
        exclude: Literal["current row", "group", "ties", "no others"] | None = None,
    ) -> Expr[T_co]:
        """OVER (…): a window, inline or by the name it has in ``select(…).window(name=…)``.

        Frame bounds are relative to the current row: ``rows=(-2, 0)`` is the two rows before and this one, None is
        unbounded.

        >>> from data_bridge.query import table, column, func
        >>> t = table("t", column("a", int), column("b", int))
        >>> func.sum(t.a).over(partition_by=[t.b], order_by=[-t.a], rows=(None, 0))
        <Expr sum("t"."a") OVER (PARTITION BY "t"."b" ORDER BY "t"."a" DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)>
        """
        s, p = over(window, partition_by, order_by, rows, range, groups, exclude)
        return Built(("over", self.s, s), self.p + p, self.t)

    def table(
        self, alias: str, *columns: str | tuple[str, Any], ordinality: bool = False, lateral: bool = False
    ) -> FunctionSource:
        """The set-returning function as a table; ``.c`` has its columns.

        Columns are names, or (name, type) for functions that return records. `ordinality` adds a counter as last
        column.

        >>> from data_bridge.query import func, select
        >>> n = func.generate_series(1, 3).table("n")
        >>> select(n.c.n).sql().sql
        'SELECT "n"."n" FROM generate_series($1::integer, $2::integer) AS "n"'
        """
        typed = any(isinstance(column, tuple) for column in columns)
        found = [(c, None) if isinstance(c, str) else (c[0], type_of(c[1])) for c in columns]
        options = (*(("lateral",) if lateral else ()), *(("ordinality",) if ordinality else ()))
        return FunctionSource(alias, self.s, self.p, found, options, typed=typed)


class RowsFrom:
    """Several set-returning functions side by side; made by `rows_from`."""

    __slots__ = ("_calls",)

    def __init__(self, calls: tuple[Call[Any], ...]) -> None:
        self._calls = calls

    def table(self, alias: str, *columns: str, ordinality: bool = False, lateral: bool = False) -> FunctionSource:
        """The functions as one table; `columns` are the names of all their columns."""
        options = (*(("lateral",) if lateral else ()), *(("ordinality",) if ordinality else ()))
        s = tuple(call.s for call in self._calls)
        p = tuple(value for call in self._calls for value in call.p)
        return FunctionSource(alias, s, p, [(c, None) for c in columns], options, typed=False, tag="rows_from")


def rows_from(*calls: Call[Any]) -> RowsFrom:
    """``ROWS FROM (…)``: the first rows of all functions, the second rows, and so on; NULLs fill what is shorter.

    >>> from data_bridge.query import func, rows_from, select
    >>> pairs = rows_from(func.generate_series(1, 2), func.generate_series(1, 3)).table("p", "a", "b")
    >>> select(pairs.c.a, pairs.c.b).sql().sql
    'SELECT "p"."a", "p"."b" FROM ROWS FROM (generate_series($1::integer, $2::integer), generate_series($3::integer, $4::integer)) AS "p" ("a", "b")'
    """  # noqa: E501
    if not calls:
        raise TypeError("rows_from() takes at least one function")
    return RowsFrom(calls)


_GROUPING = {"rollup": "rollup", "cube": "cube", "grouping_sets": "sets"}


def call(name: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Call[Any]:
    """The call of a function with values and expressions; ``func.name(…)`` is its face."""
    if name == "count" and not args:
        return Call("count", (("star",),), (), t.BigInt)
    if name in _GROUPING or name == "row":
        return _structural(name, args)
    structures: list[Any] = []
    params: tuple[Any, ...] = ()
    found: list[SQLType | None] = []
    for value in args:
        s, p, of = coercion.argument(value, text=name in _ANY_TEXT)
        if s == "$" and not structures and isinstance(value, str):
            if name in _TEXT_SEARCH and len(args) > 1:
                s = ("cast", ("$", "text"), "regconfig")
            elif name in _OF_RELATIONS:
                s = ("cast", ("$", "text"), "regclass")
        structures.append(s)
        params += p
        found.append(of)
    for key, value in named.items():
        s, p, _ = coercion.argument(value)
        structures.append(("named", key, s))
        params += p
    # The unit of date_trunc comes first, its moment second.
    first = (
        next((of for of in reversed(found) if of), None) if name == "date_trunc" else next(filter(None, found), None)
    )
    if name in _LIKE_ALL:
        first = coercion.common(found)
    return Call(name, tuple(structures), params, first if name in _LIKE_ARGUMENT else _returns(name, first))


def _returns(name: Any, first: SQLType | None) -> SQLType | None:
    if name in ("sum", "avg") and first is not None:
        if first.family == "int":
            # sum of bigint is numeric for PostgreSQL, so that it cannot overflow.
            return t.Numeric() if name == "avg" else t.IntegerSum if first.name == "bigint" else t.BigInt
        return first
    if name == "array_agg" and first is not None:
        return t.Array(first)
    if name == "unnest" and first is not None:
        return first.of
    return _RETURNS.get(name) if isinstance(name, str) else None


def _structural(name: str, args: tuple[Any, ...]) -> Call[Any]:
    """func.row, func.rollup, func.cube and func.grouping_sets are grammar, not functions."""
    structures: list[Any] = []
    params: tuple[Any, ...] = ()
    for value in args:
        if isinstance(value, tuple | list):
            inner = _structural("row", tuple(value))  # pyright: ignore[reportUnknownArgumentType]
            structures.append(inner.s)
            params += inner.p
        else:
            s, p, _ = coercion.argument(value, text=True)
            structures.append(s)
            params += p
    made: Call[Any] = Call(name, tuple(structures), params, None)
    made.s = (_GROUPING.get(name, "row"), *structures)
    return made
