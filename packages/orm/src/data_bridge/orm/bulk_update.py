"""The changes of many rows: one UPDATE … FROM for up to 10,000 of them."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import NotSaved, RevisionConflict
from data_bridge.orm import changes, persist
from data_bridge.orm.bulk import BATCH, PARAMETERS, columns_of
from data_bridge.orm.entity import Entity
from data_bridge.orm.events import Skip, Update, happening
from data_bridge.orm.failing_row import named
from data_bridge.orm.persist import executor_for
from data_bridge.orm.state import CLEAN, GONE, Slots, own, state_of, wire_of
from data_bridge.orm.values import stored
from data_bridge.query.nodes import Node

_COUNT = LoadPlan.affected()
Changes = list[tuple[Any, frozenset[str]]]
"""Rows with the fields that are to be written."""


async def bulk_update(entity: Entity, rows: Iterable[Any], fields: Sequence[Any] | None, skip: Skip, tx: Any) -> int:
    """Writes what changed in each row, or these fields of all; gives the number of rows that were there."""
    wanted = None if fields is None else frozenset(entity.field(f).key for f in fields)
    given = list(rows)
    executor = executor_for(entity, tx)
    hooks = entity.hooks
    if hooks is None or skip is True or not hooks.concern(Update):
        return await _write(entity, given, wanted, executor)
    states = [_state(row, i) for i, row in enumerate(given)]
    touched = [
        r for r, s in zip(given, states, strict=True) if wanted is not None or changes.changed_fields(entity, r, s)
    ]
    count: int = await happening(hooks, [Update], touched, skip, executor, lambda e: _write(entity, given, wanted, e))
    return count


def _state(row: Any, index: int) -> Any:
    state = state_of(row)
    if state is None or state is GONE:
        raise NotSaved(f"row {index} of bulk_update() is not in the database")
    return state


async def _write(entity: Entity, given: list[Any], wanted: frozenset[str] | None, executor: Any) -> int:
    written: Changes = []
    indexes: list[int] = []
    sets: dict[tuple[str, ...], frozenset[str]] = {}
    revision, defaults, is_checked = entity.revision, entity.update_defaults, entity.settings.validate_on_save
    for i, row in enumerate(given):
        state = _state(row, i)
        if wanted is None:
            changed = changes.changed_fields(entity, row, state)
        elif entity.hooks is None:
            changed = tuple(wanted)
        else:  # what a function set before the event is written with what the caller names
            changed = tuple(wanted.union(changes.changed_fields(entity, row, state)))
        if revision is not None:
            changed = tuple(k for k in changed if k != revision)
        if not changed:
            continue
        if state is CLEAN:
            own(row)
        if defaults:
            changed = persist.with_defaults(entity, row, changed)
        if is_checked:
            persist.checked(entity, row, changed)
        known = sets.get(changed)
        if known is None:
            known = sets[changed] = frozenset(changed)
        written.append((row, known))
        indexes.append(i)
    if not written:
        return 0
    size = BATCH
    touched = frozenset[str]().union(*sets.values())
    flat = not any(entity.by_key[k].type.family in ("array", "vector") for k in touched)
    if not flat:  # one parameter for each value
        size = min(BATCH, PARAMETERS // (2 * len(touched) + len(entity.pk_keys) + 1) - 1)
    if len(written) <= size and entity.revision is None:
        return await _batch(entity, written, indexes, executor, flat)
    count = 0
    async with pg_transaction(using=executor) as inner:
        for at in range(0, len(written), size):
            count += await _batch(entity, written[at : at + size], indexes[at : at + size], inner, flat)
    return count


async def _batch(entity: Entity, written: Changes, indexes: list[int], executor: Any, flat: bool) -> int:
    touched = frozenset[str]().union(*{c for _, c in written})
    keys = tuple(k for k in entity.keys if k in touched)
    edited = tuple(k for k in entity.mutable if k in keys)
    # Their bytes, from which the next edit in place is told; and who was there, where that is a question.
    back = (*entity.pk_keys, *edited) if edited or entity.revision is not None else ()
    if entity.revision == "xmin":
        back += ("xmin",)
    plan = entity.plan(back) if back else _COUNT

    async def run(low: int, high: int, on: Any) -> Any:
        return await on.run(*_statement(entity, written[low:high], keys, back, flat), plan)

    for row, _ in written:
        changes.remember(executor, row, () if entity.revision is None else (entity.revision,))
    found = await named(run, len(written), executor, "bulk_update()", lambda i: indexes[i])
    by_key = {_key_of(entity, r): r for r in found} if back else {}
    if entity.revision is not None and len(found) < len(written):
        missed = next(i for i, (r, _) in enumerate(written) if _key_of(entity, r) not in by_key)
        error = RevisionConflict(
            f"row {indexes[missed]} of bulk_update(), {entity.label} {written[missed][0].pk!r}, was changed or deleted by somebody else "
            "since it was loaded: nothing was written"
        )
        error.row_index = indexes[missed]  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        raise error
    for row, changed in written:
        loaded = by_key.get(_key_of(entity, row)) if back else None
        if entity.revision == "xmin":
            row.__dict__["xmin"] = loaded.__dict__["xmin"]
        _done(entity, row, changed, edited, loaded if edited else None)
    return len(found) if back else found


def _statement(
    entity: Entity, written: Changes, keys: tuple[str, ...], back: tuple[str, ...], flat: bool
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    fields = [entity.by_key[k] for k in keys]
    rows = [r for r, _ in written]
    # A field that only some rows changed has a mask beside it: the others keep what the database has.
    masked = [not all(k in c for _, c in written) for k in keys]
    data = [[r.__dict__.get(k) if k in c else None for r, c in written] for k in keys]
    originals = list(zip(*(changes.original_key(entity, r, state_of(r)) for r in rows), strict=True))
    columns: list[tuple[str, str, list[Any]]] = [
        (f"k{i}", f.type.name, list(v)) for i, (f, v) in enumerate(zip(entity.primary_key, originals, strict=True))
    ]
    for i, (f, values, is_masked) in enumerate(zip(fields, data, masked, strict=True)):
        columns.append((f"v{i}", f.type.name, values if not flat else columns_of(entity, f, values)))
        if is_masked:
            columns.append((f"m{i}", "boolean", [f.key in c for _, c in written]))
    where = [
        ("=", ("col", entity.source.name, f.name), ("col", "v", f"k{i}")) for i, f in enumerate(entity.primary_key)
    ]
    if entity.revision is not None:
        revision = entity.by_key[entity.revision]
        before = [changes.revision_of(entity, r, state_of(r)) for r in rows]
        columns.append(("r", revision.type.name, before))
        where.append(("=", ("col", entity.source.name, revision.name), ("col", "v", "r")))
    sets: list[Any] = []
    for i, (f, is_masked) in enumerate(zip(fields, masked, strict=True)):
        value: Any = ("col", "v", f"v{i}")
        if is_masked:
            value = ("case", None, ((("col", "v", f"m{i}"), value),), ("col", entity.source.name, f.name))
        sets.append((f.name, value))
    constants: tuple[Any, ...] = ()
    for name, default in entity.update_defaults:
        if isinstance(default, Node) and entity.source.columns[name].key not in keys:
            sets.append((name, default.s))
            constants += default.p
    names = tuple(n for n, _, _ in columns)
    params: tuple[Any, ...]
    if flat:
        source: Any = ("func", ("call", "unnest", *(("$", f"{t}[]") for _, t, _ in columns)), "v", names, None)
        params = tuple(values for _, _, values in columns)
    else:  # unnest() takes every dimension of an array apart
        line = tuple(("$", t) for _, t, _ in columns)
        source = ("values", (line,) * len(rows), "v", names)
        by_name = {f"v{i}": f for i, f in enumerate(fields)}
        made = [[stored(entity, by_name[n], v) for v in values] if n in by_name else values for n, _, values in columns]
        params = tuple(v for line in zip(*made, strict=True) for v in line)
    returning = (("cols", entity.source.name, *(entity.by_key[k].name for k in back)),) if back else None
    ir = ("update", entity.table, tuple(sets), tuple(where), returning, (("from", source),))
    return ir, (*constants, *params)


def _done(entity: Entity, row: Any, changed: frozenset[str], edited: tuple[str, ...], loaded: Any) -> None:
    if entity.revision not in (None, "xmin") and entity.revision in row.__dict__:
        row.__dict__[entity.revision] += 1
    state = state_of(row)
    state = own(row) if state is CLEAN else state
    Slots.set_state(row, {k: v for k, v in state.items() if k not in changed})
    if loaded is None:
        return
    known = changes.known_wire(entity, row)
    kept = tuple(k for k in edited if k in row.__dict__)
    bytes_ = dict(zip(edited, wire_of(loaded), strict=True))
    Slots.set_wire(row, tuple(bytes_[k] for k in kept))
    changes.keep_wire(entity, row, known, kept)


def _key_of(entity: Entity, row: Any) -> tuple[Any, ...]:
    return tuple(row.__dict__[k] for k in entity.pk_keys)
