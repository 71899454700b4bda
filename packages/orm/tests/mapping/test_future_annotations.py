"""Tables in a module whose annotations are texts."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from data_bridge.postgres import Col, Column, IdMixin, Table, create_all


class FutureKind(Enum):
    A = "a"


class FutureTable(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    name: str = Column(max_length=5)
    kind: FutureKind = FutureKind.A
    at: datetime = Column(default="NOW()")
    word: str = Column(default="NOW()")
    inner: FutureInner | None = None
    others: list[FutureInner] = Column(default_factory=list)


class FutureInner(BaseModel):
    x: int = 0


async def test_everything_works_with_postponed_annotations(db: Any) -> None:
    await create_all(FutureTable)
    row = await FutureTable(name="a", inner=FutureInner(x=1), others=[FutureInner()]).save()
    loaded = await FutureTable.find(FutureTable.name == "a").one()
    assert loaded == row and type(loaded.inner) is FutureInner and loaded.kind is FutureKind.A
    assert loaded.word == "NOW()" and loaded.at.tzinfo is not None
    assert "character varying(5)" in FutureTable.ddl().lower()


async def test_classes_made_inside_a_function(db: Any) -> None:
    class LocalPart(BaseModel):
        y: int

    class FutureLocal(IdMixin):
        part: LocalPart | None = None
        size: int = 1

    await create_all(FutureLocal)
    await FutureLocal(part=LocalPart(y=2)).save()
    assert (await FutureLocal.find(FutureLocal.size == 1).one()).part == LocalPart(y=2)
