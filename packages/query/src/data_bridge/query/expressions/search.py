"""Methods of expressions that search: patterns of text, containment, full-text search, any other operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..types.sql_types import Boolean, Cidr, Inet, Jsonb, SQLType, Text
from . import coercion
from .document import Document
from .document_keys import text_keys
from .membership import text_beside
from .node import Node, T_co

if TYPE_CHECKING:
    from .expr import Expr

__all__ = ["Search"]

_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


class Search(Document[T_co]):
    """The part of `data_bridge.query.Expr` that searches."""

    __slots__ = ()

    def like(self: Node[str] | Node[str | None], pattern: str | Node[str], *, escape: str | None = None) -> Expr[bool]:
        r"""``LIKE`` with a raw pattern: % is any text, _ any character, and `escape` (\ by default) takes that from them.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("email", str))
        >>> users.email.like("%@example.com")
        <Expr "users"."email" LIKE $1>
        """
        return _pattern(self, "like", pattern, "like", escape)

    def ilike(self: Node[str] | Node[str | None], pattern: str | Node[str], *, escape: str | None = None) -> Expr[bool]:
        """``ILIKE``: like `like`, without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("email", str))
        >>> users.email.ilike("%@EXAMPLE.COM")
        <Expr "users"."email" ILIKE $1>
        """
        return _pattern(self, "ilike", pattern, "ilike", escape)

    def similar_to(
        self: Node[str] | Node[str | None], pattern: str | Node[str], *, escape: str | None = None
    ) -> Expr[bool]:
        """``SIMILAR TO``: the standard's mixture of LIKE and regular expressions.

        >>> from data_bridge.query import table, column
        >>> table("t", column("a", str)).a.similar_to("(a|b)%")
        <Expr "t"."a" SIMILAR TO $1>
        """
        return _pattern(self, "similar to", pattern, "similar_to", escape)

    def startswith(self: Node[str] | Node[str | None], text: str | Node[str]) -> Expr[bool]:
        r"""``LIKE 'text%'``, the text taken literally: % _ and \ in it are escaped.

        >>> from data_bridge.query import table, column, compile
        >>> users = table("users", column("name", str))
        >>> compile(users.name.startswith("50%")).params
        ('50\\%%',)
        """
        return _literal_text(self, text, "", "%", False, "startswith")

    def endswith(self: Node[str] | Node[str | None], text: str | Node[str]) -> Expr[bool]:
        """``LIKE '%text'``, the text taken literally.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.endswith("Smith")
        <Expr "users"."name" LIKE $1>
        """
        return _literal_text(self, text, "%", "", False, "endswith")

    def istartswith(self: Node[str] | Node[str | None], text: str | Node[str]) -> Expr[bool]:
        """`startswith` without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.istartswith("al")
        <Expr "users"."name" ILIKE $1>
        """
        return _literal_text(self, text, "", "%", True, "istartswith")

    def iendswith(self: Node[str] | Node[str | None], text: str | Node[str]) -> Expr[bool]:
        """`endswith` without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.iendswith("SMITH")
        <Expr "users"."name" ILIKE $1>
        """
        return _literal_text(self, text, "%", "", True, "iendswith")

    def icontains(self: Node[str] | Node[str | None], text: str | Node[str]) -> Expr[bool]:
        """A literal substring, without regard to case.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.icontains("middle")
        <Expr "users"."name" ILIKE $1>
        """
        return _literal_text(self, text, "%", "%", True, "icontains")

    def contains(self, item: Any) -> Expr[bool]:
        """A literal substring of text; ``@>`` for arrays, jsonb and ranges, ``>>=`` for networks.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("title", str), column("tags", list[str]))
        >>> posts.title.contains("100%") | posts.tags.contains(["a"])
        <Expr "posts"."title" LIKE $1 OR "posts"."tags" @> $2>
        """
        family = None if self.t is None else self.t.family
        if family in ("array", "json", "hstore"):
            if _is_list(self) and not isinstance(item, list | tuple | set | frozenset | Node):
                item = [item]  # of jsonb lists, an object would never be contained
            return _condition(self, "@>", item)
        if family in ("range", "multirange"):
            return _side(self, "@>", item)
        if family == "inet":
            return _network(self, ">>=", item)
        return _literal_text(self, item, "%", "%", False, "contains")

    def contained_by(self, items: Any) -> Expr[bool]:
        """``<@``: everything in it is among `items`; ``<<=`` for networks.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("tags", list[str]))
        >>> posts.tags.contained_by(["a", "b"])
        <Expr "posts"."tags" <@ $1>
        """
        if self.t is not None and self.t.family == "inet":
            return _network(self, "<<=", items)
        return _condition(self, "<@", items)

    def overlaps(self, other: Any) -> Expr[bool]:
        """``&&``: arrays, ranges or networks that have something in common. Of rows it is `Row.overlaps`.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("tags", list[str]))
        >>> posts.tags.overlaps(["a", "b"])
        <Expr "posts"."tags" && $1>
        """
        return _condition(self, "&&", other)

    def adjacent_to(self, other: Any) -> Expr[bool]:
        """``-|-``: ranges with nothing between them and nothing in common.

        >>> from data_bridge.query import table, column, types
        >>> stays = table("stays", column("during", types.DateRange), column("next", types.DateRange))
        >>> stays.during.adjacent_to(stays.next)
        <Expr "stays"."during" -|- "stays"."next">
        """
        return _condition(self, "-|-", other)

    def left_of(self, other: Any) -> Expr[bool]:
        """``<<``: a range that ends before the other begins.

        >>> from data_bridge.query import table, column, types
        >>> stays = table("stays", column("during", types.DateRange), column("next", types.DateRange))
        >>> stays.during.left_of(stays.next)
        <Expr "stays"."during" << "stays"."next">
        """
        return _condition(self, "<<", other)

    def right_of(self, other: Any) -> Expr[bool]:
        """``>>``: a range that begins after the other ends.

        >>> from data_bridge.query import table, column, types
        >>> stays = table("stays", column("during", types.DateRange), column("next", types.DateRange))
        >>> stays.next.right_of(stays.during)
        <Expr "stays"."next" >> "stays"."during">
        """
        return _condition(self, ">>", other)

    def regex(self: Node[str] | Node[str | None], pattern: str | Node[str], *, ignore_case: bool = False) -> Expr[bool]:
        """``~`` (``~*`` without regard to case): a POSIX regular expression matches somewhere.

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("name", str))
        >>> users.name.regex("^a.c$", ignore_case=True)
        <Expr "users"."name" ~* $1>
        """
        return _pattern(self, "~*" if ignore_case else "~", pattern, "regex")

    def concat(self, *others: Any) -> Expr[str]:
        """``||`` over several parts; NULL makes the whole NULL (``func.concat`` skips NULLs).

        >>> from data_bridge.query import table, column
        >>> users = table("users", column("first", str), column("last", str))
        >>> users.first.concat(" ", users.last)
        <Expr "users"."first" || $1::text || "users"."last">
        """
        s, p = self.s, self.p
        for other in others:
            more, more_p, _ = coercion.argument(other, text=True)
            s, p = ("||", s, more), p + more_p
        return _new(s, p, Text)

    def match(self, query: Any, *, config: str | None = None) -> Expr[bool]:
        """Full-text search: ``to_tsvector(column) @@ websearch_to_tsquery($1)``, or ``column @@ …`` for a tsvector.

        >>> from data_bridge.query import table, column
        >>> posts = table("posts", column("body", str))
        >>> posts.body.match("fat cat")
        <Expr to_tsvector("posts"."body") @@ websearch_to_tsquery($1)>
        """
        cfg: tuple[Any, ...] = () if config is None else (("cast", ("$", "text"), "regconfig"),)
        cfg_p: tuple[Any, ...] = () if config is None else (config,)
        vector = self.t is not None and self.t.family == "tsvector"
        left = self.s if vector else ("call", "to_tsvector", *cfg, self.s)
        left_p = self.p if vector else cfg_p + self.p
        if isinstance(query, Node):
            return _new(("@@", left, query.s), left_p + query.p, Boolean)
        return _new(("@@", left, ("call", "websearch_to_tsquery", *cfg, "$")), (*left_p, *cfg_p, query), Boolean)

    def op(self, operator: str, other: Any) -> Expr[Any]:
        """Any other operator of PostgreSQL or an extension, as ``embedding.op("<->", vector)``.

        Made of operator characters only; anything else is a CompileError.

        >>> from data_bridge.query import table, column, types
        >>> items = table("items", column("path", types.Ltree))
        >>> items.path.op("~", "*.a.*")
        <Expr "items"."path" ~ $1>
        """
        s, p = coercion.operand(other, None, self.__owner__)
        return _new(("op", operator, self.s, s), self.p + p)


def _pattern(node: Node[Any], tag: str, pattern: Any, method: str, escape: str | None = None) -> Expr[bool]:
    if escape is not None and isinstance(pattern, str | Node):
        s, p = coercion.operand(pattern, None, None)
        return _new((tag, node.s, s, "$"), (*node.p, *p, escape), Boolean)
    if isinstance(pattern, str):
        return _new((tag, node.s, "$"), (*node.p, pattern), Boolean)
    if isinstance(pattern, Node):
        return _new((tag, node.s, pattern.s), node.p + pattern.p, Boolean)
    raise TypeError(f"{method}() takes a str, got {type(pattern).__name__}")


def _literal_text(node: Node[Any], text: Any, before: str, after: str, ignore_case: bool, method: str) -> Expr[bool]:
    if isinstance(text, str):
        # Backslash is the escape character of LIKE without an ESCAPE clause, under every setting.
        pattern = f"{before}{text.translate(_ESCAPES)}{after}"
        return _new(("ilike" if ignore_case else "like", node.s, "$"), (*node.p, pattern), Boolean)
    if isinstance(text, Node):
        return text_beside(node, text, before, after, ignore_case)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(f"{method}() takes a str, got {type(text).__name__}")


def _side(node: Node[Any], tag: str, item: Any) -> Expr[bool]:
    # A range contains an element or another range; the parameter of an element must say its type.
    of = None if node.t is None else node.t.of
    if isinstance(item, Node | tuple | list) or of is None:
        return _condition(node, tag, item)
    if hasattr(item, "bounds"):
        if of.family == "range":  # a multirange contains a range
            return _new((tag, node.s, ("$", of.name)), (*node.p, of.bind(item, node.__owner__)), Boolean)
        return _condition(node, tag, item)
    if of.family == "range" and of.of is not None:
        of = of.of
    return _new((tag, node.s, ("$", of.name)), (*node.p, of.bind(item, node.__owner__)), Boolean)


def _is_list(node: Node[Any]) -> bool:
    of = node.t
    return of is not None and (of.family == "array" or (of.shape is not None and of.shape.item() is not None))


def _network(node: Node[Any], operator: str, other: Any) -> Expr[bool]:
    # Text would be taken for the array or range operators of the same name.
    if isinstance(other, Node):
        s, p = other.s, other.p
    else:
        of = Cidr if "/" in str(other) else Inet
        s, p = ("$", of.name), (of.bind(other, node.__owner__),)
    return _new(("op", operator, node.s, s), node.p + p, Boolean)


def _condition(node: Node[Any], tag: str, value: Any) -> Expr[bool]:
    # What a document contains is a part of it, which need not be a whole of its model.
    of = node.t
    if of is not None and of.family == "json":
        of, value = Jsonb, text_keys(value, of, node.__owner__)
    s, p = coercion.operand(value, of, node.__owner__)
    return _new((tag, node.s, s), node.p + p, Boolean)


def _new(s: Any, p: tuple[Any, ...], t: SQLType | None = None) -> Expr[Any]:
    return coercion.built(s, p, t)
