"""Conflict: what an INSERT does with rows that are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.values import assignments

if TYPE_CHECKING:
    from data_bridge.orm.entity import Entity


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
            target: Any = ("constraint", self.constraint)
        elif self.columns:
            where = None
            if self.where is not None:
                where, params = (self.where.s,), self.where.p
            target = ("columns", tuple(("col", None, entity.field(c).name) for c in self.columns), where)
        else:
            target = None
        if self.update is None:
            return ("conflict", target, "nothing"), params
        update: Any = self.update
        if isinstance(update, Mapping):
            made = assignments(entity, update, (), {}, defaults=False)
            sets = tuple((f.name, s) for f, s, _ in made)
            params += tuple(v for _, _, p in made for v in p)
        else:
            sets = tuple((entity.field(k).name, ("col", "excluded", entity.field(k).name)) for k in update)
        return ("conflict", target, ("update", sets, None)), params


def conflict_clause(entity: Entity, on_conflict: Any) -> Any:
    """Structure and parameters of ON CONFLICT, or None."""
    if on_conflict is None:
        return None
    if on_conflict == "nothing":
        return ("conflict", None, "nothing"), ()
    if isinstance(on_conflict, Conflict):
        return on_conflict.structure(entity)
    raise ConfigurationError("on_conflict is 'nothing' or a Conflict")
