"""Many new rows at once: INSERT through unnest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic import BaseModel

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import AlreadySaved, ConfigurationError, EncodeError
from data_bridge.orm._events import Insert, Skip, happening
from data_bridge.orm._state import GONE, get_fields, state_of
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.persistence import single_row
from data_bridge.orm.persistence.assignments import stored
from data_bridge.orm.persistence.conflict import conflict_clause
from data_bridge.orm.persistence.in_flight import begin, turn
from data_bridge.orm.persistence.new_rows import Landing
from data_bridge.orm.persistence.row_errors import named, of_field
from data_bridge.orm.persistence.written_rows import land_on_given
from data_bridge.query.spi import build, to_timestamptz

BATCH = 10_000
COPY_ROWS = 1_000
"""From so many rows on COPY is quicker than INSERT, whose answer it does not have."""
SLICE = 512
"""So many rows of a COPY are made ready at a time."""
PARAMETERS = 65_535
"""The protocol counts the parameters of a statement in 16 bits."""
_COUNT = LoadPlan.affected()
_NONE = frozenset({type(None)})
_TEXT = frozenset({str})
_MOMENT = frozenset({datetime})


def as_row(entity: Entity, given: Any) -> Any:
    """An instance, made of a mapping of field names or aliases where need be."""
    if entity.holds(given):
        return given
    if isinstance(given, Mapping):
        return entity.cls.model_validate(dict[str, Any](given), by_name=True, by_alias=True)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(f"rows are {entity.label} instances or mappings, not {type(given).__name__}")


def as_rows(entity: Entity, given: list[Any]) -> list[Any]:
    """Instances, made of mappings where need be: of plain dicts without a frame of Python for each of them."""
    cls = entity.cls
    is_own: bool = cls.model_validate.__func__ is not BaseModel.model_validate.__func__  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    if is_own or {*map(type, given)} != {dict}:
        return [as_row(entity, r) for r in given]
    validate = cls.__pydantic_validator__.validate_python
    return [validate(r, by_name=True, by_alias=True) for r in given]


async def insert_many(
    entity: Entity,
    rows: Iterable[Any],
    on_conflict: Any,
    batch_size: int | None,
    returning: bool,
    tx: Any,
    progress: Callable[[int], Any] | None,
    skip: Skip = (),
) -> Any:
    """All rows or none; batches of one statement, in one transaction when there are several."""
    size = BATCH if batch_size is None else batch_size
    if size < 1:
        raise ConfigurationError(f"batch_size={size} is less than one row")
    if (returning or on_conflict is not None) and has_arrays(entity.fields):  # one parameter for each value
        size = min(size, PARAMETERS // len(entity.fields) - 1)
    hooks = entity.hooks if entity.hooks is not None and skip is not True and entity.hooks.concern(Insert) else None
    conflict = conflict_clause(entity, on_conflict)
    source = iter(rows)
    first = as_rows(entity, [*islice(source, size)])
    if not first:
        return [] if returning else 0
    written: list[Any] = []
    done = given = 0
    second = as_rows(entity, [*islice(source, size)])

    async def write(batch: list[Any], executor: Any, shapes: list[tuple[str, ...]] | None = None) -> None:
        nonlocal done, given
        before = given

        async def work(e: Any) -> Any:
            flight = begin(e, batch) or await turn(e, batch)
            try:
                return await _insert_batch(entity, batch, conflict, returning, e, before, shapes)
            finally:
                flight.end()

        result = await (work(executor) if hooks is None else happening(hooks, [Insert], batch, skip, executor, work))
        if returning:
            written.extend(result)
        given += len(batch)
        done += len(result) if returning else result
        if progress is not None:
            progress(done)

    executor = entity.writer(tx)
    if (
        not second
        and hooks is None
        and len(set(shapes := [single_row._given(entity, r, get_fields(r)) for r in first])) == 1
    ):
        await write(first, executor, shapes)
        return written if returning else done
    async with pg_transaction(using=executor) as inner:
        for batch in (first, second):
            if batch:
                await write(batch, inner)
        del first, second, batch  # an insert of a million rows must not keep all of them alive
        while batch := as_rows(entity, [*islice(source, size)]):
            await write(batch, inner)
    return written if returning else done


async def _insert_batch(
    entity: Entity,
    batch: list[Any],
    conflict: Any,
    returning: bool,
    executor: Any,
    before: int,
    shapes: list[tuple[str, ...]] | None,
) -> Any:
    """One statement for each set of fields that the rows give."""
    if len(set(map(id, batch))) < len(batch):
        raise AlreadySaved(f"insert_many() was given the same {entity.label} instance twice")
    for i, state in enumerate(map(state_of, batch)):
        if state is not None and state is not GONE:
            raise AlreadySaved(f"row {before + i} of insert_many() is in the database already")
    if shapes is None:
        shapes = [single_row._given(entity, r, get_fields(r)) for r in batch]
    if len(set(shapes)) == 1:  # objects for each row would only be work for the garbage collector
        indexes = range(before, before + len(batch))
        result = await _insert_group(entity, shapes[0], batch, conflict, returning, executor, indexes)
        return [r for _, r in result] if returning and conflict is not None else result
    groups: dict[tuple[str, ...], list[tuple[int, Any]]] = {}
    for i, (row, given) in enumerate(zip(batch, shapes, strict=True)):
        groups.setdefault(given, []).append((i, row))
    count = 0
    placed: list[tuple[int, Any]] = []
    for given, members in groups.items():
        rows = [r for _, r in members]
        result = await _insert_group(
            entity, given, rows, conflict, returning, executor, [before + i for i, _ in members]
        )
        if not returning:
            count += result
        elif conflict is None:
            placed += members
        else:
            placed += [(members[i][0], r) for i, r in result]
    if not returning:
        return count
    placed.sort(key=lambda pair: pair[0])
    return [r for _, r in placed]


async def _insert_group(
    entity: Entity,
    given: tuple[str, ...],
    rows: list[Any],
    conflict: Any,
    returning: bool,
    executor: Any,
    indexes: Sequence[int],
) -> Any:
    if entity.settings.validate_on_save:
        for row in rows:
            single_row.checked(entity, row, given)

    values = len(rows) * len(given)
    many = len(rows) >= COPY_ROWS or (values > PARAMETERS and has_arrays(entity.by_key[k] for k in given))
    # PostgreSQL refuses COPY for a role that policies hold for.
    copies = not returning and conflict is None and values > 0 and many and entity.settings.row_security is None

    async def run(low: int, high: int, on: Any) -> Any:
        if copies:
            return await _copy_rows(entity, given, rows[low:high], on)
        try:
            if high - low == len(rows):
                return await _insert_rows(entity, given, rows, conflict, returning, on)
            return await _insert_rows(
                entity, given, rows[low:high], conflict, False, on
            )  # a part: just whether it fails
        except EncodeError as e:
            sent = given * (high - low) if has_arrays(entity.by_key[k] for k in given) else given
            raise of_field(e, entity.label, sent) from None

    return await named(run, len(rows), executor, "insert_many()", lambda i: indexes[i])


def has_arrays(fields: Iterable[Any]) -> bool:
    """Whether unnest() would take values of these fields apart."""
    return any(f.type.family in ("array", "vector") for f in fields)


async def _copy_rows(entity: Entity, given: tuple[str, ...], rows: list[Any], executor: Any) -> int:
    """COPY, which nothing comes back from: for so many rows it takes half the time of an INSERT."""
    fields = [entity.by_key[k] for k in given]
    lines = _lines(entity, fields, rows)
    count: int = await executor.copy_in(entity.cls, lines, columns=[f.name for f in fields])
    return count


def _lines(entity: Entity, fields: list[Any], rows: list[Any]) -> Iterator[tuple[Any, ...]]:
    """The values of the rows, made while the server works on those before."""
    for at in range(0, len(rows), SLICE):
        data = [r.__dict__ for r in rows[at : at + SLICE]]
        yield from zip(*(columns_of(entity, f, [d[f.key] for d in data]) for f in fields), strict=True)


def columns_of(entity: Entity, field: Any, values: list[Any]) -> list[Any]:
    """The values of one column as they are sent."""
    python = field.type.python
    if field.type.family == "json":
        if field.key in entity.documents:
            return [entity.document(field.key, v) for v in values]
        return values  # core's writer looks at them
    kinds = {*map(type, values)} - _NONE
    if python is None and field.type.family == "text" and kinds <= _TEXT:
        # Text with a limit: where the longest fits, all do.
        longest = max((v for v in values if v is not None), key=len, default="")
        if len(values) > 1 and entity.columns[field.key].bind(longest) is longest:
            return values
    if not kinds or kinds == {python}:
        return values
    # The encoder asks whether a zone has an offset.
    has_moments = _MOMENT.issuperset(kinds) and field.type.convert is to_timestamptz
    if has_moments and None not in (v.tzinfo for v in values if v is not None):
        return values
    return [stored(entity, field, v) for v in values]


async def _insert_rows(
    entity: Entity, given: tuple[str, ...], rows: list[Any], conflict: Any, returning: bool, executor: Any
) -> Any:
    fields = [entity.by_key[k] for k in given]
    names = tuple(f.name for f in fields)
    filled = tuple(f.key for f in entity.fields if f.spec.is_filled_by_server and f.key not in given)
    filled += tuple(k for k in entity.pk_keys if k not in given and k not in filled)
    filled += tuple(k for k in _inexact(entity, given, rows) if k not in filled)
    back = filled + entity.mutable if conflict is None else tuple(f.key for f in entity.loaded)
    names_back = (build.columns(None, (entity.by_key[k].name for k in back)),) if returning and back else None
    if not fields or has_arrays(fields):
        # unnest() takes every dimension apart: rows with array columns go as a list of rows.
        source: Any = build.several_rows(len(rows)) if fields else None
        if not fields and len(rows) > 1:
            raise ConfigurationError(f"insert_many() of {entity.label} needs at least one value per row")
        params = tuple(stored(entity, f, r.__dict__[f.key]) for r in rows for f in fields)
    else:
        source = build.rows_of_arrays(f.type.name for f in fields)
        params = tuple(columns_of(entity, f, [r.__dict__[f.key] for r in rows]) for f in fields)
    clause = None
    if conflict is not None:
        clause = conflict[0]
        params += conflict[1]
    ir = build.insert(entity.table, names, source, conflict=clause, returning=names_back)
    if not returning:
        count: int = await executor.run(ir, params, _COUNT)
        return count
    if conflict is not None:
        on = conflict[2]
        return await land_on_given(entity, rows, given, on, executor, lambda: executor.run(ir, params, entity.plan()))
    landing = Landing(entity, rows, given, filled)
    if not back:
        await executor.run(ir, params, _COUNT)
        landing.settle(executor, {}, ())
    elif entity.mutable:
        at = ("landing", filled)
        plan = entity.shapes.get(at)
        if plan is None:
            plan = entity.shapes[at] = entity.merge_plan(filled, entity.mutable, many=True)
        values = [*zip(*await executor.run(ir, params, plan), strict=True)]
        came = dict(zip(filled, values, strict=False))
        landing.settle(executor, came, [*zip(*values[len(filled) :], strict=True)])
    else:
        found = await executor.run(ir, params, LoadPlan.rows(tuple) if len(back) > 1 else _SCALARS)
        columns = zip(*found, strict=True) if len(back) > 1 else (found,)
        landing.settle(executor, dict(zip(back, columns, strict=True)), ())
    return rows


def _inexact(entity: Entity, given: tuple[str, ...], rows: list[Any]) -> Iterator[str]:
    """The fields in some row of which the server may round the value."""
    for key, is_kept in entity.rounded.items():
        if key in given and not all(map(is_kept, [r.__dict__[key] for r in rows])):
            yield key


_SCALARS = LoadPlan.scalars()
