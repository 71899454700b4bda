"""Sequences, operator classes, storage parameters and named foreign keys of a class."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from data_bridge.core.errors import DatabaseError
from data_bridge.postgres import Col, Column, ForeignKey, IdMixin, Index, Link, Table, create_all


class Counted(Table):
    id: Col[int] = Column(primary_key=True, auto_increment="serial", type="integer")
    number: Col[int] = Column(auto_increment="always")
    small: Col[int] = Column(auto_increment="serial", type="smallint")
    title: Col[str] = Column(server_default="''")
    tag_id: Col[int | None] = None

    class Settings:
        name = "counted"
        indexes: ClassVar = [
            Index("title", name="by_pattern", opclasses={"title": "text_pattern_ops"}, with_={"fillfactor": 70}),
            {"fields": ["title"], "name": "by_hash", "method": "hash", "with_": {"fillfactor": 50}},
        ]
        constraints: ClassVar = [ForeignKey(["tag_id"], "shop.tags", ["id"], name="its_tag")]


def test_sequences_operator_classes_and_schemas_of_keys() -> None:
    text = Counted.ddl()
    assert '"id" serial NOT NULL' in text
    assert '"number" bigint GENERATED ALWAYS AS IDENTITY NOT NULL' in text
    assert '"small" smallserial NOT NULL' in text
    assert 'CONSTRAINT "its_tag" FOREIGN KEY ("tag_id") REFERENCES "shop"."tags" ("id")' in text
    assert 'CREATE INDEX "by_pattern" ON "counted" ("title" "text_pattern_ops") WITH ("fillfactor" = 70)' in text
    assert 'CREATE INDEX "by_hash" ON "counted" USING "hash" ("title") WITH ("fillfactor" = 50)' in text


async def test_values_of_sequences_come_back(db: Any) -> None:
    class Numbered(Table):
        id: Col[int] = Column(primary_key=True, auto_increment="serial", type="integer")
        number: Col[int] = Column(auto_increment="always")
        name: Col[str]

    await create_all(Numbered)
    row = await Numbered(name="a").save()
    assert (row.id, row.number) == (1, 1)
    rows = await Numbered.insert_many([Numbered(name="b"), Numbered(name="c", id=9)])
    assert [(r.id, r.number) for r in rows] == [(2, 2), (9, 3)]
    with pytest.raises(DatabaseError, match="cannot insert a non-DEFAULT value"):
        await Numbered(name="d", number=7).save()


def test_a_key_over_the_field_of_a_link_is_that_of_the_link() -> None:
    class Pointed(IdMixin):
        pass

    class Pointing(IdMixin):
        to: Link[Pointed] = Column(on_delete="CASCADE")

        class Settings:
            constraints: ClassVar = [ForeignKey(["to"], Pointed, ["id"], name="mine", on_delete="RESTRICT")]

    assert Pointing.ddl().count("FOREIGN KEY") == 1
    assert 'CONSTRAINT "mine" FOREIGN KEY ("to_id") REFERENCES "pointed" ("id") ON DELETE RESTRICT' in Pointing.ddl()


def test_serial_is_for_integers() -> None:
    class Wrong(Table):
        id: Col[str] = Column(primary_key=True, auto_increment="serial")

    with pytest.raises(ValueError, match="serial is for smallint, integer, bigint, and the column 'id' is text"):
        Wrong.ddl()
