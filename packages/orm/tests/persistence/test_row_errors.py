"""A bulk statement that fails names the row, wherever it stands; nothing of it is written."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from data_bridge.postgres import (
    CheckViolation,
    Col,
    Column,
    EncodeError,
    ForeignKeyViolation,
    IdMixin,
    NotNullViolation,
    RevisionConflict,
    Table,
    UniqueViolation,
    create_all,
    execute,
    pg_transaction,
)


class Numbered(Table):
    id: Col[int] = Column(primary_key=True)
    name: Col[str] = Column(unique=True)
    n: Col[int] = Column(default=0, check="n < 100", type="smallint")
    other: Col[int | None] = Column(default=None, foreign_key="numbered.id")
    tags: Col[list[str]] = Column(default_factory=list)


class Simple(Table):
    id: Col[int] = Column(primary_key=True)
    name: Col[str] = Column(unique=True, max_length=10)
    n: Col[int] = Column(default=0, check="n < 100")
    revision: Col[int] = Column(default=1)

    class Settings:
        use_revision = True


def numbered(cls: Any, count: int, **changes: dict[int, Any]) -> list[Any]:
    made = [cls(id=i, name=f"r{i}") for i in range(count)]
    for key, values in changes.items():
        for i, value in values.items():
            made[i].__dict__[key] = value
    return made


@pytest.mark.parametrize("cls", [Numbered, Simple])
@pytest.mark.parametrize("returning", [True, False])
@pytest.mark.parametrize("inside", [True, False])
async def test_insert_many_names_the_row(db: Any, cls: Any, returning: bool, inside: bool) -> None:
    await create_all(Numbered, Simple)

    async def fail(error: Any, index: int | None, rows: list[Any], **options: Any) -> None:
        with pytest.raises(error) as caught:
            if inside:
                async with pg_transaction():
                    try:
                        await cls.insert_many(rows, returning=returning, **options)
                    finally:
                        if len(rows) > 1:
                            assert await cls.count() == 0  # the transaction is alive, the statement undone
            else:
                await cls.insert_many(rows, returning=returning, **options)
        assert caught.value.row_index == index
        assert f"row {index} of insert_many()" in caught.value.__notes__
        assert await cls.count() == 0

    await fail(CheckViolation, 700, numbered(cls, 1000, n={700: 100, 900: 100}))
    await fail(UniqueViolation, 999, numbered(cls, 1000, name={999: "r3"}))
    await fail(NotNullViolation, 0, numbered(cls, 50, name={0: None}))
    await fail(
        UniqueViolation, 31, numbered(cls, 50, name={31: "r2"}), batch_size=10
    )  # the same as one of an earlier batch
    await fail(CheckViolation, 0, numbered(cls, 1, n={0: 500}))
    if cls is Numbered:
        await fail(ForeignKeyViolation, 20, numbered(cls, 50, other={20: 999}))
        await fail(EncodeError, 7, numbered(cls, 10, n={7: 2**40}))
    else:
        await fail(EncodeError, 5, numbered(cls, 10, name={5: "x" * 11}))


async def test_bulk_update_names_the_row(db: Any) -> None:
    await create_all(Numbered, Simple)
    for cls in (Numbered, Simple):
        rows: list[Any] = await cls.insert_many(numbered(cls, 100))
        for i, r in enumerate(rows):
            r.n = 100 if i in (60, 80) else 1
        with pytest.raises(CheckViolation) as caught:
            await cls.bulk_update(rows)
        assert caught.value.row_index == 60  # type: ignore[attr-defined]
        assert await cls.find(cls.n == 1).count() == 0 and rows[0].is_changed
        rows[60].n = rows[80].n = 2
        assert await cls.bulk_update(rows) == 100 and await cls.find(cls.n == 1).count() == 98


async def test_bulk_update_looks_at_revisions(db: Any) -> None:
    await create_all(Simple)
    rows = await Simple.insert_many(numbered(Simple, 10))
    await execute("UPDATE simple SET revision = 7 WHERE id = 4")
    for r in rows:
        r.n += 1
    with pytest.raises(RevisionConflict, match="row 4 of bulk_update") as caught:
        await Simple.bulk_update(rows)
    assert caught.value.row_index == 4  # type: ignore[attr-defined]
    assert await Simple.find(Simple.n == 1).count() == 0 and rows[0].revision == 1
    await rows[4].refresh(keep_changes=True)
    assert await Simple.bulk_update(rows) == 10
    assert rows[0].revision == 2 and rows[4].revision == 8
    assert {r.revision for r in await Simple.find()} == {2, 8}


async def test_a_conflict_has_both_versions(db: Any) -> None:
    await create_all(Simple)
    row = await Simple(id=1, name="a").save()
    other = await Simple.get(1)
    other.n = 5
    await other.save()
    row.name = "b"
    with pytest.raises(RevisionConflict, match="its revision is 2, not 1") as caught:
        await row.save()
    error: Any = caught.value
    assert (error.expected, error.found, error.current.n) == (1, 2, 5)
    assert row.get_changes() == {"name": "b"} and row.revision == 1


class Wide(IdMixin):
    a: Col[int] = Column(default=0)
    b: Col[str] = Column(default="b")
    tags: Col[list[str]] = Column(default_factory=list)


async def test_rows_with_different_changes_are_one_statement(db: Any, sent: Any) -> None:
    await create_all(Wide)
    rows = await Wide.insert_many([Wide() for _ in range(4)])
    await execute("UPDATE wide SET a = 9, b = 'other'")
    rows[0].a = 1
    rows[1].b = "x"
    rows[2].a, rows[2].b = 2, "y"
    with sent(r'UPDATE "wide" SET "a" = CASE WHEN "v"."m0" THEN "v"."v0" ELSE "wide"."a" END, "b" = CASE'):
        assert await Wide.bulk_update(rows) == 3
    found = await Wide.find().order_by(Wide.id)
    assert [(r.a, r.b) for r in found] == [(1, "other"), (9, "x"), (2, "y"), (9, "other")]
    for i, r in enumerate(rows):
        r.tags = ["t", str(i)] if i else []
    rows[3].a = 3
    with sent(r'UPDATE "wide" SET .* FROM \(VALUES'):
        assert await Wide.bulk_update(rows) == 3  # the first has what it had
    assert [r.tags for r in await Wide.find().order_by(Wide.id)] == [[], ["t", "1"], ["t", "2"], ["t", "3"]]
    assert not any(r.is_changed for r in rows)
    rows[1].tags.append("z")
    assert rows[1].get_changes() == {"tags": ["t", "1", "z"]}


async def test_rows_that_bring_nothing_back_are_copied(db: Any) -> None:
    await create_all(Wide)
    alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
    most = 0

    def rows(count: int) -> Iterator[Wide]:
        for i in range(count):
            row = Wide(a=i, tags=["x", str(i)])
            alive[id(row)] = row
            yield row

    def progress(done: int) -> None:
        nonlocal most
        most = max(most, len(alive))

    assert await Wide.insert_many(rows(12_500), returning=False, batch_size=2000, progress=progress) == 12_500
    assert most <= 3 * 2000 and await Wide.count() == 12_500
    assert (await Wide.find(Wide.a == 12_499).one()).tags == ["x", "12499"]
    with pytest.raises(CheckViolation) as caught:
        await Simple.create_table()
        await Simple.insert_many(numbered(Simple, 3000, n={2222: 100}), returning=False)
    assert caught.value.row_index == 2222  # type: ignore[attr-defined]


class Timed(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    at: Col[datetime | None] = Column(default=None)
    amount: Col[int] = Column(default=0, type="smallint")


@pytest.mark.parametrize("returning", [True, False])
async def test_values_that_do_not_fit_name_their_row(db: Any, returning: bool) -> None:
    await create_all(Timed)

    def rows(**wrong: Any) -> list[Timed]:
        made = [Timed(at=None if i % 3 else datetime(2024, 1, 1, tzinfo=UTC)) for i in range(2000)]
        made[1700].__dict__.update(wrong)
        return made

    for wrong in ({"at": datetime(2024, 1, 1)}, {"at": datetime(2024, 1, 1, tzinfo=Nowhere())}, {"amount": 2**20}):
        with pytest.raises(EncodeError) as caught:
            await Timed.insert_many(rows(**wrong), returning=returning)
        assert caught.value.row_index == 1700  # type: ignore[attr-defined]
        assert await Timed.count() == 0
    await Timed.insert_many(rows(at=datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))), returning=returning)
    assert await Timed.find(Timed.at == datetime(2024, 1, 1, tzinfo=UTC)).count() == 668


class Nowhere(tzinfo):
    def utcoffset(self, moment: datetime | None) -> None:
        return None


class Unversioned(Table):
    class Settings:
        use_revision = "xmin"

    id: Col[int] = Column(primary_key=True)
    n: Col[int] = Column(default=0)
    doc: Col[dict[str, int]] = Column(default_factory=dict)


async def test_a_revision_without_a_column(isolated_db: Any) -> None:
    assert "xmin" not in Unversioned.ddl() and Unversioned(id=1).model_dump() == {"id": 1, "n": 0, "doc": {}}
    await create_all(Unversioned)
    row = await Unversioned(id=1).save()
    row.n = 1
    await row.save()
    await row.update(n=2)
    same, other = await Unversioned.get(1), (await Unversioned.find().tuples(Unversioned, Unversioned.n))[0][0]
    same.n = 3
    await same.save()
    other.doc["x"] = 1
    with pytest.raises(RevisionConflict) as caught:
        await other.save()
    error: Any = caught.value
    assert error.found != error.expected and error.current.n == 3
    await other.refresh(keep_changes=True)
    await other.save()
    rows = await Unversioned.insert_many([Unversioned(id=i) for i in (2, 3)])
    for again in range(2):
        for r in rows:
            r.n, r.doc = again + 5, {"y": again}
        assert await Unversioned.bulk_update(rows) == 2
    await execute("UPDATE unversioned SET n = 0 WHERE id = 3")
    for r in rows:
        r.n = 9
    with pytest.raises(RevisionConflict, match="row 1 of bulk_update"):
        await Unversioned.bulk_update(rows)
    assert (await Unversioned.get(2)).n == 6 and await Unversioned.check_schema() == []
    assert [r.id for r in await Unversioned.find().order_by(Unversioned.id)] == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_transaction_goes_on_after_a_bulk_statement_failed(isolated_db: Any, count: int) -> None:
    await create_all(Numbered)
    async with pg_transaction():
        kept = await Numbered(id=50, name="kept").save()
        with pytest.raises(CheckViolation) as caught:
            await Numbered.insert_many(numbered(Numbered, count, n={0: 500}))
        assert caught.value.row_index == 0  # type: ignore[attr-defined]
        kept.n = 100
        with pytest.raises(CheckViolation):
            await Numbered.bulk_update([kept])
        kept.n = 7
        assert await Numbered.bulk_update([kept]) == 1
        with pytest.raises(CheckViolation) as caught:
            await Numbered.upsert_many(numbered(Numbered, 5, n={3: 500}), conflict=[Numbered.id])
        assert caught.value.row_index == 3  # type: ignore[attr-defined]
    assert [(r.id, r.n) for r in await Numbered.find()] == [(50, 7)]
    with pytest.raises(EncodeError) as refused:
        await Numbered.upsert_many(numbered(Numbered, 5, n={2: 2**40}), conflict=[Numbered.id])
    assert refused.value.row_index == 2  # type: ignore[attr-defined]
