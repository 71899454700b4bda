"""Each cell of the tables in docs/reference/write-paths.md: what every way of writing promises."""

from __future__ import annotations

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
from orm_write_paths import INSERTS, OWN, OWN_STORED, UPDATES, instance, key_of, new_key, prepare, stored
from pydantic import ValidationError

from data_bridge.postgres import (
    EncodeError,
    RevisionConflict,
    RowNotFound,
    UniqueViolation,
    begin_transaction,
    execute,
    fetch,
    fetch_val,
    pg_transaction,
)


async def inserted(cls: Any, path: str, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The instance that a path gives, if it does, and the row."""
    values = {"other": "mine", **new_key(cls), **values}
    given = await INSERTS[path](cls, values, None)
    row = given[0] if isinstance(given, (list, tuple)) else given
    name = f"far.{cls.__db__.settings.name}" if cls is FarCell else cls.__db__.settings.name
    where = "a = 1" if cls is FarCell else "other = 'mine'"
    return row, dict((await fetch(f"SELECT * FROM {name} WHERE {where}"))[0])


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
