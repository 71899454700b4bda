"""One instance to the database: the statements of insert, save, update, replace, delete, refresh and lock.

Shapes of statements are made once per class and set of fields; then a save is a dict lookup, a tuple of values and one
call into the core.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Iterable
from operator import is_
from typing import Any

from data_bridge.core import LoadPlan
from data_bridge.core.errors import AlreadySaved, EncodeError, NotSaved, RevisionConflict, RowNotFound
from data_bridge.orm._state import CLEAN, GONE, adopt, get_fields, own, settle, state_of
from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.mapping.field import field_validator
from data_bridge.orm.persistence.assignments import assignments, getter, refuse_computed, rounded, stored
from data_bridge.orm.persistence.change_tracking import changed_fields, original_key, revision_of
from data_bridge.orm.persistence.conflict import is_same_revision, proposed
from data_bridge.orm.persistence.in_flight import begin, blank, bytes_of, land, seen, taken_off, turn
from data_bridge.orm.persistence.row_errors import of_field
from data_bridge.query import Node
from data_bridge.query.spi import build

_COUNT = LoadPlan.affected()
_ABSENT: Any = object()
_NOTHING: dict[str, Any] = {}


def said(row: Any) -> Collection[str]:
    """The fields that were given a value; of a row that is in the database, all fields."""
    state = state_of(row)
    return get_fields(row) if state is None or state is GONE else row.__dict__


def _given(entity: Entity, row: Any, chosen: Collection[str] | None = None) -> tuple[str, ...]:
    """Fields that an INSERT sends: all but those that the database fills and that were not set."""
    if entity.links:
        settle(row, entity.links)
    data = row.__dict__
    if chosen is None:
        chosen = said(row)
    # A bit for each of them: rows of one shape are told apart from others by a number.
    sent = 1
    for key, is_key, never_null, is_filled in entity.given_if:
        value = data.get(key, _ABSENT)
        sent += sent
        if value is None:
            if not (is_key or (is_filled and never_null)) and (key in chosen or not is_filled):
                sent += 1
        elif value is not _ABSENT and (key in chosen or not is_filled):
            sent += 1
    at = sent if len(data) == len(entity.cls.__pydantic_fields__) else ("given", sent, *data)
    found: tuple[str, ...] | None = entity.shapes.get(at)
    if found is None:
        bits = f"{sent:b}"[1:]
        left_out = {g[0] for g, bit in zip(entity.given_if, bits, strict=True) if bit == "0"}
        found = entity.shapes[at] = tuple(
            f.key for f in entity.fields if f.key in data and not f.spec.computed and f.key not in left_out
        )
    return found


class _Write:
    """A shape of a statement: its structure, how values are taken from an instance, and what RETURNING brings."""

    __slots__ = ("constants", "documents", "fields", "filled", "ir", "kept", "keys", "plan", "values")

    def __init__(
        self, entity: Entity, ir: tuple[Any, ...], keys: tuple[str, ...], filled: tuple[str, ...], kept: tuple[str, ...]
    ) -> None:
        self.ir = ir
        self.constants: tuple[Any, ...] = ()
        self.keys = keys
        self.values = getter(keys)
        self.plan = entity.merge_plan(filled, kept)
        self.filled = filled
        self.kept = kept
        self.documents = tuple(k for k in keys if k in entity.documents)
        # Only fields whose Python value may differ from what is sent are looked at one by one.
        self.fields = tuple(
            (i, entity.by_key[k]) for i, k in enumerate(keys) if not _is_sent_as_it_is(entity.by_key[k])
        )

    def params(self, entity: Entity, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """How these values of an instance are sent."""
        if not self.fields:
            return values
        made = list(values)
        for i, f in self.fields:
            made[i] = stored(entity, f, made[i])
        return tuple(made)

    async def run(
        self,
        entity: Entity,
        row: Any,
        executor: Any,
        more: tuple[Any, ...] = (),
        *,
        ir: Any = None,
        made: dict[str, Any] = _NOTHING,
    ) -> bool:
        """Runs the statement for an instance, which is settled when a row was there.

        `made` are values of the statement that the instance does not have yet, `more` further parameters.
        """
        data = row.__dict__
        for k in self.documents:
            if k not in made:
                data[k] = entity.fitting(k, data[k])
        values = self.values({**data, **made} if made else data)
        before = seen(entity, row, (*self.filled, *made)) if self.filled or made else _NOTHING
        brought = blank(entity)
        try:
            if not await executor.run(ir or self.ir, self.params(entity, values) + more, self.plan, brought):
                return False
        except EncodeError as e:
            raise of_field(e, entity.label, self.keys) from None
        came, bytes_ = brought.__dict__, bytes_of(brought, self.kept)
        if not made and not executor.is_transaction and all(map(is_, values, self.values(data))):
            land(entity, row, executor, _NOTHING, came, bytes_, before, settled=self.keys)
            return True
        sent = dict(zip(self.keys, values, strict=True))
        if made:
            sent, came = {k: v for k, v in sent.items() if k not in made}, {**came, **made}
        land(entity, row, executor, sent, came, bytes_, before)
        return True


def _is_sent_as_it_is(field: Any) -> bool:
    return field.annotation is field.type.python or (field.type.family == "json" and not field.has_other_keys)


def returning_of(entity: Entity, keys: tuple[str, ...]) -> tuple[Any, ...] | None:
    """RETURNING of these fields; None without any."""
    return (build.columns(None, (entity.by_key[k].name for k in keys)),) if keys else None


Keys = tuple[str, ...]


def _insert_shape(
    entity: Entity, keys: Keys, updates: Keys | None, inexact: Keys, is_conditional: bool = False
) -> _Write:
    at = ("insert", keys, updates, inexact, is_conditional)
    shape = entity.shapes.get(at)
    if shape is None:
        filled = tuple(
            f.key for f in entity.fields if f.spec.is_filled_by_server and (f.key not in keys or updates is not None)
        )
        filled += tuple(k for k in entity.pk_keys if k not in keys and k not in filled)
        filled += tuple(k for k in inexact if k not in filled)
        if updates is not None:  # what the row in the database has in fields that were not set here
            written = {*filled, *(k for k in updates if k != entity.revision), *entity.pk_keys}
            filled += tuple(f.key for f in entity.loaded if f.key not in written)
        conflict = None
        if updates is not None:
            target = build.on_columns(entity.pk_names)
            # DO NOTHING would not bring the row back: setting the key to itself does.
            sets = tuple((f.name, s) for f, s, _ in proposed(entity, updates))
            sets = sets or tuple((n, build.excluded(n)) for n in entity.pk_names)
            where = is_same_revision(entity) if is_conditional else None
            conflict = build.conflict_update(target, sets, where)
        names = tuple(entity.by_key[k].name for k in keys)
        returning = returning_of(entity, filled + entity.mutable)
        ir = build.insert(entity.table, names, build.one_row(names), conflict=conflict, returning=returning)
        shape = _Write(entity, ir, keys, filled, entity.mutable)
        entity.shapes[at] = shape
    return shape


async def insert(entity: Entity, row: Any, tx: Any) -> Any:
    """Plain INSERT; what the database fills comes back in the same round trip."""
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = state_of(row)
        if state is not None and state is not GONE:
            raise AlreadySaved(f"this {entity.label} is in the database already: save() or update() it")
        await _insert(entity, row, _given(entity, row), executor)
    finally:
        flight.end()
    return row


def _insert(entity: Entity, row: Any, given: tuple[str, ...], executor: Any) -> Coroutine[Any, Any, bool]:
    if entity.settings.validate_on_save:
        checked(entity, row, given)
    return _insert_shape(entity, given, None, rounded(entity, given, row.__dict__)).run(entity, row, executor)


async def save(entity: Entity, row: Any, only: Any, force: bool, tx: Any) -> Any:
    """INSERT, upsert by key, or UPDATE of what changed; nothing when nothing did."""
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = state_of(row)
        if state is None:
            adopt(row)
            await _save_new(entity, row, executor)
            return row
        if state is GONE:
            raise NotSaved(f"this {entity.label} was deleted; insert() rewrites it")
        changed = changed_fields(entity, row, state)
        if only is not None:
            wanted = {entity.field(k).key for k in only}
            changed = tuple(k for k in changed if k in wanted)
        if force:
            changed = _everything(entity, row, changed)
        if changed:
            _refuse_no_key(entity, row, changed)
            await _update(entity, row, changed, executor)
    finally:
        flight.end()
    return row


def _refuse_no_key(entity: Entity, row: Any, changed: tuple[str, ...]) -> None:
    for k in entity.pk_keys:
        if k in changed and row.__dict__[k] is None:
            raise EncodeError(
                f"{entity.label}.{k} is the key of a row that is in the database and cannot become None; "
                f"row.model_copy(update={{{k!r}: None}}) is a new row with the same values"
            )


def _everything(entity: Entity, row: Any, given: Collection[str]) -> tuple[str, ...]:
    """All fields but the key; of those that every UPDATE sets by itself just the given ones."""
    out = {entity.source.columns[n].__column__.key for n, _ in entity.update_defaults}.difference(given)
    return tuple(
        f.key
        for f in entity.fields
        if f.key in row.__dict__ and not f.spec.computed and f not in entity.primary_key and f.key not in out
    )


async def _save_new(entity: Entity, row: Any, executor: Any) -> None:
    keys = _given(entity, row)
    if not all(k in keys for k in entity.pk_keys):
        await _insert(entity, row, keys, executor)
        return
    if entity.settings.validate_on_save:
        checked(entity, row, keys)
    chosen = get_fields(row)
    updates = tuple(k for k in keys if k in chosen and k not in entity.pk_keys)
    is_conditional = entity.revision in updates
    shape = _insert_shape(entity, keys, updates, rounded(entity, keys, row.__dict__), is_conditional)
    params = tuple(v for _, _, p in proposed(entity, updates) for v in p) if entity.update_defaults else ()
    if not await shape.run(entity, row, executor, params):
        raise await _missed(entity, original_key(entity, row, None), executor, row.__dict__.get(entity.revision))


def _update_shape(entity: Entity, changed: tuple[str, ...], inexact: tuple[str, ...]) -> _Write:
    at = ("update", changed, inexact)
    shape = entity.shapes.get(at)
    if shape is None:
        refuse_computed(entity, changed)
        sets: list[Any] = [(entity.by_key[k].name, build.PLACE) for k in changed]
        extra: tuple[str, ...] = ()
        constants: tuple[Any, ...] = ()
        for name, default in entity.update_defaults:
            key = entity.source.columns[name].__column__.key
            if key not in changed and isinstance(default, Node):
                sets.append((name, default.s))
                constants += default.p
                extra += (key,)
        computed = tuple(f.key for f in entity.fields if f.spec.computed)
        filled = extra + computed + tuple(k for k in inexact if k not in extra)
        kept = tuple(k for k in entity.mutable if k in changed or k in filled)
        where = where_of(entity)
        ir = build.update(entity.table, sets, where, returning=returning_of(entity, filled + kept))
        shape = _Write(entity, ir, changed, filled, kept)
        shape.constants = constants
        entity.shapes[at] = shape
    return shape


def python_defaults(entity: Entity, changed: Collection[str]) -> dict[str, Any]:
    """The values that Python makes for every UPDATE, of fields that are not written anyway."""
    made: dict[str, Any] = {}
    for name, default in entity.update_defaults:
        key = entity.source.columns[name].__column__.key
        if key not in changed and not isinstance(default, Node):
            made[key] = default() if callable(default) else default
    return made


def where_of(entity: Entity) -> tuple[Any, ...]:
    """The row by its key, and by its revision where it has one."""
    if entity.revision is None:
        return entity.pk_conditions
    name = entity.by_key[entity.revision].name
    return (*entity.pk_conditions, build.equal(build.column(entity.source.name, name), build.PLACE))


def _revision(entity: Entity, row: Any, state: Any) -> tuple[Any, ...]:
    return () if entity.revision is None else (revision_of(entity, row, state),)


async def _missed(entity: Entity, key: tuple[Any, ...], executor: Any, expected: Any) -> RowNotFound | RevisionConflict:
    """Why an UPDATE by key found no row."""
    if entity.revision is not None:
        there = await executor.run(entity.get_ir, key, entity.plan(many=False))
        if there is not None:
            found = there.__dict__.get(entity.revision)
            error = RevisionConflict(
                f"the {entity.label} with key {_shown(entity, key)} was changed by another session since it was loaded: its revision is "
                f"{found}, not {expected}; refresh() it"
            )
            error.expected, error.found, error.current = expected, found, there  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
            return error
    return row_not_found(entity, key)


def checked(entity: Entity, row: Any, keys: Iterable[str]) -> None:
    """Validates what is about to be written, as Settings.validate_on_save asks for.

    Raises:
        ValidationError: of Pydantic.
    """
    cls, data = entity.cls, row.__dict__
    if all(k in data for k in cls.__pydantic_fields__):
        empty = {k for k, f in entity.by_key.items() if f.spec.is_filled_by_server or k in entity.pk_keys}
        values = {k: v for k, v in data.items() if v is not None or k not in empty}
        made = cls.__pydantic_validator__.validate_python(values, by_name=True, by_alias=False)
        data.update((k, made.__dict__[k]) for k in keys)
    else:  # a partial instance
        data.update((k, field_validator(cls, k)(data[k])) for k in list(keys))


async def _update(entity: Entity, row: Any, changed: tuple[str, ...], executor: Any) -> None:
    state = state_of(row)
    key = original_key(entity, row, state)
    if state is CLEAN:
        own(row)
    made = _NOTHING
    if entity.update_defaults:
        changed = tuple(k for k in changed if k != entity.revision)
        made = python_defaults(entity, changed)
    if entity.settings.validate_on_save:
        checked(entity, row, changed)
    written = (*changed, *made) if made else changed
    values = {**row.__dict__, **made} if made else row.__dict__
    shape = _update_shape(entity, written, rounded(entity, written, values))
    revision = _revision(entity, row, state)
    if not await shape.run(entity, row, executor, shape.constants + key + revision, made=made):
        raise await _missed(entity, key, executor, (*revision, None)[0])


def _shown(entity: Entity, key: tuple[Any, ...]) -> str:
    return repr(key[0]) if len(key) == 1 else ", ".join(f"{k}={v!r}" for k, v in zip(entity.pk_keys, key, strict=True))


def row_not_found(entity: Entity, key: tuple[Any, ...]) -> RowNotFound:
    """For a key that no row has."""
    return RowNotFound(f"there is no {entity.label} with key {_shown(entity, key)}")


def saved(entity: Entity, row: Any, doing: str) -> Any:
    """The state of a row that is in the database.

    Raises:
        NotSaved: it is not.
    """
    state = state_of(row)
    if state is None or state is GONE:
        raise NotSaved(f"this {entity.label} is not in the database: save() it before {doing}")
    return state


async def update(entity: Entity, row: Any, values: Any, operators: Any, keywords: Any, tx: Any) -> Any:
    """One UPDATE by key; what was set comes back and is merged, other changes stay unsaved."""
    saved(entity, row, "update()")
    made = assignments(entity, values, operators, keywords)
    if not made:
        return row
    keys = tuple(f.key for f, _, _ in made) + tuple(f.key for f in entity.fields if f.spec.computed)
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = saved(entity, row, "update()")
        key = original_key(entity, row, state)
        kept = tuple(k for k in entity.mutable if k in keys)
        sets = [(f.name, s) for f, s, _ in made]
        ir = build.update(entity.table, sets, where_of(entity), returning=returning_of(entity, keys + kept))
        at = ("merge", keys)
        plan = entity.shapes.get(at) or entity.shapes.setdefault(at, entity.merge_plan(keys, kept))
        revision = _revision(entity, row, state)
        params = tuple(v for _, _, p in made for v in p) + key + revision
        try:
            await _bring(entity, row, executor, (ir, params), plan, keys, kept)
        except _NoRow:
            raise await _missed(entity, key, executor, (*revision, None)[0]) from None
    finally:
        flight.end()
    return row


class _NoRow(Exception):
    """A statement by key found no row."""


async def _bring(
    entity: Entity,
    row: Any,
    executor: Any,
    statement: tuple[Any, tuple[Any, ...]],
    plan: LoadPlan,
    keys: tuple[str, ...],
    kept: tuple[str, ...] = (),
    pinned: frozenset[str] = frozenset(),
) -> None:
    """Runs a statement that decides these fields of an instance, whatever is on record of them.

    Raises:
        _NoRow: the statement found none.
    """
    if state_of(row) is CLEAN:
        own(row)
    before = seen(entity, row, keys)
    brought = blank(entity)
    with taken_off((row,), keys, pinned) as taken:
        if not await executor.run(*statement, plan, brought):
            raise _NoRow
    land(entity, row, executor, _NOTHING, brought.__dict__, bytes_of(brought, kept), before, taken[0], pinned)


async def replace(entity: Entity, row: Any, tx: Any) -> Any:
    """UPDATE of every column by key."""
    executor = entity.writer(tx)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        state = state_of(row)
        if state is GONE:
            raise NotSaved(f"this {entity.label} was deleted")
        if state is None and any(row.__dict__.get(k) is None for k in entity.pk_keys):
            raise NotSaved(f"replace() needs the key of the {entity.label}")
        given = get_fields(row) if state is None else changed_fields(entity, row, state)
        await _update(entity, row, _everything(entity, row, given), executor)
    finally:
        flight.end()
    return row
