"""Search: the row with some values, which is made when there is none. What is searched for is what would be stored."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices

from data_bridge.core import pg_transaction
from data_bridge.core.errors import ConfigurationError, UniqueViolation
from data_bridge.orm._events import Insert, happening
from data_bridge.orm.persistence import single_row
from data_bridge.orm.persistence.assignments import rounded, stored
from data_bridge.orm.persistence.in_flight import begin, turn
from data_bridge.orm.queries.builder import QueryBuilder
from data_bridge.orm.registry import entity_of
from data_bridge.query import Node
from data_bridge.query.spi import build

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity


def _named(entity: Entity, given: Mapping[Any, Any]) -> dict[str, Any]:
    """Values by the names of fields and links, which may be given by aliases and columns, too."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        key = entity.field(name).key if isinstance(name, Node) else name
        if key is name and name not in entity.by_key and name not in entity.relations:
            key = next((f.key for f in entity.fields if name in _aliases(f.info)), None) or entity.field(name).key
        if key in made:
            raise ConfigurationError(f"{entity.label}.{key} is given twice")
        made[key] = value
    return made


def _aliases(info: Any) -> tuple[Any, ...]:
    given = info.validation_alias
    return (info.alias, *(given.choices if isinstance(given, AliasChoices) else (given,)))


def _validated(entity: Entity, named: Mapping[str, Any]) -> dict[str, Any]:
    """The values by field, as an instance that is made of them would have them."""
    made: dict[str, Any] = {}
    for name, value in named.items():
        relation = entity.relations.get(name)
        if relation is not None and relation.kind == "link":
            made.update(zip(relation.near, relation.key_of(value), strict=True))
        else:
            made[name] = value if isinstance(value, Node) else entity.validated(name, value)
    return made


async def _find(entity: Entity, values: Mapping[str, Any], executor: Any) -> Any:
    conditions = [entity.columns[k] == stored(entity, entity.by_key[k], v) for k, v in values.items()]
    return await QueryBuilder.of(entity).find(*conditions).using(executor).limit(1).first()


class _Found(Exception):
    """The row is there: what runs after an Insert must not."""

    def __init__(self, row: Any) -> None:
        self.row = row


async def get_or_create(cls: Any, defaults: Mapping[str, Any], keys: Mapping[str, Any], tx: Any) -> tuple[Any, bool]:
    """INSERT … ON CONFLICT DO NOTHING, then SELECT: of several who try, one creates and all find.

    Raises:
        UniqueViolation: the row can neither be found nor inserted, because another constraint refuses it.
    """
    if not keys:
        raise ConfigurationError("get_or_create() needs the values that find the row")
    entity = entity_of(cls)
    named = _named(entity, keys)
    wanted = _validated(entity, named)
    executor = entity.writer(tx)
    made: Any = None
    for _ in range(3):
        row = await _find(entity, wanted, executor)
        if row is not None:
            return row, False
        # When the INSERT wrote no row, the instance stays a new row.
        made = cls.model_validate({**named, **_named(entity, defaults)}, by_name=True, by_alias=True)
        try:
            if entity.hooks is None:
                await _insert(entity, made, wanted, executor)
            else:
                await happening(entity.hooks, [Insert], [made], (), executor, partial(_insert, entity, made, wanted))
        except _Found as e:
            if e.row is not None:
                return e.row, False
            wanted = {k: made.__dict__[k] for k in wanted}  # which a function before the event may have set
            continue
        return made, True
    return await _refused(entity, made, executor), True


async def _insert(entity: Entity, row: Any, wanted: Mapping[str, Any], executor: Any) -> None:
    """Inserts the row unless it is there."""
    now = {k: row.__dict__[k] for k in wanted}
    if now != wanted and (there := await _find(entity, now, executor)) is not None:
        raise _Found(there)
    given = single_row._given(entity, row)
    shape = single_row._insert_shape(entity, given, None, rounded(entity, given, row.__dict__))
    ir = build.with_conflict(shape.ir, build.CONFLICT_NOTHING)
    flight = begin(executor, (row,)) or await turn(executor, (row,))
    try:
        if not await shape.run(entity, row, executor, ir=ir):
            raise _Found(None)
    finally:
        flight.end()


async def _refused(entity: Entity, row: Any, executor: Any) -> Any:
    """Inserts a row that is in conflict with another one than the search finds: the error says by which constraint."""
    try:
        async with pg_transaction(using=executor) as inner:
            return await single_row.insert(entity, row, inner)
    except UniqueViolation as e:
        if entity.soft is not None:
            e.add_note("the row may be one that was deleted softly: with_deleted() finds it, restore() brings it back")
        raise


async def update_or_create(cls: Any, defaults: Mapping[str, Any], keys: Mapping[str, Any], tx: Any) -> tuple[Any, bool]:
    """Updates the row that get_or_create() finds."""
    row, created = await get_or_create(cls, defaults, keys, tx)
    if not created and defaults:
        entity = entity_of(cls)
        named = _named(entity, defaults)
        # With validate_on_save, update() validates.
        await row.update(named if entity.settings.validate_on_save else _validated(entity, named), tx=tx)
    return row, created
