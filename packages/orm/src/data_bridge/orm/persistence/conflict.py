"""Conflict: what an INSERT does with rows that are there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.persistence.assignments import Assignment, assignments, update_defaults
from data_bridge.query import ColumnProxy, Node
from data_bridge.query.spi import build, inlined

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.field import Field


class Conflict:
    """What insert_many() does with rows that are there: `Conflict(["email"], update=["name"])`; without `update`, nothing.

    Args:
        columns: a column of a unique index, or several, by name or as columns, and its expressions:
            `[func.lower(User.email)]`.
        constraint: the name of a constraint, instead of columns.
        where: the condition of a partial index, such as `User.deleted_at.is_null()`.
        update: a field that takes the proposed value, or several, or what update() takes as a mapping.
        update_where: the condition for rows that are there to be updated; others stay as they are.

    >>> def by_lower_email(User, func):
    ...     return Conflict([func.lower(User.email)], where=User.deleted_at.is_null(), update=["name"])
    """

    def __init__(
        self,
        columns: Any = (),
        *,
        constraint: str | None = None,
        where: Any = None,
        update: Any = None,
        update_where: Any = None,
    ) -> None:
        columns, update = one_or_many(columns), one_or_many(update)
        if columns and constraint:
            raise ConfigurationError("Conflict takes columns or a constraint, not both")
        if where is not None and not columns:
            raise ConfigurationError("Conflict(where=…) is the condition of a partial index: name its columns")
        if update_where is not None and not update:
            raise ConfigurationError("Conflict(update_where=…) belongs to update=…")
        self.columns = columns
        self.constraint = constraint
        self.where = where
        self.update = update
        self.update_where = update_where

    def target(self, entity: Entity) -> Any:
        """The target of ON CONFLICT; None for any conflict.

        Raises:
            TypeError: for what is not a column, and for a value that cannot be written into the text.
        """
        if self.constraint:
            return build.on_constraint(self.constraint)
        if not self.columns:
            return None
        where = None if self.where is None else (inlined(self.where.s, self.where.p),)
        return build.on_expressions([_target(entity, c) for c in self.columns], where)

    def fields(self, entity: Entity) -> list[Field]:
        """The fields of the conflict, as far as they are known: those that are named, or those of the constraint."""
        if self.constraint:
            known = next((c for c in entity.definition.constraints if c.name == self.constraint), None)
            return [] if known is None else [entity.field(name) for name in known.columns]
        return [entity.field(c) for c in self.columns if not _is_expression(c)]

    def structure(self, entity: Entity) -> tuple[Any, tuple[Any, ...]]:
        """Its structure in a statement, and its parameters."""
        target = self.target(entity)
        if not self.update:
            return build.conflict_nothing(target), ()
        update: Any = self.update
        if isinstance(update, Mapping):
            made = assignments(entity, update, (), {})
        else:
            made = proposed(entity, [entity.field(k).key for k in update])
        params = tuple(v for _, _, p in made for v in p)
        where = None
        if self.update_where is not None:
            where, params = (self.update_where.s,), params + self.update_where.p
        return build.conflict_update(target, ((f.name, s) for f, s, _ in made), where), params


def one_or_many(given: Any) -> Any:
    """What is given alone, in a tuple: a text would be taken for a sequence of one-letter names."""
    return (given,) if isinstance(given, (str, Node)) else given


def _is_expression(column: Any) -> bool:
    return isinstance(column, Node) and not isinstance(column, ColumnProxy)


def _target(entity: Entity, column: Any) -> Any:
    if _is_expression(column):
        return inlined(column.s, column.p)
    return build.column(None, entity.field(column).name)


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


def conflict_clause(entity: Entity, on_conflict: Any) -> tuple[Any, tuple[Any, ...], Conflict | None] | None:
    """Structure and parameters of ON CONFLICT, and the Conflict that they are made of; or None."""
    if on_conflict is None:
        return None
    if on_conflict == "nothing":
        return build.CONFLICT_NOTHING, (), None
    if isinstance(on_conflict, Conflict):
        return *on_conflict.structure(entity), on_conflict
    raise ConfigurationError("on_conflict is 'nothing' or a Conflict")
