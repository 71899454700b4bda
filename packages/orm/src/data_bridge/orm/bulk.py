"""Many rows at once: INSERT through unnest, UPDATE … FROM unnest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import AlreadySaved, ConfigurationError, DatabaseError, NotSaved
from data_bridge.orm import persist
from data_bridge.orm.entity import Entity
from data_bridge.orm.persist import executor_for
from data_bridge.orm.state import CLEAN, GONE, Slots, own, state_of, wire_of
from data_bridge.orm.values import assignments, stored
from data_bridge.query.nodes import Node

T = TypeVar("T")
BATCH = 10_000
PARAMETERS = 65_535
"""The protocol counts the parameters of a statement in 16 bits."""
_COUNT = LoadPlan.affected()
_WITH_TX = {
    *("get", "get_or_none", "get_many", "find_one", "create", "insert_many", "bulk_update", "upsert", "upsert_many"),
    *("get_or_create", "update_or_create", "raw"),
}


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


def as_row(entity: Entity, given: Any) -> Any:
    """An instance, made of a mapping where need be."""
    if isinstance(given, entity.cls):
        return given
    if isinstance(given, Mapping):
        return entity.cls(**given)
    raise TypeError(f"rows are {entity.label} instances or mappings, not {type(given).__name__}")


def _conflict(entity: Entity, on_conflict: Any) -> Any:
    if on_conflict is None:
        return None
    if on_conflict == "nothing":
        return ("conflict", None, "nothing"), ()
    if isinstance(on_conflict, Conflict):
        return on_conflict.structure(entity)
    raise ConfigurationError("on_conflict is 'nothing' or a Conflict")


async def insert_many(
    entity: Entity,
    rows: Iterable[Any],
    on_conflict: Any,
    batch_size: int | None,
    returning: bool,
    tx: Any,
    progress: Callable[[int], Any] | None,
) -> Any:
    """All rows or none; batches of one statement, in one transaction when there are several."""
    size = BATCH if batch_size is None else batch_size
    if size < 1:
        raise ConfigurationError(f"batch_size={size} is less than one row")
    if any(f.type.family in ("array", "vector") for f in entity.fields):  # one parameter for each value
        size = min(size, PARAMETERS // len(entity.fields) - 1)
    conflict = _conflict(entity, on_conflict)
    source = iter(rows)
    first = [as_row(entity, r) for r in islice(source, size)]
    if not first:
        return [] if returning else 0
    written: list[Any] = []
    done = 0
    second = [as_row(entity, r) for r in islice(source, size)]

    async def write(batch: list[Any]) -> None:
        nonlocal done
        result = await _insert_batch(entity, batch, conflict, returning, tx, done)
        if returning:
            written.extend(result)
        done += len(batch) if returning and conflict is None else (len(result) if returning else result)
        if progress is not None:
            progress(done)

    if not second and _single_shape(entity, first):
        await write(first)
        return written if returning else done
    async with pg_transaction(using=executor_for(entity, tx), nested="savepoint") as inner:
        tx = inner
        for batch in (first, second):
            if batch:
                await write(batch)
        while batch := [as_row(entity, r) for r in islice(source, size)]:
            await write(batch)
    return written if returning else done


def _single_shape(entity: Entity, batch: list[Any]) -> bool:
    if entity.shapes.get("fixed") is None:
        entity.shapes["fixed"] = not any(
            f.spec.is_filled_by_server for f in entity.fields if f not in entity.primary_key
        )
    given = persist._given(entity, batch[0])
    return all(persist._given(entity, r) == given for r in batch)


async def _insert_batch(entity: Entity, batch: list[Any], conflict: Any, returning: bool, tx: Any, before: int) -> Any:
    """One statement for each set of fields that the rows give."""
    groups: dict[tuple[str, ...], list[tuple[int, Any]]] = {}
    if len({id(row) for row in batch}) < len(batch):
        raise AlreadySaved(f"insert_many() was given the same {entity.label} instance twice")
    for i, row in enumerate(batch):
        if state_of(row) not in (None, GONE):
            raise AlreadySaved(f"row {before + i} of insert_many() is in the database already")
        groups.setdefault(persist._given(entity, row), []).append((i, row))
    count = 0
    placed: list[tuple[int, Any]] = []
    for given, members in groups.items():
        rows = [r for _, r in members]
        try:
            result = await _insert_rows(entity, given, rows, conflict, returning, tx)
        except DatabaseError as e:
            e.row_index = before + members[0][0] if len(members) == 1 else None  # type: ignore[attr-defined]
            raise
        if not returning:
            count += result
        elif conflict is None:
            placed += members
        else:
            placed += [(members[0][0], r) for r in result]
    if not returning:
        return count
    placed.sort(key=lambda pair: pair[0])
    return [r for _, r in placed]


def _columns(entity: Entity, given: tuple[str, ...], rows: list[Any]) -> list[list[Any]]:
    columns: list[list[Any]] = []
    for key in given:
        field = entity.by_key[key]
        python = field.type.python
        values = [r.__dict__[key] for r in rows]
        if not all(v is None or type(v) is python for v in values):
            values = [stored(entity, field, v) for v in values]
        columns.append(values)
    return columns


async def _insert_rows(
    entity: Entity, given: tuple[str, ...], rows: list[Any], conflict: Any, returning: bool, tx: Any
) -> Any:
    fields = [entity.by_key[k] for k in given]
    names = tuple(f.name for f in fields)
    filled = tuple(f.key for f in entity.fields if f.spec.is_filled_by_server and f.key not in given)
    filled += tuple(k for k in entity.pk_keys if k not in given and k not in filled)
    wanted = filled + entity.mutable
    back = tuple(dict.fromkeys(wanted)) if conflict is None else tuple(f.key for f in entity.loaded)
    names_back = (("cols", None, *(entity.by_key[k].name for k in back)),) if returning and back else None
    if not fields or any(f.type.family in ("array", "vector") for f in fields):
        # unnest() takes every dimension apart: rows with array columns go as a list of rows.
        source: Any = ("rows", len(rows)) if fields else None
        if not fields and len(rows) > 1:
            raise ConfigurationError(f"insert_many() of {entity.label} needs at least one value per row")
        params = tuple(stored(entity, f, r.__dict__[f.key]) for r in rows for f in fields)
    else:
        source = ("unnest", *(f.type.name for f in fields))
        params = tuple(_columns(entity, given, rows))
    clause = None
    if conflict is not None:
        clause = conflict[0]
        params += conflict[1]
    ir = ("insert", entity.table, names, source, clause, names_back, None)
    executor = executor_for(entity, tx)
    if not returning or (conflict is None and not back):
        count: int = await executor.run(ir, params, _COUNT)
        if returning:
            _mark(executor, rows, ())
            return rows
        return count
    if conflict is not None:
        return await executor.run(ir, params, entity.plan())
    found = await executor.run(
        ir, params, entity.plan(back) if entity.mutable else LoadPlan.rows(tuple) if len(back) > 1 else _SCALARS
    )
    _mark(executor, rows, back)
    if entity.mutable:
        for row, loaded in zip(rows, found, strict=True):
            for k in back:
                if k not in entity.mutable:
                    row.__dict__[k] = loaded.__dict__[k]
            Slots.set_wire(row, wire_of(loaded))
    elif len(back) == 1:
        only = back[0]
        for row, value in zip(rows, found, strict=True):
            row.__dict__[only] = value
    else:
        for row, values in zip(rows, found, strict=True):
            row.__dict__.update(zip(back, values, strict=True))
    return rows


_SCALARS = LoadPlan.scalars()


def _mark(executor: Any, rows: list[Any], keys: tuple[str, ...]) -> None:
    for row in rows:
        persist.remember(executor, row, keys)
        Slots.set_state(row, {})


async def bulk_update(entity: Entity, rows: Iterable[Any], fields: Sequence[Any] | None, tx: Any) -> int:
    """One UPDATE … FROM unnest per set of changed fields and 10,000 rows."""
    wanted = None if fields is None else tuple(entity.field(f).key for f in fields)
    groups: dict[tuple[str, ...], list[Any]] = {}
    for i, row in enumerate(rows):
        state = state_of(row)
        if state is None or state is GONE:
            raise NotSaved(f"row {i} of bulk_update() is not in the database")
        changed = wanted if wanted is not None else persist.changed_fields(entity, row, state)
        if changed:
            if state is CLEAN:
                own(row)
            if entity.update_defaults:
                changed = persist.with_defaults(entity, row, changed)
            groups.setdefault(changed, []).append(row)
    batches = [
        (changed, members[i : i + BATCH]) for changed, members in groups.items() for i in range(0, len(members), BATCH)
    ]
    if not batches:
        return 0
    if len(batches) == 1:
        return await _update_batch(entity, *batches[0], executor_for(entity, tx))
    count = 0
    async with pg_transaction(using=executor_for(entity, tx)) as inner:
        for changed, members in batches:
            count += await _update_batch(entity, changed, members, inner)
    return count


async def _update_batch(entity: Entity, changed: tuple[str, ...], rows: list[Any], executor: Any) -> int:
    fields = [entity.by_key[k] for k in changed]
    if any(f.type.family in ("array", "vector") for f in fields):
        for row in rows:
            await persist._update(entity, row, state_of(row), changed, executor)
        return len(rows)
    columns = _columns(entity, changed, rows)
    keys = list(zip(*(persist.original_key(entity, r, state_of(r)) for r in rows), strict=True))
    key_fields = entity.primary_key
    names = (*(f"k{i}" for i in range(len(key_fields))), *(f"v{i}" for i in range(len(fields))))
    call = ("call", "unnest", *(("$", f"{f.type.name}[]") for f in (*key_fields, *fields)))
    sets: list[Any] = [(f.name, ("col", "v", f"v{i}")) for i, f in enumerate(fields)]
    constants: tuple[Any, ...] = ()
    for name, default in entity.update_defaults:
        if isinstance(default, Node) and entity.source.columns[name].key not in changed:
            sets.append((name, default.s))
            constants += default.p
    where = tuple(("=", ("col", entity.source.name, f.name), ("col", "v", f"k{i}")) for i, f in enumerate(key_fields))
    ir = ("update", entity.table, tuple(sets), where, None, (("from", ("func", call, "v", names, None)),))
    for row in rows:
        persist.remember(executor, row, () if entity.revision is None else (entity.revision,))
    params = (*constants, *(list(k) for k in keys), *columns)
    edited = tuple(k for k in entity.mutable if k in changed)
    if edited:  # their bytes, from which the next edit in place is told
        back = (*entity.pk_keys, *edited)
        names_back = (("cols", entity.source.name, *(entity.by_key[k].name for k in back)),)
        found = await executor.run((*ir[:4], names_back, ir[5]), params, entity.plan(back))
        count, by_key = len(found), {_key_of(entity, r): r for r in found}
    else:
        count, by_key = await executor.run(ir, params, _COUNT), {}
    for row in rows:
        if entity.revision is not None and entity.revision in row.__dict__:
            row.__dict__[entity.revision] += 1
        state = state_of(row)
        state = own(row) if state is CLEAN else state
        Slots.set_state(row, {k: v for k, v in state.items() if k not in changed})
        loaded = by_key.get(_key_of(entity, row)) if edited else None
        if loaded is not None:
            wire = persist.known_wire(entity, row)
            Slots.set_wire(row, wire_of(loaded))
            persist.keep_wire(entity, row, wire, edited)
    return count


def _key_of(entity: Entity, row: Any) -> tuple[Any, ...]:
    return tuple(row.__dict__[k] for k in entity.pk_keys)


class UsingTable(Generic[T]):
    """A Table class on another database; rows are plain instances of the class."""

    __slots__ = ("_database", "_table")

    def __init__(self, table: type[T], database: Any) -> None:
        self._table = table
        self._database = database

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._table, name)

        def query(*a: Any, **k: Any) -> Any:
            return found(*a, **k).using(self._database)

        def statement(*a: Any, **k: Any) -> Any:
            return found(*a, **{"tx": self._database, **k})

        def figure(*a: Any, **k: Any) -> Any:
            return getattr(self._table.find(*a, **k).using(self._database), name)()  # type: ignore[attr-defined]

        if name in ("find", "find_all", "all"):
            return query
        if name in ("count", "exists"):
            return figure
        return statement if name in _WITH_TX else found

    def __call__(self, **values: Any) -> T:
        """An instance with these values, as `Table(...)` makes it."""
        return self._table(**values)
