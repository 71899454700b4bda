"""Every way of writing, by the name that docs/reference/write-paths.md has for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from orm_cells import (
    LOG,
    CountedCell,
    FarCell,
    Tone,
)

from data_bridge.postgres import (
    Conflict,
    RowNotFound,
    create_all,
    execute,
    fetch_one,
)


def key_of(row: Any) -> dict[str, Any]:
    return {k: getattr(row, k) for k in type(row).__db__.pk_keys}


def conflict(cls: Any) -> list[str]:
    return list(cls.__db__.pk_keys)


async def stored(cls: Any, key: dict[str, Any], tx: Any = None) -> dict[str, Any]:
    """The row as it is in the database, by column, past the ORM."""
    entity = cls.__db__
    where = " AND ".join(f'"{entity.by_key[k].name}" = ${i}' for i, k in enumerate(key, 1))
    name = f'"{entity.settings.schema}"."{entity.settings.name}"' if entity.settings.schema else entity.settings.name
    found = await fetch_one(f"SELECT *, xmin::text AS xid FROM {name} WHERE {where}", *key.values(), using=tx)
    assert found is not None
    return dict(found)


async def prepare(cls: Any) -> None:
    if cls is FarCell:
        await execute("CREATE SCHEMA IF NOT EXISTS far")
    await create_all(cls)
    LOG.clear()


def new_key(cls: Any) -> dict[str, Any]:
    return {"a": 1, "b": "x"} if cls is FarCell else {}


# ------------------------------------------------------------------------------------------------------------ new rows
async def by_merge(cls: Any, values: dict[str, Any], tx: Any) -> None:
    rows = (
        [cls.model_validate(values, by_name=True, by_alias=True)]
        if any(v is None for v in values.values())
        else [values]
    )
    await cls.merge(rows, on=["other"], tx=tx).when_not_matched().insert()


async def by_copy(cls: Any, values: dict[str, Any], tx: Any) -> None:
    rows = (
        [{**values, "other": f"copy {i}"} for i in range(999)]
        if cls is not FarCell
        else [{**values, "a": i + 9} for i in range(999)]
    )
    assert await cls.insert_many([values, *rows], returning=False, tx=tx) == 1000


def instance(cls: Any, values: dict[str, Any]) -> Any:
    return cls.model_validate(values, by_name=True, by_alias=True)


INSERTS: dict[str, Callable[[Any, dict[str, Any], Any], Awaitable[Any]]] = {
    "`row.save()`": lambda c, v, tx: instance(c, v).save(tx=tx),
    "`row.insert()`": lambda c, v, tx: instance(c, v).insert(tx=tx),
    "`T.create()`": lambda c, v, tx: c.create(tx=tx, **v),
    "`T.insert_many()`": lambda c, v, tx: c.insert_many([v], tx=tx),
    "`T.insert_many(returning=False)` by COPY": by_copy,
    "`T.insert_many(on_conflict=Conflict(…))`": lambda c, v, tx: c.insert_many(
        [v], on_conflict=Conflict(conflict(c), update=["n"]), tx=tx
    ),
    "`T.upsert()`, `T.upsert_many()`": lambda c, v, tx: c.upsert(v, conflict=conflict(c), tx=tx),
    "`T.get_or_create()`": lambda c, v, tx: c.get_or_create(
        {k: x for k, x in v.items() if k != "other"}, other="mine", tx=tx
    ),
    "`T.update_or_create()`": lambda c, v, tx: c.update_or_create(
        {k: x for k, x in v.items() if k != "other"}, other="mine", tx=tx
    ),
    "`T.merge().when_not_matched().insert()`": by_merge,
}


async def by_assignment(row: Any, values: dict[str, Any], tx: Any, **options: Any) -> None:
    for k, v in values.items():
        setattr(row, k, v)
    await row.save(tx=tx, **options)


async def by_replace(row: Any, values: dict[str, Any], tx: Any) -> None:
    for k, v in values.items():
        setattr(row, k, v)
    await row.replace(tx=tx)


async def by_bulk(row: Any, values: dict[str, Any], tx: Any) -> None:
    for k, v in values.items():
        setattr(row, k, v)
    await type(row).bulk_update([row], tx=tx)


async def by_query(row: Any, values: dict[str, Any], tx: Any) -> None:
    cls = type(row)
    query = cls.find(**key_of(row))
    if await (query if tx is None else query.using(tx)).update(values) == 0:
        raise RowNotFound


def revision(row: Any) -> dict[str, Any]:
    return {"version": row.version} if isinstance(row, CountedCell) else {}


async def by_insert_many(row: Any, values: dict[str, Any], tx: Any, update: Any) -> None:
    cls = type(row)
    on = Conflict(conflict(cls), update=update)
    given = {} if isinstance(update, dict) else values
    await cls.insert_many([{**key_of(row), **given}], on_conflict=on, tx=tx)


async def by_update_or_create(row: Any, values: dict[str, Any], tx: Any) -> None:
    done = await type(row).update_or_create(values, **key_of(row), tx=tx)
    assert not done.created


async def by_merging(row: Any, values: dict[str, Any], tx: Any) -> None:
    cls = type(row)
    await cls.merge([{**key_of(row), **values}], on=conflict(cls), tx=tx).when_matched().update()


UPDATES: dict[str, Callable[[Any, dict[str, Any], Any], Awaitable[Any]]] = {
    "`row.save()`": by_assignment,
    "`row.save(force=True)`": lambda r, v, tx: by_assignment(r, v, tx, force=True),
    "`row.update()`": lambda r, v, tx: r.update(v, tx=tx),
    "`row.replace()`": by_replace,
    "`T.find().update()`": by_query,
    "`T.bulk_update()`": by_bulk,
    "`save()` of a constructed row": lambda r, v, tx: instance(type(r), {**key_of(r), **revision(r), **v}).save(tx=tx),
    "`T.upsert()`, `T.upsert_many()`": lambda r, v, tx: type(r).upsert(
        {**key_of(r), **revision(r), **v}, conflict=conflict(type(r)), tx=tx
    ),
    "`T.upsert(update={…})`": lambda r, v, tx: type(r).upsert(key_of(r), conflict=conflict(type(r)), update=v, tx=tx),
    "`Conflict(update=[…])`": lambda r, v, tx: by_insert_many(r, v, tx, [*v]),
    "`Conflict(update={…})`": lambda r, v, tx: by_insert_many(r, v, tx, dict(v)),
    "`T.update_or_create()`": by_update_or_create,
    "`T.merge().when_matched().update()`": by_merging,
}


OWN: dict[str, Any] = {
    "mood": Tone.LOW,
    "cents": Decimal("2.005"),
    "money": Decimal(7),
    "moods": [Tone.LOW, Tone.HIGH],
}
"""Values of the types of TypedCell."""
OWN_STORED = {"mood": "low", "cents": Decimal("2.01"), "money": "7 EUR", "moods": ["low", "high"]}
