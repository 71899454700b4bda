"""What changed since a row was loaded: one slot per instance.

The slot is unset or None for a new row, CLEAN for a loaded one that nobody touched (its fields-set is shared with all
rows of the statement), a dict {field: value before} from the first change on, and GONE after delete().
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel


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
"""The value before of a field that mark_changed() has written whatever it is."""


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
    """The wire bytes of the mutable columns of a row, or None."""
    try:
        return Slots.get_wire(row)
    except AttributeError:
        return None


def links_of(row: Any) -> dict[str, Any] | None:
    """The other sides of relations that the row has, by name, or None."""
    try:
        return Slots.get_links(row)  # type: ignore[no-any-return]
    except AttributeError:
        return None


def own(row: Any) -> dict[str, Any]:
    """Gives a clean row its own fields-set and an empty record of changes."""
    state: dict[str, Any] = {}
    set_fields(row, set(get_fields(row)))
    Slots.set_state(row, state)
    return state


def adopt(row: Any) -> None:
    """The first write to a row that Pydantic made: revalidation hands the same fields-set to several instances."""
    set_fields(row, set(get_fields(row)))
    Slots.set_state(row, None)


def carry(source: Any, copy: Any) -> Any:
    """Gives a copy of a row the state of its source."""
    state = state_of(source)
    Slots.set_state(
        copy, {} if state is CLEAN else dict(cast(dict[str, Any], state)) if isinstance(state, dict) else state
    )
    Slots.set_wire(copy, wire_of(source))
    links = links_of(source)
    if links:
        Slots.set_links(copy, dict(links))
    return copy
