"""Of the tables in docs/reference/write-paths.md: the row of insert_from(), and every path to another database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from orm_cells import PlainCell, TypedCell, fresh, paths_of
from orm_write_paths import INSERTS, OWN, OWN_STORED, UPDATES, prepare

from data_bridge.postgres import Database, NotNullViolation, create_all, drop_all, fetch, func
from data_bridge.query import values as literals


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
