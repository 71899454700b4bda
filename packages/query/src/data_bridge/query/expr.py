"""Expressions with their named methods: text, ranges of values, casts, jsonb and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import lift
from .document import Document
from .membership import among, text_beside
from .nodes import Node, T_co
from .order import Order
from .types import Boolean, SQLType, Text

if TYPE_CHECKING:
    from .select import Select

__all__ = ["Expr", "Label"]

V = TypeVar("V")
_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


class Expr(Document[T_co]):
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
        return lift.operand(value, self.t, self.owner)

    def _condition(self, tag: str, value: Any) -> Expr[bool]:
        s, p = self._value(value)
        return Built((tag, self.s, s), self.p + p, Boolean)

    # ------------------------------------------------------------------------------------------------- membership
    def in_(self, values: Iterable[Any] | Select[Any]) -> Expr[bool]:
        """``= ANY($1)``: one parameter whatever the length; no values is FALSE, a None among them means IS NULL.

        A query is a subquery. A str is a TypeError: its characters are never what is meant.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("id", int))
        >>> users.id.in_([1, 2, 3])
        <Expr "users"."id" = ANY($1)>
        """
        return among(self, values, negated=False)

    def not_in(self, values: Iterable[Any] | Select[Any]) -> Expr[bool]:
        """``<> ALL($1)``: the opposite of :meth:`in_`; no values is TRUE.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("id", int))
        >>> users.id.not_in([1, 2])
        <Expr "users"."id" <> ALL($1)>
        """
        return among(self, values, negated=True)

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
        """``IS TRUE`` and its kin, which never give NULL.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("active", bool))
        >>> users.active.is_("not true")
        <Expr "users"."active" IS NOT TRUE>
        """
        return Built(("is", self.s, what), self.p, Boolean)

    # ------------------------------------------------------------------------------------------------------- text
    def _pattern(self, tag: str, pattern: Any, method: str) -> Expr[bool]:
        if isinstance(pattern, str):
            return Built((tag, self.s, "$"), (*self.p, pattern), Boolean)
        if isinstance(pattern, Node):
            return Built((tag, self.s, pattern.s), self.p + pattern.p, Boolean)
        raise TypeError(f"{method}() takes a str, got {type(pattern).__name__}")

    def like(self: Expr[str] | Expr[str | None], pattern: str | Node[str]) -> Expr[bool]:
        """``LIKE`` with a raw pattern: % is any text, _ any character.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("email", str))
        >>> users.email.like("%@example.com")
        <Expr "users"."email" LIKE $1>
        """
        return self._pattern("like", pattern, "like")

    def ilike(self: Expr[str] | Expr[str | None], pattern: str | Node[str]) -> Expr[bool]:
        """``ILIKE``: like :meth:`like`, without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("email", str))
        >>> users.email.ilike("%@EXAMPLE.COM")
        <Expr "users"."email" ILIKE $1>
        """
        return self._pattern("ilike", pattern, "ilike")

    def _literal_text(self, text: Any, before: str, after: str, ignore_case: bool, method: str) -> Expr[bool]:
        if isinstance(text, str):
            # Backslash is the escape character of LIKE without an ESCAPE clause, under every setting.
            pattern = f"{before}{text.translate(_ESCAPES)}{after}"
            return Built(("ilike" if ignore_case else "like", self.s, "$"), (*self.p, pattern), Boolean)
        if isinstance(text, Node):
            return text_beside(self, text, before, after, ignore_case)  # pyright: ignore[reportUnknownArgumentType]
        raise TypeError(f"{method}() takes a str, got {type(text).__name__}")

    def startswith(self: Expr[str] | Expr[str | None], text: str | Node[str]) -> Expr[bool]:
        r"""``LIKE 'text%'``, the text taken literally: % _ and \ in it are escaped.

        >>> from data_bridge.query import table, column, compile
        >>> users = table("users", column("name", str))
        >>> compile(users.name.startswith("50%")).params
        ('50\\%%',)
        """
        return self._literal_text(text, "", "%", False, "startswith")

    def endswith(self: Expr[str] | Expr[str | None], text: str | Node[str]) -> Expr[bool]:
        """``LIKE '%text'``, the text taken literally.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.endswith("Smith")
        <Expr "users"."name" LIKE $1>
        """
        return self._literal_text(text, "%", "", False, "endswith")

    def istartswith(self: Expr[str] | Expr[str | None], text: str | Node[str]) -> Expr[bool]:
        """:meth:`startswith` without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.istartswith("al")
        <Expr "users"."name" ILIKE $1>
        """
        return self._literal_text(text, "", "%", True, "istartswith")

    def iendswith(self: Expr[str] | Expr[str | None], text: str | Node[str]) -> Expr[bool]:
        """:meth:`endswith` without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.iendswith("SMITH")
        <Expr "users"."name" ILIKE $1>
        """
        return self._literal_text(text, "%", "", True, "iendswith")

    def icontains(self: Expr[str] | Expr[str | None], text: str | Node[str]) -> Expr[bool]:
        """A literal substring, without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.icontains("middle")
        <Expr "users"."name" ILIKE $1>
        """
        return self._literal_text(text, "%", "%", True, "icontains")

    def contains(self, item: Any) -> Expr[bool]:
        """A literal substring of text; ``@>`` for arrays, jsonb and ranges.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("title", str), column("tags", list[str]))
        >>> posts.title.contains("100%") | posts.tags.contains(["a"])
        <Expr "posts"."title" LIKE $1 OR "posts"."tags" @> $2>
        """
        family = None if self.t is None else self.t.family
        if family in ("array", "json", "hstore"):
            if family == "array" and not isinstance(item, list | tuple | set | frozenset | Node):
                item = [item]
            return self._condition("@>", item)
        if family in ("range", "multirange"):
            return self._side("@>", item)
        return self._literal_text(item, "%", "%", False, "contains")

    def contained_by(self, items: Any) -> Expr[bool]:
        """``<@``: everything in it is among `items`.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("tags", list[str]))
        >>> posts.tags.contained_by(["a", "b"])
        <Expr "posts"."tags" <@ $1>
        """
        return self._condition("<@", items)

    def overlaps(self, other: Any) -> Expr[bool]:
        """``&&``: arrays or ranges that have something in common.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("tags", list[str]))
        >>> posts.tags.overlaps(["a", "b"])
        <Expr "posts"."tags" && $1>
        """
        return self._condition("&&", other)

    def _side(self, tag: str, item: Any) -> Expr[bool]:
        # A range contains an element or another range; the parameter of an element must say its type.
        of = None if self.t is None else self.t.of
        if isinstance(item, Node) or of is None or hasattr(item, "lower"):
            return self._condition(tag, item)
        return Built((tag, self.s, ("$", of.name)), (*self.p, of.bind(item, self.owner)), Boolean)

    def regex(self: Expr[str] | Expr[str | None], pattern: str | Node[str], *, ignore_case: bool = False) -> Expr[bool]:
        """``~`` (``~*`` without regard to case): a POSIX regular expression matches somewhere.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.regex("^a.c$", ignore_case=True)
        <Expr "users"."name" ~* $1>
        """
        return self._pattern("~*" if ignore_case else "~", pattern, "regex")

    def concat(self, *others: Any) -> Expr[str]:
        """``||`` over several parts; NULL makes the whole NULL (``func.concat`` skips NULLs).

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("first", str), column("last", str))
        >>> users.first.concat(" ", users.last)
        <Expr "users"."first" || $1::text || "users"."last">
        """
        s, p = self.s, self.p
        for other in others:
            more, more_p, _ = lift.argument(other, text=True)
            s, p = ("||", s, more), p + more_p
        return Built(s, p, Text)

    def match(self, query: Any, *, config: str | None = None) -> Expr[bool]:
        """Full-text search: ``to_tsvector(column) @@ websearch_to_tsquery($1)``, or ``column @@ …`` for a tsvector.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("body", str))
        >>> posts.body.match("fat cat")
        <Expr to_tsvector("posts"."body") @@ websearch_to_tsquery($1)>
        """
        cfg: tuple[Any, ...] = () if config is None else (("$", "regconfig"),)
        cfg_p: tuple[Any, ...] = () if config is None else (config,)
        vector = self.t is not None and self.t.family == "tsvector"
        left = self.s if vector else ("call", "to_tsvector", *cfg, self.s)
        left_p = self.p if vector else cfg_p + self.p
        if isinstance(query, Node):
            return Built(("@@", left, query.s), left_p + query.p, Boolean)
        return Built(("@@", left, ("call", "websearch_to_tsquery", *cfg, "$")), (*left_p, *cfg_p, query), Boolean)

    def op(self, operator: str, other: Any) -> Expr[Any]:
        """Any other operator of PostgreSQL or an extension, as ``embedding.op("<->", vector)``.

        Made of operator characters only; anything else is a CompileError.

        >>> from data_bridge.query import table, column, types
        >>> items = table("items", column("path", types.Ltree))
        >>> items.path.op("~", "*.a.*")
        <Expr "items"."path" ~ $1>
        """
        s, p = lift.operand(other, None, self.owner)
        return Built(("op", operator, self.s, s), self.p + p)

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
        """The value of the expression for a row, None for NULL; see :meth:`matches`.

        >>> from data_bridge.query import table, column
        >>> (table("users", column("age", int)).age / 2).evaluate({"age": -7})
        -3
        """
        from .matches import compiled

        return compiled(self.s, self.p)(row)

    # -------------------------------------------------------------------------------------------- order, name, type
    def asc(self) -> Order:
        """Ascending; :meth:`Order.nulls_first` and :meth:`Order.nulls_last` say where NULLs go.

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
        from .cast import cast

        return cast(self, to)

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
        from .types import Timestamp, Timestamptz

        s, p = lift.operand(zone, None, self.owner)
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
        return lift.shown("Expr", self.s)
