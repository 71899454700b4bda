"""TrackedModel: a Pydantic model that knows what changed since it was loaded, and copies and pickles with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from data_bridge.core.errors import ColumnNotLoaded, LinkNotLoaded
from data_bridge.orm._called import refuse_call
from data_bridge.orm._state import (
    ABSENT,
    CLEAN,
    FORCED,
    GONE,
    NOT_LOADED,
    Slots,
    adopt,
    carry,
    detached,
    known_wire,
    links_of,
    own,
    point,
    state_of,
)
from data_bridge.orm.mapping.documents import is_same
from data_bridge.orm.persistence import change_tracking
from data_bridge.orm.queries.borrowed_names import ON_ROW, found
from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.descriptors import assign, relation_of

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_assign = BaseModel.__setattr__


class TrackedModel(BaseModel):
    """The instance side of Table: assignments are noted with the value before; nothing here talks to a database."""

    __slots__ = ("__db_links__", "__db_state__", "__db_wire__")
    __db_relation_names__: ClassVar[frozenset[str]] = frozenset()
    if TYPE_CHECKING:
        __db__: ClassVar[Entity]

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            state = _get_state(self)  # pyright: ignore[reportUnknownVariableType]
        except AttributeError:
            adopt(self)
            state = None
        entity = type(self).__db__
        if entity is not None and name in entity.documents:  # pyright: ignore[reportUnnecessaryComparison]
            value = entity.assigned(name, value)
        if state is None or state is GONE:
            if name in type(self).__db_relation_names__:
                assign(self, relation_of(type(self), name), value)
                return
            _assign(self, name, value)
            if entity is not None and name in entity.near:  # pyright: ignore[reportUnnecessaryComparison]
                point(self, entity.near[name])
            return
        if state is CLEAN:
            state = own(self)
        data = self.__dict__
        if name in entity.plain:
            if name not in state:
                state[name] = data.get(name, ABSENT)
            data[name] = value  # pyright: ignore[reportIndexIssue]
            self.__pydantic_fields_set__.add(name)
        elif name in entity.by_key:
            before = dict(data)
            _assign(self, name, value)  # may raise, may replace __dict__, and validators may set other fields
            for k, now in self.__dict__.items():
                if k not in state and k in entity.by_key and (k not in before or before[k] is not now):
                    state[k] = before.get(k, ABSENT)
        elif name in entity.relations:
            assign(self, entity.relations[name], value)
            return
        else:
            _assign(self, name, value)
            return
        if name in entity.near:
            point(self, entity.near[name])

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            entity = type(self).__dict__.get("__db__")
            if entity is not None and name in entity.by_key:
                raise ColumnNotLoaded(
                    f"{entity.label}.{name} was not loaded: add it to select(), or `await row.refresh({name!r})`"
                )
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name not in ON_ROW:
                    raise
            label = type(self).__name__
            return found(ON_ROW, self, name, label, f"a {label}")

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What repr() shows. A computed field that reads what was not loaded must not fail in tracebacks and debuggers."""
        try:
            return list(super().__repr_args__())
        except (ColumnNotLoaded, LinkNotLoaded):
            shown: list[tuple[str | None, Any]] = [
                (k, v) for k, v in self.__dict__.items() if k in (fields := type(self).model_fields) and fields[k].repr
            ]
            for name, field in type(self).model_computed_fields.items():
                if field.repr:
                    try:
                        shown.append((name, getattr(self, name)))
                    except (ColumnNotLoaded, LinkNotLoaded):
                        shown.append((name, NOT_LOADED))
            return shown

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were given or loaded."""
        state = state_of(self)
        if state is CLEAN:
            own(self)
        elif state is None:
            adopt(self)
        return self.__pydantic_fields_set__

    @property
    def is_changed(self) -> bool:
        """Whether save() would write anything."""
        refuse_call("row", "is_changed")
        state = state_of(self)
        return state is None or (
            state is not GONE and bool(change_tracking.changed_fields(entity_of(type(self)), self, state))
        )

    def get_changes(self) -> dict[str, Any]:
        """The fields that save() would write, with their values."""
        state = state_of(self)
        if state is None:
            return {k: self.__dict__[k] for k in self.model_fields_set if k in self.__dict__}
        if state is GONE:
            return {}
        return {k: self.__dict__[k] for k in change_tracking.changed_fields(entity_of(type(self)), self, state)}

    def get_previous_changes(self) -> dict[str, Any]:
        """The fields that save() would write, with the values that the database has; not those that were never loaded."""
        state = state_of(self)
        if state is None or state is GONE:
            return {}
        entity = entity_of(type(self))
        changed = change_tracking.changed_fields(entity, self, state)
        before = {k: change_tracking.value_before(entity, self, state, k) for k in changed}
        return {k: v for k, v in before.items() if v is not ABSENT and not is_same(v, self.__dict__[k])}

    def discard_changes(self) -> None:
        """Brings back the values that were loaded; what was edited in place, too."""
        state = state_of(self)
        if state is CLEAN:
            state = own(self)
        if not isinstance(state, dict):
            return
        entity, data = entity_of(type(self)), self.__dict__
        wire = known_wire(self)
        for k, bytes_ in wire.items():
            if k not in data or not entity.is_stored(k, bytes_, data[k]):
                data[k] = entity.original(k, bytes_)  # pyright: ignore[reportIndexIssue]
        for k, before in dict[Any, Any](state).items():  # pyright: ignore[reportUnknownArgumentType]
            if k in wire or k not in entity.by_key:
                continue
            if before is ABSENT:
                data.pop(k, None)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
                self.__pydantic_fields_set__.discard(k)
            else:
                data[k] = before  # pyright: ignore[reportIndexIssue]
        for relation in entity.links:
            point(self, (relation.name,))
        Slots.set_state(self, {})

    def mark_changed(self, *fields: str) -> None:
        """Makes save() write these fields, whatever is known of them."""
        state = state_of(self)
        if state is None or state is GONE:
            return
        record: dict[Any, Any] = own(self) if state is CLEAN else state
        for f in fields:
            key = entity_of(type(self)).field(f).key
            if key not in entity_of(type(self)).pk_keys:
                record.setdefault(FORCED, set()).add(key)

    @property
    def pk(self) -> Any:
        """The key: a value, or a tuple for several columns."""
        entity = entity_of(type(self))
        values = tuple(self.__dict__.get(k) for k in entity.pk_keys)
        return values[0] if len(values) == 1 else values

    def __copy__(self) -> Self:
        return carry(self, super().__copy__())  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        made: Self = carry(self, super().__deepcopy__(memo))
        links = links_of(self)
        if links:
            memo[id(self)] = made  # rows may hold each other
            Slots.set_links(made, copy.deepcopy(links, memo))
        return made

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy of the row, of the same row in the database; what `update` sets counts as changed.

        With a key of None it is a copy that is new: save() inserts it, and the database makes its key.
        """
        names = self.__db_relation_names__
        given = {} if not update or names.isdisjoint(update) else {k: v for k, v in update.items() if k in names}
        made = super().model_copy(update={k: v for k, v in (update or {}).items() if k not in given}, deep=deep)
        state = state_of(made)
        if update and isinstance(state, dict):
            entity = entity_of(type(self))
            if any(k in update and update[k] is None for k in entity.pk_keys):
                Slots.set_state(made, None)  # without a key it is another row
                Slots.set_wire(made, None)
            for k in update:
                if k in entity.by_key:
                    state.setdefault(k, self.__dict__.get(k, ABSENT))  # pyright: ignore[reportUnknownMemberType]
        if update and links_of(made):
            point(made, {n for k in update for n in entity_of(type(self)).near.get(k, ())})
        for k, v in given.items():
            assign(made, relation_of(type(made), k), v)
        return made

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        own_state = state_of(self)
        # The memo of pickle would keep the set of a statement's rows shared between the copies.
        state["__pydantic_fields_set__"] = set(state["__pydantic_fields_set__"])
        state["__db_state__"] = detached(own_state)
        state["__db_wire__"] = None if own_state is None else dict(known_wire(self))
        if links := links_of(self):
            state["__db_links__"] = links
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        Slots.set_state(self, state.pop("__db_state__", None))
        Slots.set_wire(self, state.pop("__db_wire__", None))
        if links := state.pop("__db_links__", None):
            Slots.set_links(self, links)
        super().__setstate__(state)


Slots.get_state = _get_state = TrackedModel.__db_state__.__get__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Slots.set_state = TrackedModel.__db_state__.__set__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Slots.get_wire = TrackedModel.__db_wire__.__get__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Slots.set_wire = TrackedModel.__db_wire__.__set__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Slots.get_links = TrackedModel.__db_links__.__get__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Slots.set_links = TrackedModel.__db_links__.__set__  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
