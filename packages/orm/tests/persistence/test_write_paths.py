"""Each cell of the tables in docs/reference/write-paths.md: what every way of writing promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from orm_cells import (
    CLASSES,
    LOG,
    CountedCell,
    FarCell,
    LoudCell,
    PlainCell,
    Shape,
    SoftCell,
    StrictCell,
    SubCell,
    Tone,
    TypedCell,
    XminCell,
    fresh,
    paths_of,
)
from pydantic import ValidationError

from data_bridge.postgres import (
    Conflict,
    Database,
    EncodeError,
    NotNullViolation,
    RevisionConflict,
    RowNotFound,
    UniqueViolation,
    begin_transaction,
    create_all,
    drop_all,
    execute,
    fetch,
    fetch_one,
    fetch_val,
    func,
    pg_transaction,
)
from data_bridge.query import values as literals


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


async def inserted(cls: Any, path: str, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The instance that a path gives, if it does, and the row."""
    values = {"other": "mine", **new_key(cls), **values}
    given = await INSERTS[path](cls, values, None)
    row = given[0] if isinstance(given, (list, tuple)) else given
    name = f"far.{cls.__db__.settings.name}" if cls is FarCell else cls.__db__.settings.name
    where = "a = 1" if cls is FarCell else "other = 'mine'"
    return row, dict((await fetch(f"SELECT * FROM {name} WHERE {where}"))[0])


OWN: dict[str, Any] = {
    "mood": Tone.LOW,
    "cents": Decimal("2.005"),
    "money": Decimal(7),
    "moods": [Tone.LOW, Tone.HIGH],
}
"""Values of the types of TypedCell."""
OWN_STORED = {"mood": "low", "cents": Decimal("2.01"), "money": "7 EUR", "moods": ["low", "high"]}

NEW = [
    pytest.param(path, rule, promise, cls, id=f"{path} {rule} {cls.__name__}")
    for path, rule, promise in paths_of("Rows that are new")
    if rule != "another database" and path != "`T.insert_from()`"
    for cls in ((TypedCell,) if rule == "custom types" else CLASSES)
]


@pytest.mark.parametrize(("path", "rule", "promise", "cls"), NEW)
async def test_new_rows(db: Any, path: str, rule: str, promise: str, cls: Any) -> None:
    cls = fresh(cls)
    await prepare(cls)
    if rule == "custom types":
        assert promise == "stored"
        row, there = await inserted(cls, path, OWN)
        assert {k: there[k] for k in OWN} == OWN_STORED
        loaded = await cls.get(there["id"])
        assert loaded.cents == Decimal("2.01") and loaded.money == 7 and loaded.moods == OWN["moods"]
        if isinstance(row, cls):
            assert row == loaded and not row.is_changed
    elif rule == "Python default":
        row, there = await inserted(cls, path, {})
        assert promise == "sent" and (there["both"], there["lists"], there["shape"]) == (True, [1], {"a": 0})
        assert (there["tone"], there["touched"], there["called"]) == ("high", "new", 0)
    elif rule == "server default":
        row, there = await inserted(cls, path, {"n": 4})
        assert there["server"] == "server" and there["doubled"] == 8
        if promise == "filled":
            assert (row.server, row.doubled) == ("server", 8) and not row.is_changed
            assert instance(cls, row.model_dump(by_alias=True)) is not None and key_of(row) == key_of(
                await cls.get(row.pk)
            )
        else:
            assert promise == "in the database"
    elif rule == "validators":
        assert promise in ("yes", "when made")
        _, there = await inserted(cls, path, {"name": "ABC", "tone": "low"})
        assert (there["the_name"], there["tone"]) == ("abc", "low")
        if cls is not FarCell:
            await execute(f"DELETE FROM {cls.__db__.settings.name}")
            with pytest.raises((ValidationError, ValueError)):
                await inserted(cls, path, {"n": "many"})
    elif rule == "aliases":
        _, there = await inserted(cls, path, {"Label": "by alias"})
        assert there["label"] == "by alias"
        if promise != "alias" and path != "`T.get_or_create()`" and cls is not FarCell:
            await execute(f"DELETE FROM {cls.__db__.settings.name}")
            _, there = await inserted(cls, path, {"label": "by name"})
            assert there["label"] == "by name"
    elif rule == "key of None":
        assert promise == "left out"
        if cls is not FarCell:
            _, there = await inserted(cls, path, {"id": None})
            assert there["id"] > 0
    else:
        assert (rule, promise) == ("documents", "checked")
        with pytest.raises((EncodeError, ValidationError)):
            await inserted(cls, path, {"shape": {"a": "bad"}})
        assert await cls.count() == 0


# ------------------------------------------------------------------------------------------------- rows that are there
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
IN_MEMORY = ("`row.save()`", "`row.save(force=True)`", "`row.update()`", "`row.replace()`", "`T.bulk_update()`")


async def saved(cls: Any) -> Any:
    row = await instance(cls, {**new_key(cls), "tags": ["t"]}).save()
    LOG.clear()
    return await cls.get(row.pk)


