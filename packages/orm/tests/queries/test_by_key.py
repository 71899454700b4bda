"""Rows by key: several at once, and rows that others have locked."""

from typing import Any

import pytest

from data_bridge.core.errors import EncodeError, RowNotFound
from data_bridge.postgres import Col, Column, Database, IdMixin, Table, create_all, pg_transaction


class Seat(Table):
    hall: Col[str] = Column(primary_key=True)
    number: Col[int] = Column(primary_key=True)


class Keyed(IdMixin):
    name: Col[str] = Column(default="x")


async def test_get_many_by_keys_of_several_columns(db: Any) -> None:
    await create_all(Seat)
    await Seat.insert_many([Seat(hall="a", number=1), Seat(hall="a", number=2), Seat(hall="b", number=1)])
    found = await Seat.get_many([("a", 2), {"hall": "b", "number": 1}, ("c", 1)])
    assert {k: (r.hall, r.number) for k, r in found.items()} == {("a", 2): ("a", 2), ("b", 1): ("b", 1)}
    assert await Seat.get_many([]) == {}
    with pytest.raises(TypeError, match=r"the key of Seat has 2 columns \(hall, number\), 1 values given"):
        await Seat.get_many(["a"])
    with pytest.raises(EncodeError, match=r"Seat\.number"):
        await Seat.get_many([("a", "x")])


async def test_a_locked_row_is_said_to_be_locked(isolated_db: Any) -> None:
    await create_all(Keyed)
    row = await Keyed().save()
    async with Database(isolated_db.dsn) as other, pg_transaction(using=other) as tx:
        await tx.fetch("SELECT 1 FROM keyed FOR UPDATE")
        async with pg_transaction():
            with pytest.raises(RowNotFound, match="there is no Keyed with key 1, or another transaction has locked it"):
                await row.lock(skip_locked=True)
