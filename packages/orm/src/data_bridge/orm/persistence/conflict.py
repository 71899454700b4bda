"""Conflict: what an INSERT does with rows that are there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.persistence.assignments import Assignment, assignments, update_defaults
from data_bridge.query.spi import build

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


class Conflict:
    """What insert_many() does with rows that are there: `Conflict(["email"], update=["name"])`; without `update`, nothing."""

    def __init__(
        self, columns: Sequence[Any] = (), *, constraint: str | None = None, where: Any = None, update: Any = None
    ) -> None:
        if columns and constraint:
            raise ConfigurationError("Conflict takes columns or a constraint, not both")
        self.columns = columns
        self.constraint = constraint
        self.where = where
        self.update = update

    def structure(self, entity: Entity) -> tuple[Any, tuple[Any, ...]]:
        """As it stands in the statement, and its parameters."""
        params: tuple[Any, ...] = ()
        if self.constraint:
            target: Any = build.on_constraint(self.constraint)
        elif self.columns:
            where = None
            if self.where is not None:
                where, params = (self.where.s,), self.where.p
            target = build.on_columns((entity.field(c).name for c in self.columns), where)
        else:
            target = None
        if not self.update:
            return build.conflict_nothing(target), params
        update: Any = self.update
        if isinstance(update, Mapping):
            made = assignments(entity, update, (), {})
        else:
            made = proposed(entity, [entity.field(k).key for k in update])
        params += tuple(v for _, _, p in made for v in p)
        return build.conflict_update(target, ((f.name, s) for f, s, _ in made)), params


def proposed(entity: Entity, keys: Iterable[str]) -> list[Assignment]:
    """DO UPDATE of these fields to the proposed values, and of what every UPDATE sets; nothing without fields."""
    fields = [entity.by_key[k] for k in keys if k != entity.revision and not entity.by_key[k].spec.computed]
    made: list[Assignment] = [(f, build.excluded(f.name), ()) for f in fields]
    return made + update_defaults(entity, {f.key for f in fields}) if made else made


def is_same_revision(entity: Entity) -> tuple[Any, ...]:
    """The condition that the row that is there has the proposed revision."""
    assert entity.revision is not None
    name = entity.by_key[entity.revision].name
    return (build.equal(build.column(entity.source.name, name), build.excluded(name)),)


def conflict_clause(entity: Entity, on_conflict: Any) -> Any:
    """Structure and parameters of ON CONFLICT, or None."""
    if on_conflict is None:
        return None
    if on_conflict == "nothing":
        return build.CONFLICT_NOTHING, ()
    if isinstance(on_conflict, Conflict):
        return on_conflict.structure(entity)
    raise ConfigurationError("on_conflict is 'nothing' or a Conflict")