async def somebody_else(row: Any) -> None:
    cls = type(row)
    await cls.find(**key_of(row)).skip_events().update(other="theirs", tags=["theirs"], touched="x", called=1)
    LOG.clear()


def classes_of(rule: str) -> tuple[Any, ...]:
    return {
        "revision": (CountedCell, XminCell),
        "stale instance": (CountedCell,),
        "deleted row": (SoftCell,),
        "validate_on_save": (PlainCell, StrictCell),
        "events": (LoudCell,),
        "custom types": (TypedCell,),
        "another database": (),
    }.get(rule, CLASSES)


CELLS = [
    pytest.param(path, rule, promise, cls, id=f"{path} {rule} {cls.__name__}")
    for path, rule, promise in paths_of("Rows that are there")
    for cls in classes_of(rule)
]


@pytest.mark.parametrize(("path", "rule", "promise", "cls"), CELLS)
async def test_rows_that_are_there(db: Any, path: str, rule: str, promise: str, cls: Any) -> None:
    cls = fresh(cls)
    await prepare(cls)
    row = await saved(cls)
    write = UPDATES[path]
    key = key_of(row)
    if rule == "other columns":
        if cls not in (CountedCell, XminCell):
            await somebody_else(row)
        before = await stored(cls, key)
        await write(row, {"n": 5, "name": "new", "tone": Tone.LOW, "shape": Shape(a=3)}, None)
        there = await stored(cls, key)
        assert (there["n"], there["the_name"], there["tone"], there["shape"]) == (5, "new", "low", {"a": 3})
        assert there["doubled"] == 10
        if cls not in (CountedCell, XminCell):
            mine = ("theirs", ["theirs"]) if promise == "kept" else ("o", ["t"])
            assert (there["other"], there["tags"]) == mine
        kept = ("label", "both", "lists", "server", *(("more",) if cls is SubCell else ()))
        assert {k: there[k] for k in kept} == {k: before[k] for k in kept}
        if path in IN_MEMORY:
            assert (row.n, row.doubled, row.is_changed) == (5, 10, False)
            assert row.touched == there["touched"] and row.called == there["called"]
    elif rule == "custom types":
        assert promise == "stored"
        await write(row, OWN, None)
        there = await stored(cls, key)
        assert {k: there[k] for k in OWN} == OWN_STORED
        loaded = await cls.get(row.pk)
        assert loaded.cents == Decimal("2.01") and loaded.money == 7 and loaded.mood is Tone.LOW
        if path in IN_MEMORY:
            assert row == loaded and not row.is_changed
    elif rule == "update_default":
        assert promise == "set"
        await write(row, {"n": 5}, None)
        there = await stored(cls, key)
        assert (there["touched"], there["called"]) == ("updated", 7)
        await write(await cls.get(row.pk), {"touched": "mine", "called": 3}, None)
        there = await stored(cls, key)
        assert (there["touched"], there["called"]) == ("mine", 3)
    elif rule == "revision":
        assert promise == "counts"
        holder, before = await cls.get(row.pk), await stored(cls, key)
        if cls is XminCell:
            await fetch_val("SELECT 1")
        await write(row, {"n": 5}, None)
        after = await stored(cls, key)
        if cls is CountedCell:
            assert after["version"] == before["version"] + 1
            holder.n = 9
            with pytest.raises(RevisionConflict):
                await holder.save()
            with pytest.raises(RevisionConflict):
                await holder.delete()
        if path in IN_MEMORY:
            await row.update(n=6)  # it knows its new revision
    elif rule == "stale instance":
        await somebody_else(row)
        if promise == "refused":
            with pytest.raises(RevisionConflict):
                await write(row, {"n": 5}, None)
            assert (await stored(cls, key))["n"] == 1
        else:
            assert promise == "not asked"
            await write(row, {"n": 5}, None)
            assert (await stored(cls, key))["n"] == 5
    elif rule == "deleted row":
        await (await cls.get(row.pk)).delete()
        if promise == "not found":
            with pytest.raises((RowNotFound, UniqueViolation)):
                async with pg_transaction():
                    await write(row, {"n": 5}, None)
        else:
            await write(row, {"n": 5}, None)
        there = await stored(cls, key)
        assert there["n"] == (1 if promise == "not found" else 5)
        # A loaded row that did not know writes everything with force and replace(), as it says.
        assert (there["deleted_at"] is None) is (promise == "revived")
    elif rule == "documents":
        assert promise == "checked"
        with pytest.raises((EncodeError, ValidationError)):
            await write(row, {"shape": {"a": "bad"}}, None)
        assert (await stored(cls, key))["shape"] == {"a": 0}
    elif rule == "validate_on_save":
        await write(row, {"name": "UPPER"}, None)
        is_validated = cls is StrictCell or promise == "when made" or path in VALIDATED_BY_MAPPING
        assert (await stored(cls, key))["the_name"] == ("upper" if is_validated else "UPPER")
    else:
        assert rule == "events"
        await write(row, {"n": 5}, None)
        assert LOG == ([] if promise == "none" else promise.split(", "))


