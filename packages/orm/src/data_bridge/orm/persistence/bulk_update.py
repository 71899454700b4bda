"""The changes of many rows: one UPDATE … FROM for up to 10,000 of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import ConfigurationError, NotSaved, RevisionConflict
from data_bridge.orm._events import Skip, Update, happening
from data_bridge.orm._state import ABSENT, CLEAN, GONE, known_wire, own, state_of
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.persistence import change_tracking, single_row
from data_bridge.orm.persistence.assignments import refuse_computed, stored
from data_bridge.orm.persistence.bulk_insert import BATCH, PARAMETERS, columns_of
from data_bridge.orm.persistence.in_flight import begin, land, land_written, seen, turn
from data_bridge.orm.persistence.one_entry import OneEntry
from data_bridge.orm.persistence.row_errors import named
from data_bridge.query import Node
from data_bridge.query.spi import build

_COUNT = LoadPlan.affected()
_NOTHING: dict[str, Any] = {}


class _Rows:
    """Rows that are written: what of each, what was there before, their indexes among those that were given, and the values
    that Python makes for this UPDATE.
    """

    __slots__ = ("fields", "indexes", "made", "rows", "states")

    def __init__(
        self,
        rows: list[Any],
        states: list[dict[str, Any]],
        fields: list[frozenset[str]],
        indexes: list[int],
        made: list[dict[str, Any]],
    ) -> None:
        self.rows, self.states, self.fields, self.indexes, self.made = rows, states, fields, indexes, made

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, low: int, high: int) -> _Rows:
        if low == 0 and high >= len(self.rows):
            return self
        at = slice(low, high)
        return _Rows(self.rows[at], self.states[at], self.fields[at], self.indexes[at], self.made[at])

    def values(self, key: str) -> list[Any]:
        """What is written of a field."""
        if any(key in made for made in self.made):
            return [
                made[key] if key in made else r.__dict__.get(key) for r, made in zip(self.rows, self.made, strict=True)
            ]
        return [r.__dict__.get(key) for r in self.rows]


async def bulk_update(entity: Entity, rows: Iterable[Any], fields: Sequence[Any] | None, skip: Skip, tx: Any) -> int:
    """Writes what changed in each row, or these fields of all; returns the number of rows that were there."""
    wanted = None if fields is None else frozenset(entity.field(f).key for f in fields)
    given = list(rows)
    executor = entity.writer(tx)
    hooks = entity.hooks
    if hooks is None or skip is True or not hooks.concern(Update):
        return await _write(entity, given, wanted, executor)
    touched = [
        r
        for r, s in zip(given, _states(given), strict=True)
        if wanted is not None or change_tracking.changed_fields(entity, r, s)
    ]
    count: int = await happening(hooks, [Update], touched, skip, executor, lambda e: _write(entity, given, wanted, e))
    return count


async def _write(entity: Entity, given: list[Any], wanted: frozenset[str] | None, executor: Any) -> int:
    flight = begin(executor, given) or await turn(executor, given)
    try:
        return await _write_all(entity, given, wanted, executor)
    finally:
        flight.end()


def _states(given: list[Any]) -> list[Any]:
    states = [*map(state_of, given)]
    for mark in (None, GONE):
        if mark in states:
            raise NotSaved(f"row {states.index(mark)} of bulk_update() is not in the database")
    return states


def _changed(entity: Entity, given: list[Any], wanted: frozenset[str] | None) -> _Rows:
    """What is to be written; every row of it has a record of its changes."""
    found = _Rows([], [], [], [], [])
    sets: dict[tuple[str, ...], frozenset[str]] = {}
    revision, defaults, is_checked = entity.revision, entity.update_defaults, entity.settings.validate_on_save
    named_fields = () if wanted is None else tuple(wanted)
    for i, (row, state) in enumerate(zip(given, _states(given), strict=True)):
        if wanted is None:
            changed = change_tracking.changed_fields(entity, row, state)
        elif entity.hooks is None:
            changed = named_fields
        else:  # what a function set before the event is written with what the caller names
            changed = tuple(wanted.union(change_tracking.changed_fields(entity, row, state)))
        if revision is not None:
            changed = tuple(k for k in changed if k != revision)
        if not changed:
            continue
        for k in named_fields:
            if k not in row.__dict__:
                getattr(row, k)  # says that it was not loaded
        if state is CLEAN:
            state = own(row)
        if is_checked:
            single_row.checked(entity, row, changed)
        made = single_row.python_defaults(entity, changed) if defaults else _NOTHING
        if made:
            changed = (*changed, *made)
        known = sets.get(changed)
        if known is None:
            refuse_computed(entity, changed)
            known = sets[changed] = frozenset(changed)
        found.rows.append(row)
        found.states.append(state)
        found.fields.append(known)
        found.indexes.append(i)
        found.made.append(made)
    return found


def _refuse_copies(entity: Entity, rows: list[Any]) -> None:
    """One statement changes a row once: of two copies one would be lost.

    Raises:
        ConfigurationError: two instances stand for one row.
    """
    data = [row.__dict__ for row in rows]
    columns = [[d[k] for d in data] for k in entity.pk_keys]
    keys: list[Any] = columns[0] if len(columns) == 1 else [*zip(*columns, strict=True)]
    if len(set(keys)) < len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise ConfigurationError(
            f"bulk_update() was given two changed copies of the {entity.label} with key {twice!r}: one would be lost"
        )


async def _write_all(entity: Entity, given: list[Any], wanted: frozenset[str] | None, executor: Any) -> int:
    written = _changed(entity, given, wanted)
    if not written:
        return 0
    _refuse_copies(entity, written.rows)
    size = BATCH
    touched = frozenset[str]().union(*set(written.fields))
    flat = not any(entity.by_key[k].type.family in ("array", "vector") for k in touched)
    if not flat:  # one parameter for each value
        size = min(BATCH, PARAMETERS // (2 * len(touched) + len(entity.pk_keys) + 1) - 1)
    if len(written) <= size and entity.revision is None:
        return await _batch(entity, written, executor, flat)
    count = 0
    async with pg_transaction(using=executor) as inner:
        for at in range(0, len(written), size):
            count += await _batch(entity, written.part(at, at + size), inner, flat)
    return count


async def _batch(entity: Entity, written: _Rows, executor: Any, flat: bool) -> int:
    touched = frozenset[str]().union(*set(written.fields))
    keys = tuple(k for k in entity.keys if k in touched)
    # What the database decides, and the bytes of documents, from which the next edit in place is told.
    decided = tuple(k for k in entity.decided if k not in keys)
    edited = tuple(k for k in entity.mutable if k in keys)
    rounded = tuple(k for k in keys if k in entity.rounded and not all(map(entity.rounded[k], written.values(k))))
    back = tuple(dict.fromkeys((*entity.pk_keys, *decided, *rounded, *edited))) if decided or rounded or edited else ()
    plan = entity.plan(back) if back else _COUNT

    async def run(low: int, high: int, on: Any) -> Any:
        return await on.run(*_statement(entity, written.part(low, high), keys, back, flat), plan)

    sent = {k: [r.__dict__.get(k, ABSENT) for r in written.rows] for k in keys}
    before = [
        seen(entity, r, (*decided, *rounded, *made)) if decided or rounded or made else _NOTHING
        for r, made in zip(written.rows, written.made, strict=True)
    ]
    found = await named(run, len(written), executor, "bulk_update()", lambda i: written.indexes[i])
    by_key = {_key_of(entity, r): r for r in found} if back else {}
    if entity.revision is not None and len(found) < len(written):
        missed = next(i for i, r in enumerate(written.rows) if _sent_key(entity, r, sent, i) not in by_key)
        index = written.indexes[missed]
        error = RevisionConflict(
            f"row {index} of bulk_update(), {entity.label} {written.rows[missed].pk!r}, was changed or deleted by another session "
            "since it was loaded: nothing was written"
        )
        error.row_index = index  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        raise error
    entry = OneEntry(executor)
    if not back:
        # Where some rows were missing, it is not known which: all stay changed, and save() finds out.
        if found == len(written) and not any(written.made):
            land_written(entity, written.rows, written.fields, sent, executor)
        elif found == len(written):
            for i, (row, changed) in enumerate(zip(written.rows, written.fields, strict=True)):
                made = written.made[i]
                values = {k: sent[k][i] for k in changed if k not in made}
                land(entity, row, entry, values, made, _NOTHING, before[i])
        return found  # type: ignore[no-any-return]
    for i, (row, changed) in enumerate(zip(written.rows, written.fields, strict=True)):
        loaded = by_key.get(_sent_key(entity, row, sent, i))
        if loaded is None:
            continue
        bytes_ = {k: v for k, v in known_wire(loaded).items() if k in changed or k in decided}
        made = written.made[i]
        came = {**{k: loaded.__dict__[k] for k in decided}, **made}
        came.update((k, loaded.__dict__[k]) for k in rounded if k in changed)
        land(entity, row, entry, {k: sent[k][i] for k in changed if k not in made}, came, bytes_, before[i])
    return len(found)


def _statement(
    entity: Entity, written: _Rows, keys: tuple[str, ...], back: tuple[str, ...], flat: bool
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    fields = [entity.by_key[k] for k in keys]
    rows, states, sets_of = written.rows, written.states, written.fields
    columns = [
        (
            f"k{i}",
            f.type.name,
            [s[f.key] if f.key in s else r.__dict__[f.key] for r, s in zip(rows, states, strict=True)],
        )
        for i, f in enumerate(entity.primary_key)
    ]
    # A field that only some rows changed has a mask beside it: the others keep what the database has.
    distinct = set(sets_of)
    masked = [not all(k in c for c in distinct) for k in keys]
    for i, (f, is_masked) in enumerate(zip(fields, masked, strict=True)):
        key = f.key
        values, mask = written.values(key), list[bool]()
        if is_masked:
            mask = [key in c for c in sets_of]
            values = [v if there else None for v, there in zip(values, mask, strict=True)]
        columns.append((f"v{i}", f.type.name, values if not flat else columns_of(entity, f, values)))
        if is_masked:
            columns.append((f"m{i}", "boolean", mask))
    where = [
        build.equal(build.column(entity.source.name, f.name), build.column("v", f"k{i}"))
        for i, f in enumerate(entity.primary_key)
    ]
    if entity.revision is not None:
        revision = entity.by_key[entity.revision]
        before = [change_tracking.revision_of(entity, r, s) for r, s in zip(rows, states, strict=True)]
        columns.append(("r", revision.type.name, before))
        where.append(build.equal(build.column(entity.source.name, revision.name), build.column("v", "r")))
    sets: list[Any] = []
    for i, (f, is_masked) in enumerate(zip(fields, masked, strict=True)):
        value: Any = build.column("v", f"v{i}")
        if is_masked:
            value = build.if_else(build.column("v", f"m{i}"), value, build.column(entity.source.name, f.name))
        sets.append((f.name, value))
    constants: tuple[Any, ...] = ()
    for name, default in entity.update_defaults:
        if isinstance(default, Node) and entity.source.columns[name].__column__.key not in keys:
            sets.append((name, default.s))
            constants += default.p
    names = tuple(n for n, _, _ in columns)
    params: tuple[Any, ...]
    if flat:
        source: Any = build.table_of_arrays((t for _, t, _ in columns), "v", names)
        params = tuple(values for _, _, values in columns)
    else:  # unnest() takes every dimension of an array apart
        source = build.table_of_rows((t for _, t, _ in columns), len(rows), "v", names)
        by_name = {f"v{i}": f for i, f in enumerate(fields)}
        made = [[stored(entity, by_name[n], v) for v in values] if n in by_name else values for n, _, values in columns]
        params = tuple(v for line in zip(*made, strict=True) for v in line)
    returning = (build.columns(entity.source.name, (entity.by_key[k].name for k in back)),) if back else None
    ir = build.update(entity.table, sets, tuple(where), returning=returning, sources=(source,))
    return ir, (*constants, *params)


def _sent_key(entity: Entity, row: Any, sent: dict[str, list[Any]], i: int) -> tuple[Any, ...]:
    """The key under which a row is in the database now."""
    return tuple(sent[k][i] if k in sent else row.__dict__[k] for k in entity.pk_keys)


def _key_of(entity: Entity, row: Any) -> tuple[Any, ...]:
    return tuple(row.__dict__[k] for k in entity.pk_keys)
