"""What the server rounds, pads or writes in its own form: after every write the instance is what find() returns."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from data_bridge.core import Range
from data_bridge.postgres import Col, Column, Conflict, IdMixin, create_all, execute
from data_bridge.postgres.operators import Inc
from data_bridge.query import types

# The annotation, the type, a value that the server changes, and another one.
TYPES: dict[str, tuple[Any, Any, Any, Any]] = {
    "numeric(9,2)": (Decimal, types.Numeric(9, 2), Decimal("1.015"), Decimal("2.999")),
    "numeric(9,2), as it is": (Decimal, types.Numeric(9, 2), Decimal("1.50"), Decimal("7.00")),
    "numeric(9,2), padded": (Decimal, types.Numeric(9, 2), Decimal("1.5"), Decimal("3E+2")),
    "numeric(9,2), zero": (Decimal, types.Numeric(9, 2), Decimal("-0.00"), Decimal("7.00")),
    "numeric(5), as it is": (Decimal, types.Numeric(5), Decimal(15), Decimal(-2)),
    "numeric(5)": (Decimal, types.Numeric(5), Decimal("1.5"), Decimal("-2.5")),
    "numeric": (Decimal, types.Numeric(), Decimal("1.01500"), Decimal("1e-20")),
    "real": (float, types.Real, 1 / 3, 1e10 / 7),
    "double": (float, types.Double, 1 / 3, 1e10 / 7),
    "char(5)": (str, types.Char(5), "ab", "c"),
    "varchar(5)": (str, types.Varchar(5), "ab ", "c"),
    "text": (str, types.Text, "ab ", "c"),
    "timestamp(0)": (datetime, "timestamp(0)", datetime(2024, 1, 1, 0, 0, 0, 600_000), datetime(2024, 1, 1, 0, 0, 0, 1)),
    "timestamptz(3)": (datetime, "timestamptz(3)", datetime(2024, 1, 1, 0, 0, 0, 600_600, UTC), datetime(2025, 1, 1, 0, 0, 0, 1, UTC)),
    "timestamptz": (datetime, None, datetime(2024, 1, 1, 0, 0, 0, 600_601, UTC), datetime(2025, 1, 1, 0, 0, 0, 1, UTC)),
    "time(1)": (time, "time(1)", time(1, 2, 3, 456_000), time(4, 5, 6, 1)),
    "interval(0)": (timedelta, "interval(0)", timedelta(seconds=1.6), timedelta(microseconds=1)),
    "list of numeric": (list[Decimal], types.Array(types.Numeric(9, 2)), [Decimal("1.015"), Decimal(2)], [Decimal("0.001")]),
    "list of real": (list[float], types.Array(types.Real), [1 / 3], [2 / 3, 0.1]),
    "list of char": (list[str], types.Array(types.Char(3)), ["a"], ["b", "c"]),
    "range": (Range[int], None, Range(1, 5, "[]"), Range(2, 3, "(]")),
    "multirange": (list[Range[int]], types.Int8Multirange, [Range(5, 7), Range(1, 5)], [Range(1, 2, "[]")]),
    "domain": (Decimal, types.Domain("cents_of_rounding", types.Numeric(9, 2)), Decimal("1.015"), Decimal("2.999")),
}  # fmt: skip


def _made(kind: str) -> Any:
    annotation, of, *_ = TYPES[kind]

    class Rounded(IdMixin):
        code: Col[str] = Column(unique=True)
        value: Col[annotation | None] = Column(default=None, type=of)

        class Settings:
            name = f"rounded_{[*TYPES].index(kind)}"

    return Rounded


async def by_loaded_save(table: Any, value: Any, other: Any) -> Any:
    row = await table.get((await table(code="a", value=other).save()).id)
    row.value = value
    return await row.save()


async def by_force(table: Any, value: Any, other: Any) -> Any:
    row = await table(code="a", value=value).save()
    return await row.save(force=True)


async def by_constructed(table: Any, value: Any, other: Any) -> Any:
    first = await table(code="a", value=other).save()
    return await table(id=first.id, code="a", value=value).save()


async def by_update(table: Any, value: Any, other: Any) -> Any:
    return await (await table(code="a", value=other).save()).update(value=value)


async def by_replace(table: Any, value: Any, other: Any) -> Any:
    row = await table(code="a", value=other).save()
    row.value = value
    return await row.replace()


async def by_bulk_update(table: Any, value: Any, other: Any) -> Any:
    rows = await table.insert_many([table(code=c, value=other) for c in "ab"])
    rows[0].value, rows[1].code = value, "c"
    assert await table.bulk_update(rows) == 2
    assert rows[1] == await table.get(rows[1].id)
    return rows[0]


async def by_bulk_update_of_fields(table: Any, value: Any, other: Any) -> Any:
    rows = await table.insert_many([table(code=c, value=other) for c in "ab"])
    rows[0].value = value
    assert await table.bulk_update(rows, ["value"]) == 2
    assert rows[1] == await table.get(rows[1].id) and not rows[1].is_changed
    return rows[0]


async def by_insert_many(table: Any, value: Any, other: Any) -> Any:
    rows = await table.insert_many([table(code=str(i), value=value if i % 2 else other) for i in range(5)])
    for row in rows:
        assert row == await table.get(row.id) and not row.is_changed
    return rows[1]


async def by_conflict(table: Any, value: Any, other: Any) -> Any:
    await table(code="a", value=other).save()
    on = Conflict(["code"], update=["value"])
    return (await table.insert_many([table(code="a", value=value)], on_conflict=on))[0]


async def by_upsert(table: Any, value: Any, other: Any) -> Any:
    await table(code="a", value=other).save()
    return (await table.upsert(table(code="a", value=value), conflict=["code"])).row


async def by_first_upsert(table: Any, value: Any, other: Any) -> Any:
    return (await table.upsert_many([{"code": "a", "value": value}], conflict=["code"]))[0].row


async def by_update_or_create(table: Any, value: Any, other: Any) -> Any:
    await table(code="a", value=other).save()
    return (await table.update_or_create(defaults={"value": value}, code="a"))[0]


async def by_get_or_create(table: Any, value: Any, other: Any) -> Any:
    return (await table.get_or_create(defaults={"value": value}, code="a"))[0]


PATHS: dict[str, Callable[[Any, Any, Any], Awaitable[Any]]] = {
    "save()": lambda t, v, _: t(code="a", value=v).save(),
    "insert()": lambda t, v, _: t(code="a", value=v).insert(),
    "create()": lambda t, v, _: t.create(code="a", value=v),
    "save() of a loaded row": by_loaded_save,
    "save(force=True)": by_force,
    "save() of a constructed row": by_constructed,
    "update()": by_update,
    "replace()": by_replace,
    "bulk_update()": by_bulk_update,
    "bulk_update(fields)": by_bulk_update_of_fields,
    "insert_many()": by_insert_many,
    "insert_many(on_conflict=)": by_conflict,
    "upsert()": by_upsert,
    "upsert_many()": by_first_upsert,
    "update_or_create()": by_update_or_create,
    "get_or_create()": by_get_or_create,
}


@pytest.mark.parametrize("name", TYPES)
async def test_after_a_write_the_instance_is_the_row(db: Any, name: str) -> None:
    _, _, value, other = TYPES[name]
    table = _made(name)
    await create_all(table)
    for path, write in PATHS.items():
        for sent, before in ((value, other), (other, value), (None, value)):
            row = await write(table, sent, before)
            assert not row.is_changed, (path, row.get_changes())
            found = await table.get(row.id)
            assert row == found and repr(row.value) == repr(found.value), path
            row.code = "edited"
            assert row.get_changes() == {"code": "edited"}, path
            await table.delete_all()


@pytest.mark.parametrize("name", ["numeric(9,2)", "list of numeric", "char(5)", "real"])
async def test_a_rollback_leaves_what_the_program_set(db: Any, name: str) -> None:
    _, _, value, other = TYPES[name]
    table = _made(name)
    await create_all(table)
    row = await table(code="a", value=other).save()
    known = row.value
    for write in (lambda: row.save(), lambda: table.bulk_update([row])):
        row.value = value
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                await write()
                assert not row.is_changed and row == await table.get(row.id)
                raise ZeroDivisionError
        assert row.get_previous_changes() == {"value": known}
        assert (await table.get(row.id)).value == known
        row.discard_changes()
        assert row.value == known and not row.is_changed
    fresh = table(code="b", value=value)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await fresh.save()
            raise ZeroDivisionError
    assert fresh.id is None and fresh.is_changed
    await fresh.save()
    assert fresh == await table.get(fresh.id)


async def test_only_such_columns_come_back(db: Any, sent: Any) -> None:
    class Plain(IdMixin):
        a: Col[int] = Column(default=1)
        b: Col[str] = Column(default="", max_length=9)
        c: Col[Decimal] = Column(default=Decimal(1))

    await create_all(Plain)
    with sent(r'RETURNING "id"$'):
        row = await Plain().save()
    row.a, row.c = 2, Decimal(3)
    with sent(r"^UPDATE (?!.*RETURNING)"):
        await row.save()
    table = _made("numeric(9,2)")
    await create_all(table)
    with sent(r'RETURNING "id", "value"$'):
        row = await table(code="a", value=Decimal(1)).save()
    row.code = "b"
    with sent(r"^UPDATE (?!.*RETURNING)"):
        await row.save()
    row.value = Decimal("1.005")
    with sent(r'RETURNING "value"$'):
        await row.save()
    await row.update(Inc({table.value: Decimal("0.005")}))
    assert row == await table.get(row.id)


async def test_an_edit_on_the_way_and_a_rollback(isolated_db: Any) -> None:
    table = _made("numeric(9,2)")
    await create_all(table)
    row = await table(code="a", value=Decimal(1)).save()
    await execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END'"
    )
    await execute("CREATE TRIGGER slows BEFORE UPDATE ON rounded_0 FOR EACH ROW EXECUTE FUNCTION slow()")
    for force in (False, True):
        with pytest.raises(ZeroDivisionError):
            async with isolated_db.transaction():
                row.value = Decimal("2.005") if not force else row.value
                saving = asyncio.create_task(row.save(force=force))
                await asyncio.sleep(0.03)
                row.value = Decimal(9)
                await saving
                raise ZeroDivisionError
        assert row.value == 9 and row.get_previous_changes() == {"value": Decimal(1)}
        row.discard_changes()
        assert row.value == 1 and not row.is_changed


async def test_an_edit_while_the_write_is_on_its_way_stays(isolated_db: Any) -> None:
    table = _made("numeric(9,2)")
    await create_all(table)
    row = await table(code="a", value=Decimal(1)).save()
    await execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END'"
    )
    await execute("CREATE TRIGGER slows BEFORE UPDATE ON rounded_0 FOR EACH ROW EXECUTE FUNCTION slow()")
    row.value = Decimal("2.005")
    saving = asyncio.create_task(row.save())
    await asyncio.sleep(0.03)
    row.value = Decimal(9)
    await saving
    assert row.value == 9 and row.get_changes() == {"value": Decimal(9)}
    assert (await table.get(row.id)).value == Decimal("2.01")
