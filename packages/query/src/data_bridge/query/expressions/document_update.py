"""New values of documents: a part set, an element added to a list or taken out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from data_bridge.core.errors import EncodeError

from ..types.sql_types import SQLType
from .document import json_value
from .document_path import DocumentColumn, DocumentPath, Step
from .node import Node, Params, Structure

__all__ = ["appended", "place_of", "removed", "with_parts"]

_EMPTY: Structure = ("cast", ("raw", "'[]'"), "jsonb")


def place_of(path: DocumentPath[Any]) -> tuple[DocumentColumn[Any], tuple[Step, ...]]:
    """The column that a part is in, and what leads to it.

    Raises:
        TypeError: for an element inside any(), which has no place.
    """
    root, steps = path.__document__
    if root is None:
        raise TypeError(f"{path.__owner__} is any element of a list: update() sets a part by its place, [0]")
    return root, steps


def with_parts(document: Structure, parts: Iterable[tuple[DocumentPath[Any], Any]]) -> tuple[Structure, Params]:
    """The document with these parts set.

    A document that is NULL stays so, as does one without the object or list that a part belongs to: a part alone is not a
    document. An element that a list does not have is not added. An expression that is NULL sets JSON's null, or leaves a
    part that cannot be None as it is.

    Raises:
        EncodeError: for a value that does not fit its part, and for a part that is set twice.
    """
    params: Params = ()
    done: list[tuple[Step, ...]] = []
    for path, value in parts:
        _, steps = place_of(path)
        if any(steps[: len(other)] == other[: len(steps)] for other in done):
            raise EncodeError(f"{path.__owner__} is set twice")
        done.append(steps)
        given = value.__operand__() if hasattr(value, "__operand__") and not isinstance(value, type) else None
        if given is not None:
            value = Node(*given)  # pyright: ignore[reportUnknownVariableType]
        is_new = ("true",) if isinstance(steps[-1], str) else ("false",)
        place: Structure = ("$", "text[]")
        if isinstance(value, Node):
            treatment = (
                "'use_json_null'"
                if path.t is None or path.t.shape is None or path.t.shape.nullable
                else "'return_target'"
            )
            s, p = ("call", "to_jsonb", value.s), value.p
            document = ("call", "jsonb_set_lax", document, place, s, is_new, ("raw", treatment))
        else:
            s, p = json_value(dumped(path.t, value, path.__owner__))
            document = ("call", "jsonb_set", document, place, s, *(() if is_new == ("true",) else (is_new,)))
        params += ([str(step) for step in steps], *p)
    return document, params


def dumped(of: SQLType | None, value: Any, owner: str | None) -> Any:
    """The value as it stands in a document."""
    if of is None or of.shape is None:
        return value if of is None else of.bind(value, owner)
    try:
        return of.shape.dump(value)
    except (TypeError, ValueError) as error:
        raise EncodeError(f"{owner or 'value'}: {error}") from None


def _item_of(lists: Node[Any]) -> SQLType | None:
    return None if lists.t is None or lists.t.shape is None else lists.t.shape.item()


def _element(lists: Node[Any], value: Any) -> tuple[Structure, Params]:
    owner = lists.__owner__
    return json_value(value if isinstance(value, Node) else dumped(_item_of(lists), value, owner and f"{owner}[]"))


def _is_list(lists: Node[Any]) -> Structure:
    return ("=", ("call", "jsonb_typeof", _jsonb(lists)), ("raw", "'array'"))


def _jsonb(node: Node[Any]) -> Structure:
    return ("cast", node.s, "jsonb") if node.t is not None and node.t.name == "json" else node.s


def appended(lists: Node[Any], value: Any) -> tuple[Structure, Params]:
    """A JSON list with an element more; what is no list yet begins one."""
    s, p = _element(lists, value)
    whole: Structure = ("case", None, ((_is_list(lists), _jsonb(lists)),), _EMPTY)
    return ("||", whole, ("call", "jsonb_build_array", s)), (*lists.p, *lists.p, *p)


def removed(lists: Node[Any], value: Any) -> tuple[Structure, Params]:
    """A JSON list without the elements that equal the value; what is no list stays as it is."""
    s, p = _element(lists, value)
    alias = "removed from"  # no table of a user is called so
    item: Structure = ("col", alias, "item")
    kept: Structure = ("agg", "jsonb_agg", (item,), None, (("col", alias, "place"),), None, None)
    elements: Structure = (
        "func",
        ("call", "jsonb_array_elements", _jsonb(lists)),
        alias,
        ("item", "place"),
        ("ordinality",),
    )
    query = ("select", elements, (("call", "coalesce", kept, _EMPTY),), (("<>", item, s),), None, None, None, None)
    whole: Structure = ("case", None, ((_is_list(lists), ("query", query)),), _jsonb(lists))
    return whole, (*lists.p, *lists.p, *p, *lists.p)
