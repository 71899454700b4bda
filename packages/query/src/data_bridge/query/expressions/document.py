"""Methods of expressions that hold several values: jsonb documents and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..types.sql_types import Boolean, Integer, Json, Jsonb
from . import coercion
from .document_keys import keys_of, place_names, step_of
from .node import Node, T_co

if TYPE_CHECKING:
    from .expr import Expr

__all__ = ["Document"]

# Text on the way, jsonpath on the server: drivers know how to send the one and not the other.
_JSONPATH = ("cast", ("$", "text"), "jsonpath")


class Document(Node[T_co]):
    """The part of `data_bridge.query.Expr` that looks into jsonb and arrays."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Expr[Any]:
        """A member of jsonb (``->``), an element (counted from 1) or slice of an array."""
        if self.t is not None and self.t.family == "array":
            return _element(self, key)
        if isinstance(key, slice):
            raise TypeError("only arrays have slices")
        if isinstance(key, Node):
            return _new(("->", self.s, key.s), self.p + key.p, Jsonb)
        return _new(*untyped_member(self, step_of(self.t, key, self.__owner__)))

    def has_key(self, key: Any) -> Expr[bool]:
        """``?``: a key of a jsonb object, or a string of a jsonb array.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.has_key("a")
        <Expr "t"."meta" ? $1>
        """
        return _new(("?", self.s, "$"), (*self.p, step_of(self.t, key, self.__owner__)), Boolean)

    def has_any(self, keys: Iterable[Any]) -> Expr[bool]:
        """``?|``: at least one of the keys.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.has_any(["a", "b"])
        <Expr "t"."meta" ?| $1>
        """
        return _new(("?|", self.s, "$"), (*self.p, keys_of(self.t, keys, self.__owner__)), Boolean)

    def has_all(self, keys: Iterable[Any]) -> Expr[bool]:
        """``?&``: all of the keys.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.has_all(["a", "b"])
        <Expr "t"."meta" ?& $1>
        """
        return _new(("?&", self.s, "$"), (*self.p, keys_of(self.t, keys, self.__owner__)), Boolean)

    def path(self, jsonpath: str) -> Expr[bool]:
        """``@?``: the SQL/JSON path finds something.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.path("$.x ? (@ > 1)")
        <Expr "t"."meta" @? $1::text::jsonpath>
        """
        return _new(("@?", self.s, _JSONPATH), (*self.p, jsonpath), Boolean)

    def path_match(self, jsonpath: str) -> Expr[bool]:
        """``@@``: the predicate of the SQL/JSON path is true.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.path_match("$.x > 1")
        <Expr "t"."meta" @@ $1::text::jsonpath>
        """
        return _new(("@@", self.s, _JSONPATH), (*self.p, jsonpath), Boolean)

    def field(self, name: str) -> Expr[Any]:
        """A field of a composite value.

        >>> from data_bridge.query import table, column, types
        >>> table("t", column("place", types.Other("point_of_sale"))).place.field("city")
        <Expr ("t"."place")."city">
        """
        return _new((".", self.s, name), self.p)

    def set(self, path: Iterable[Any], value: Any) -> Expr[Any]:
        """``jsonb_set``: the document with the value at the path replaced, for updates. None and an expression that is NULL
        set JSON's null; jsonb_set() by itself would make the whole document NULL.

        >>> from data_bridge.query import table, column
        >>> table("t", column("meta", dict)).meta.set(("a", "b"), 1)
        <Expr jsonb_set("t"."meta", $1::text[], $2::jsonb)>
        """
        s, p = json_value(value)
        names = place_names(self.t, path, self.__owner__)
        return _new(("call", "jsonb_set", self.s, ("$", "text[]"), s), (*self.p, names, *p), Jsonb)

    def any_(self, value: Any) -> Expr[bool]:
        """``$1 = ANY(column)``: an element of the array; of a jsonb list ``column @> [value]``.

        >>> from data_bridge.query import table, column
        >>> table("t", column("tags", list[str])).tags.any_("a")
        <Expr $1 = ANY("t"."tags")>
        """
        if self.t is not None and self.t.family == "json" and not isinstance(value, Node):
            return _new(("@>", self.s, "$"), (*self.p, [Jsonb.bind(value, self.__owner__)]), Boolean)
        s, p = coercion.operand(value, None if self.t is None else self.t.of, self.__owner__)
        return _new(("=", s, ("any", self.s)), p + self.p, Boolean)

    def all_(self, value: Any) -> Expr[bool]:
        """``$1 = ALL(column)``: every element of the array.

        >>> from data_bridge.query import table, column
        >>> table("t", column("tags", list[str])).tags.all_("a")
        <Expr $1 = ALL("t"."tags")>
        """
        s, p = coercion.operand(value, None if self.t is None else self.t.of, self.__owner__)
        return _new(("=", s, ("all", self.s)), p + self.p, Boolean)

    def length(self) -> Expr[int]:
        """How many elements an array has (0 when empty), how many characters a text, how many members a jsonb array.

        >>> from data_bridge.query import table, column
        >>> table("t", column("tags", list[str])).tags.length()
        <Expr cardinality("t"."tags")>
        """
        family = None if self.t is None else self.t.family
        name = {"array": "cardinality", "json": "jsonb_array_length"}.get(family or "", "length")
        return _new(("call", name, self.s), self.p, Integer)


def untyped_member(node: Node[Any], key: Any) -> tuple[Any, tuple[Any, ...], Any]:
    """Structure, parameters and type of ``node -> key``, of a document of which nothing is known."""
    # Typed by the key: PostgreSQL cannot tell -> text from -> int by an untyped parameter.
    kind = "integer" if isinstance(key, int) and not isinstance(key, bool) else "text"
    return ("->", node.s, ("$", kind)), (*node.p, key), Json if node.t is Json else Jsonb


def json_value(value: Any) -> tuple[Any, tuple[Any, ...]]:
    """A value, or an expression, as jsonb; NULL is JSON's null."""
    if value is None:
        return JSON_NULL, ()
    if isinstance(value, Node):
        return ("call", "coalesce", ("call", "to_jsonb", value.s), JSON_NULL), value.p
    return ("$", "jsonb"), (value,)


JSON_NULL = ("cast", ("raw", "'null'"), "jsonb")


def _element(array: Node[Any], key: Any) -> Expr[Any]:
    of = None if array.t is None else array.t.of
    if isinstance(key, slice):
        if key.step is not None:  # pyright: ignore[reportUnknownMemberType]
            raise TypeError("a slice of an array has no step")
        low_s, low_p = (None, ()) if key.start is None else _index(key.start)  # pyright: ignore[reportUnknownMemberType]
        high_s, high_p = (None, ()) if key.stop is None else _index(key.stop)  # pyright: ignore[reportUnknownMemberType]
        return _new(("[:]", array.s, low_s, high_s), array.p + low_p + high_p, array.t)
    s, p = _index(key)
    return _new(("[]", array.s, s), array.p + p, of)


def _index(key: Any) -> tuple[Any, tuple[Any, ...]]:
    if isinstance(key, Node):
        return key.s, key.p
    if isinstance(key, int) and not isinstance(key, bool):
        return "$", (key,)
    raise TypeError(f"an array is indexed by int (the first element is 1), got {type(key).__name__}")


def _new(s: Any, p: tuple[Any, ...], t: Any = None) -> Expr[Any]:
    return coercion.built(s, p, t)
