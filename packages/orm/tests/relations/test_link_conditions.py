"""A link in conditions, orders and groups is the key that it holds; errors of save() name the field."""

from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError, EncodeError
from data_bridge.postgres import Col, Column, IdMixin, Link, Table, create_all, func, pg_transaction


class Station(IdMixin):
    name: Col[str]


class Train(IdMixin):
    number: Col[str] = Column(default="x")
    at: Link[Station | None] = Column(default=None)


class Stop(Table):
    train: Link[Train] = Column(primary_key=True)
    station: Link[Station] = Column(primary_key=True)


class Delay(IdMixin):
    stop: Link[Stop]


async def made() -> list[Any]:
    await create_all(Station, Train, Stop, Delay)
    a, b = await Station.insert_many([Station(name="a"), Station(name="b")])
    trains = await Train.insert_many([Train(number="1", at=a), Train(number="2", at=b), Train(number="3")])
    return [a, b, *trains]


T: Any = Train


async def test_conditions(db: Any) -> None:
    a, b, *_ = await made()
    cases = {
        "1": T.at.in_([a]), "12": T.at.in_([a, b.id]), "": T.at.in_([]), "2": T.at.not_in([a]), "3": T.at.is_null(),
        "12 ": T.at.is_not_null(), "1 ": T.at == a, "2 ": T.at != a.id,
    }  # fmt: skip
    for wanted, condition in cases.items():
        query = Train.find(condition).order_by(Train.number)
        assert "JOIN" not in query.sql().sql
        assert "".join([t.number for t in await query]) == wanted.strip()


async def test_orders_and_groups(db: Any) -> None:
    a, b, *_ = await made()
    assert [t.number for t in await Train.find(T.at.is_not_null()).order_by(T.at, "number")] == ["1", "2"]
    groups = await Train.find().group_by(T.at).order_by(T.at).aggregate(n=func.count())
    assert groups == [{"at_id": a.id, "n": 1}, {"at_id": b.id, "n": 1}, {"at_id": None, "n": 1}]


async def test_links_of_several_columns(db: Any) -> None:
    a, b, one, two, _ = await made()
    stops = await Stop.insert_many([Stop(train=one, station=a), Stop(train=two, station=b)])
    await Delay(stop=stops[0]).save()
    delay: Any = Delay
    assert await Delay.count(delay.stop.in_(stops)) == 1
    assert await Delay.count(delay.stop.in_([(two.id, b.id)])) == 0
    assert await Delay.find().order_by(delay.stop).first() is not None


async def test_dicts_have_each_name_once(db: Any) -> None:
    a, *_ = await made()
    with pytest.raises(ConfigurationError, match="two columns of the dicts are called 'id': give one another name"):
        Train.find().values(Train.id, T.at.name, Station.id)
    rows = await Train.find(T.at == a).values(Train.number, T.at.name, station=T.at.id)
    assert rows == [{"number": "1", "name": "a", "station": a.id}]


async def test_errors_of_values_name_the_field(db: Any) -> None:
    _, _, train, *_ = await made()
    train.number = 5
    with pytest.raises(EncodeError, match=r"^Train.number \(text\): expected str, got int$"):
        await train.save()
    with pytest.raises(EncodeError, match=r"^Train.number \(text\): expected str, got int$"):
        await Train.model_construct(number=5).insert()


async def test_locked_rows_are_counted(db: Any) -> None:
    await made()
    async with pg_transaction():
        assert await Train.find(T.number > "1").for_update().count() == 2
