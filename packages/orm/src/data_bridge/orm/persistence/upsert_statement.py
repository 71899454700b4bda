"""Upsert: INSERT … ON CONFLICT DO UPDATE … RETURNING for rows that set the same fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConfigurationError, RevisionConflict
from data_bridge.orm.persistence import single_row
from data_bridge.orm.persistence.assignments import assignments, stored
from data_bridge.orm.persistence.brought_rows import Brought
from data_bridge.orm.persistence.bulk_insert import columns_of, has_arrays
from data_bridge.orm.persistence.conflict import Conflict, is_same_revision, one_or_many, proposed
from data_bridge.orm.persistence.row_errors import named
from data_bridge.query.spi import build

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


class Upsert:
    """The statement of upsert() and upsert_many().

    A row that is new gets all fields of the instance. Of a row that is there just the named fields are written, by default
    those that were given (not Python's defaults, not the key), and what every UPDATE sets. With a revision that was given the
    row has to be that revision.
    """

    __slots__ = ("_clause", "_entity", "_given", "_params", "_targets", "_written", "is_conditional", "is_flat")

    def __init__(self, entity: Entity, rows: Sequence[Any], conflict: Sequence[Any] | Conflict, update: Any) -> None:
        self._entity = entity
        update = one_or_many(update)
        on = conflict if isinstance(conflict, Conflict) else Conflict(conflict)
        if on.update or not (on.columns or on.constraint):
            raise ConfigurationError(
                "upsert() needs the columns of a unique index, conflict=[…] or a Conflict with them, and takes update= itself"
            )
        self._targets = on.fields(entity)
        self._given = given = single_row._given(entity, rows[0])
        fields = frozenset(given)
        named_fields = fields.intersection(single_row.said(rows[0]))
        for row in rows:
            if single_row._given(entity, row) != given or fields.intersection(single_row.said(row)) != named_fields:
                raise ConfigurationError("upsert_many() needs rows that set the same fields")
        self.is_conditional = entity.revision in named_fields
        self.is_flat = bool(given) and not has_arrays(entity.by_key[k] for k in given)
        if isinstance(update, Mapping):
            made = assignments(entity, update, (), {})
        else:
            if update is None:
                out = {*entity.pk_keys, *(f.key for f in self._targets)}
                chosen = [k for k in given if k in named_fields and k not in out]
            else:
                chosen = [entity.field(c).key for c in update]
            made = proposed(entity, chosen)
        # DO NOTHING would not bring the row back: setting the target to itself does.
        sets = (
            tuple((f.name, s) for f, s, _ in made)
            or tuple((f.name, build.excluded(f.name)) for f in self._targets if not on.constraint)
            or tuple((n, build.column(entity.source.name, n)) for n in entity.pk_names[:1])
        )
        self._written = {f.key for f, _, _ in made}
        self._params = tuple(v for _, _, p in made for v in p)
        target = on.target(entity)
        where = is_same_revision(entity) if self.is_conditional else None
        self._clause = build.conflict_update(target, sets, where)

    async def run(self, rows: list[Any], executor: Any, first: int) -> list[tuple[Any, bool]]:
        """Writes the rows, of which the first has that index; returns each, and whether it is new."""
        entity, given = self._entity, self._given
        names = tuple(entity.by_key[k].name for k in given)
        returning = (build.columns(None, (f.name for f in entity.loaded)), build.WAS_INSERTED)
        plan = entity.mixed([(entity, len(entity.loaded), False), (None, 1, False)])
        if entity.settings.validate_on_save:
            for row in rows:
                single_row.checked(entity, row, given)

        fields = [entity.by_key[k] for k in given]

        async def run(low: int, high: int, on: Any) -> Any:
            part = rows[low:high]
            params: Sequence[Any]
            if self.is_flat and len(part) > 1:
                rows_of = build.rows_of_arrays(f.type.name for f in fields)
                params = [columns_of(entity, f, [r.__dict__[f.key] for r in part]) for f in fields]
            else:
                rows_of = build.several_rows(len(part))
                params = [stored(entity, f, r.__dict__[f.key]) for r in part for f in fields]
            ir = build.insert(entity.table, names, rows_of, conflict=self._clause, returning=returning)
            return await on.run(ir, (*params, *self._params), plan)

        brought = Brought(entity, rows)
        with brought.taken_off():
            # upsert() is this with one row: like save(), one round trip in a transaction, too.
            found = await named(run, len(rows), executor, "upsert_many()", lambda i: first + i, saves=len(rows) > 1)
            if len(found) < len(rows):
                raise self._conflict(rows, [loaded for loaded, _ in found], first)
        brought.settle(enumerate([loaded for loaded, _ in found]), executor, given)
        return [(row, bool(is_new)) for row, (_, is_new) in zip(rows, found, strict=True)]

    def _conflict(self, rows: list[Any], found: list[Any], first: int) -> RevisionConflict:
        targets = [f.key for f in self._targets]
        there = [tuple(r.__dict__[k] for k in targets) for r in found]
        missed = next((i for i, r in enumerate(rows) if tuple(r.__dict__[k] for k in targets) not in there), 0)
        error = RevisionConflict(
            f"row {first + missed} of upsert_many(), a {self._entity.label}, has another revision in the database than the one "
            "that was given: get() the row that is there"
        )
        error.row_index = first + missed  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        return error
