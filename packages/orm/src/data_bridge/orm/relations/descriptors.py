"""A relation as an attribute: paths for queries on the class, the other rows on an instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ColumnNotLoaded, LinkNotLoaded
from data_bridge.orm._state import ABSENT, CLEAN, adopt, forget, get_fields, keep, links_of, own, state_of
from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.collection import Many
from data_bridge.orm.relations.paths import path_of
from data_bridge.orm.relations.reference import Linked

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation


class RelationAttribute:
    """A data descriptor, so that assignments reach it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return path_of(owner, self._name)
        return value_of(instance, relation_of(type(instance), self._name))

    def __set__(self, instance: Any, value: Any) -> None:
        assign(instance, relation_of(type(instance), self._name), value)


def relation_of(cls: Any, name: str) -> Relation:
    """The relation of a class."""
    return entity_of(cls).relations[name]


def missing(relation: Relation) -> LinkNotLoaded:
    """What reading a relation that was not fetched raises."""
    return LinkNotLoaded(
        f"{relation.label} was not fetched: add .fetch_links({relation.label}) to the query, "
        f"or `await row.fetch({relation.name!r})`"
    )


def value_of(row: Any, relation: Relation) -> Any:
    """What an instance has for a relation."""
    if relation.kind == "many":
        return Many(row, relation)  # pyright: ignore[reportUnknownVariableType]
    links = links_of(row)
    if relation.kind == "back":
        if links is None or relation.name not in links:
            raise missing(relation)
        return links[relation.name]
    data = row.__dict__
    for key in relation.near:
        if key not in data:
            raise ColumnNotLoaded(
                f"{relation.label} needs {relation.entity.label}.{key}, which was not loaded: add it to select()"
            )
        if data[key] is None and (links is None or links.get(relation.name) is None):
            return None
    return Linked(row, relation)  # pyright: ignore[reportUnknownVariableType]


def assign(row: Any, relation: Relation, value: Any) -> None:
    """Sets the other side of a relation; of a link, the columns that hold its key too.

    Raises:
        TypeError: for a value that is neither a row of the other table nor the key of one.
    """
    if relation.kind == "link":
        _assign_link(row, relation, relation.other_side(value))
        return
    others: list[Any] = []
    if relation.is_list:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes, dict)):
            raise TypeError(f"{relation.label} takes {relation.cls.__name__} rows")
        value = others = [relation.other_side(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    elif value is not None:
        value = relation.other_side(value)
        others = [value]
    for other in others:
        if not relation.target.holds(other):
            raise TypeError(f"{relation.label} takes {relation.cls.__name__} rows, not {type(other).__name__}")
    keep(row, relation.name, value)


def _assign_link(row: Any, relation: Relation, value: Any) -> None:
    if value is None:
        values: tuple[Any, ...] = (None,) * len(relation.near)
    elif relation.target.holds(value):
        values = tuple(value.__dict__.get(k) for k in relation.far)
    else:
        values = tuple(value) if len(relation.near) > 1 else (value,)
    is_tracked = type(state_of(row)) is dict
    for key, part in zip(relation.near, values, strict=False):
        # What is assigned while a statement is on its way stands on record, even when it changes nothing.
        if is_tracked or row.__dict__.get(key) != part or key not in row.__dict__:
            if part is None and value is not None:
                put(row, key, None)  # the row is saved later; then its key is known
            else:
                setattr(row, key, part)
    if relation.target.holds(value):
        keep(row, relation.name, value)
    else:
        forget(row, relation.name)


def put(row: Any, key: str, value: Any) -> None:
    """Sets a field whatever Pydantic would say of the value; the value before is noted."""
    state = state_of(row)
    if state is CLEAN:
        state = own(row)
    elif state is None:
        adopt(row)
    data = row.__dict__
    if type(state) is dict:
        state.setdefault(key, data.get(key, ABSENT))  # pyright: ignore[reportUnknownMemberType]
    data[key] = value
    get_fields(row).add(key)
