"""Operations of the ORM are counted by their table."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from data_bridge.core import Database
from data_bridge.postgres import Col, Column, Table, create_all, use_database


class Bottle(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    name: Col[str]


async def test_by_kind_and_table(isolated_db: Any) -> None:
    async with Database(isolated_db.dsn, metrics=True) as database, use_database(database):
        await create_all(Bottle)
        bottle = await Bottle(name="a").save()
        await Bottle.find(Bottle.name == "a").all()
        await bottle.delete()
        text = database.metrics()
    counts = {
        (sample.labels["kind"], sample.labels["table"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "data_bridge_operation_duration_seconds_count"
    }
    assert {kind: counts[kind, "bottle"] for kind in ("insert", "select", "delete")} == {
        "insert": 1,
        "select": 1,
        "delete": 1,
    }