VALIDATED_BY_MAPPING = (
    "`save()` of a constructed row",
    "`T.upsert()`, `T.upsert_many()`",
    "`Conflict(update=[…])`",
    "`T.update_or_create()`",
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("path", UPDATES)
async def test_a_rollback_takes_every_path_back(db: Any, path: str, cls: Any) -> None:
    cls = fresh(cls)
    await prepare(cls)
    row = await saved(cls)
    key, before = key_of(row), row.model_dump()
    tx = await begin_transaction()
    await UPDATES[path](row, {"n": 5, "tags": ["new"], "shape": Shape(a=3)}, tx)
    await tx.rollback()
    assert (await cls.get(row.pk)).model_dump() == before
    there = await cls.get(row.pk)
    expected = {k: getattr(row, k) for k in cls.model_fields if getattr(row, k) != getattr(there, k)}
    assert row.get_changes() == expected and set(expected) <= {"n", "tags", "shape"}
    assert key_of(row) == key
    row.label = "after"
    await row.save()
    assert (await cls.get(row.pk)).model_dump() == row.model_dump()


# ------------------------------------------------------------------------------------------------------- insert_from()
async def copied(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A row made of these values by insert_from()."""
    given = {**COPIED, **values}
    line = literals([tuple(given.values())], types=[cls.__db__.field(k).type for k in given])
    assert await cls.insert_from(line, columns=[*given]) == 1
    return dict((await fetch(f"SELECT * FROM {cls.__db__.settings.name}"))[0])


COPIED: dict[str, Any] = {
    "name": "n", "label": "", "n": 1, "other": "o", "tone": "high", "shape": {"a": 0}, "tags": [], "touched": "t", "called": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "promise"),
    [(rule, promise) for path, rule, promise in paths_of("Rows that are new") if path == "`T.insert_from()`"],
)
async def test_insert_from(db: Any, rule: str, promise: str) -> None:
    cls = fresh(TypedCell) if rule == "custom types" else PlainCell
    await prepare(cls)
    if rule == "Python default":
        there = await copied(cls, {})
        assert promise == "not sent" and (there["both"], there["lists"]) == (False, [])
        with pytest.raises(NotNullViolation, match="null value in column"):
            await cls.insert_from(cls.find().tuples(cls.name), columns=["name"])
    elif rule == "server default":
        there = await copied(cls, {"n": 4})
        assert promise == "in the database" and (there["server"], there["doubled"]) == ("server", 8)
    elif rule == "validators":
        assert promise == "no" and (await copied(cls, {"name": "ABC"}))["the_name"] == "ABC"
    elif rule == "aliases":
        assert promise == "no"
        with pytest.raises(AttributeError, match="Label"):
            await cls.insert_from(cls.find().tuples(cls.label), columns=["Label"])
    elif rule == "key of None":
        assert promise == "refused"
        with pytest.raises(NotNullViolation, match="id"):
            await copied(cls, {"id": None})
    elif rule == "documents":
        assert promise == "not looked at"
        line = cls.find().tuples(func.jsonb_build_object("a", "bad"))
        assert await cls.insert_from(line, columns=["shape"]) == 0, (
            "of no rows, so that none is left that cannot be loaded"
        )
    elif rule == "custom types":
        assert promise == "stored"
        own = {"mood": "low", "cents": Decimal("2.005"), "money": Decimal(7), "moods": ["low", "high"]}
        there = await copied(cls, own)
        assert {k: there[k] for k in OWN} == OWN_STORED
        assert (await cls.find().one()).money == 7
    else:
        assert (rule, promise) == ("another database", "there"), "see test_another_database()"


# ---------------------------------------------------------------------------------------------------- another database
async def by_insert_from(cls: Any, values: dict[str, Any], tx: Any) -> None:
    assert tx is None
    line = literals([(*COPIED.values(),)], types=[PlainCell.__db__.field(k).type for k in COPIED])
    await cls.insert_from(line, columns=[*COPIED])


ELSEWHERE = [
    pytest.param(path, promise, id=path)
    for heading in ("Rows that are new", "Rows that are there")
    for path, rule, promise in paths_of(heading)
    if rule == "another database"
]


@pytest.mark.parametrize(("path", "promise"), ELSEWHERE)
async def test_another_database(isolated_db: Any, postgres_dsn: str, path: str, promise: str) -> None:
    assert promise == "there"
    await create_all(PlainCell)
    here = await PlainCell(label="here").save()
    async with Database(postgres_dsn, alias="cells_elsewhere") as database:
        try:
            await create_all(PlainCell, using=database)
            cls = PlainCell.using("cells_elsewhere")
            insert = by_insert_from if path == "`T.insert_from()`" else INSERTS.get(path)
            if insert is not None:
                await insert(cls, {"other": "mine", "n": 5}, None)
                assert await cls.count() >= 1
            if path in UPDATES:
                row = await cls.get((await cls.create(label="there")).id)
                await UPDATES[path](row, {"n": 6}, None)
                assert (await cls.get(row.id)).n == 6
        finally:
            await drop_all(PlainCell, using=database)
    assert (await PlainCell.find().one()) == here, "nothing else is here"
