"""What a row is known to have in the database: one slot per instance, and one with the bytes of its mutable columns.

The state is unset or None for a new row, CLEAN for a loaded one that was not touched (its fields-set is shared with all
rows of the statement), GONE after delete(), and from the first change on a dict: the fields that were assigned, each with the
value that the database has. A mutable column needs no entry there: its bytes tell what the database has, whether the value
was assigned, edited in place or both.
"""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from data_bridge.core.errors import NotSaved

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation


class _Mark:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def __copy__(self) -> _Mark:
        return self

    def __deepcopy__(self, memo: object) -> _Mark:
        return self


CLEAN = _Mark("CLEAN")
GONE = _Mark("GONE")
NOT_LOADED = _Mark("<not loaded>")
"""What repr() shows for a computed field whose columns or relations are not here."""
FORCED = _Mark("FORCED")
"""The key in a state under which stand the fields that mark_changed() has written whatever they are."""
ABSENT = _Mark("ABSENT")
"""The value before of a field that was not loaded: the database's value is not known."""


# A slot that is read as an attribute and is unset goes on to BaseModel.__getattr__, which costs a microsecond.
set_fields: Callable[[Any, set[str]], None] = BaseModel.__pydantic_fields_set__.__set__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
get_fields: Callable[[Any], set[str]] = BaseModel.__pydantic_fields_set__.__get__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


class Slots:
    """Access to the slots of Table, set when the class exists."""

    get_state: Any
    set_state: Any
    get_wire: Any
    set_wire: Any
    get_links: Any
    set_links: Any


def state_of(row: Any) -> Any:
    """The state of a row; None for a new one."""
    try:
        return Slots.get_state(row)
    except AttributeError:
        return None


def wire_of(row: Any) -> Any:
    """What the core left of the mutable columns: bytes in the order of the fields, or a dict of them, or None."""
    try:
        return Slots.get_wire(row)
    except AttributeError:
        return None


def known_wire(row: Any) -> dict[str, bytes | None]:
    """The bytes that the database has in the mutable columns of a row, by field; of a row with changes, the record itself."""
    wire = wire_of(row)
    if type(wire) is dict:
        return wire
    mutable: tuple[str, ...] = type(row).__db__.mutable
    if not wire or not mutable:
        return {}
    if len(wire) == len(mutable):
        return dict(zip(mutable, wire, strict=True))
    data = row.__dict__
    return dict(zip([k for k in mutable if k in data], wire, strict=True))


def links_of(row: Any) -> dict[str, Any] | None:
    """The other sides of relations that the row has, by name, or None."""
    try:
        return Slots.get_links(row)  # type: ignore[no-any-return]
    except AttributeError:
        return None


def own(row: Any) -> dict[str, Any]:
    """Gives a clean row its own fields-set, an empty record of changes, and the bytes by field: from now on fields may come."""
    state: dict[str, Any] = {}
    set_fields(row, set(get_fields(row)))
    Slots.set_wire(row, known_wire(row))
    Slots.set_state(row, state)
    return state


def adopt(row: Any) -> None:
    """The first write to a row that Pydantic made: revalidation hands the same fields-set to several instances."""
    set_fields(row, set(get_fields(row)))
    Slots.set_state(row, None)


def detached(state: Any) -> Any:
    """A state that a copy of the row may change."""
    if state is CLEAN:
        return {}
    if not isinstance(state, dict):
        return state
    made = dict(state)
    if FORCED in made:
        made[FORCED] = set(made[FORCED])
    return made


def carry(source: Any, copy: Any) -> Any:
    """Gives a copy of a row the state of its source."""
    state = state_of(source)
    Slots.set_state(copy, detached(state))
    if state is not None:
        Slots.set_wire(copy, dict(known_wire(source)))
    links = links_of(source)
    if links:
        Slots.set_links(copy, dict(links))
    return copy


def keep(row: Any, name: str, value: Any) -> None:
    """Stores the other side of a relation in an instance."""
    links = links_of(row)
    if links is None:
        Slots.set_links(row, {name: value})
    else:
        links[name] = value


def forget(row: Any, name: str) -> None:
    """Drops the other side of a relation from an instance."""
    links = links_of(row)
    if links is not None:
        links.pop(name, None)


def point(row: Any, names: Iterable[str]) -> None:
    """Drops the rows of these links whose key is not (any more) the one that the row has: a row that a link holds without
    having its key is one that is saved later, and nothing else.
    """
    links = links_of(row)
    if not links:
        return
    data = row.__dict__
    for name in names:
        other = links.get(name)
        if other is None:
            continue
        relation = type(row).__db__.relations[name]
        for near, far in zip(relation.near, relation.far, strict=True):
            mine = data.get(near)
            if mine is None or mine != other.__dict__.get(far):
                del links[name]
                break


def settle(row: Any, relations: Iterable[Relation]) -> None:
    """Sets the keys of rows that were assigned before they had one.

    Raises:
        NotSaved: when such a row is still not saved.
    """
    links = links_of(row)
    if not links:
        return
    for relation in relations:
        other = links.get(relation.name)
        if other is None or all(row.__dict__.get(k) is not None for k in relation.near):
            continue
        values = tuple(other.__dict__.get(k) for k in relation.far)
        if None in values:
            raise NotSaved(
                f"{relation.label} is a {relation.cls.__name__} that is not in the database: save it first, "
                "or save(link_rule='write')"
            )
        for key, value in zip(relation.near, values, strict=True):
            setattr(row, key, value)
