"""Tables on which every rule of writing can be tried: what the tests of write paths work on."""

import itertools
import re
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, PlainSerializer, StringConstraints

from data_bridge.postgres import (
    BulkUpdate,
    Col,
    Column,
    IdMixin,
    Insert,
    Replace,
    Save,
    SoftDeleteMixin,
    Table,
    Update,
    before_event,
)
from data_bridge.query import types

Lower = Annotated[str, StringConstraints(to_lower=True)]
LOG: list[str] = []
DOCS = (Path(__file__).parents[3] / "docs/reference/write-paths.md").read_text()


def paths_of(heading: str) -> list[tuple[str, str, str]]:
    """(path, rule, promise) of the table below a heading of the page."""
    part = DOCS.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.splitlines() if line[:1] == "|"]
    return [(line[0], rule, cell) for line in lines[2:] for rule, cell in zip(lines[0][1:], line[1:], strict=True)]


class Shape(BaseModel):
    a: int = 0


class Tone(Enum):
    HIGH = "high"
    LOW = "low"


class Cell(Table):
    class Settings:
        abstract = True

    name: Col[Lower] = Column(default="n", name="the_name")
    label: Col[str] = Column(default="", alias="Label")
    n: Col[int] = Column(default=1)
    other: Col[str] = Column(default="o")
    tone: Col[Tone] = Column(default=Tone.HIGH)
    shape: Col[Shape] = Column(default_factory=Shape)
    tags: Col[list[str]] = Column(default_factory=list)
    both: Col[bool] = Column(default=True, server_default="false")
    lists: Col[list[int]] = Column(default_factory=lambda: [1], server_default="'{}'")
    server: Col[str] = Column(server_default="'server'")
    doubled: Col[int] = Column(computed="n * 2")
    touched: Col[str] = Column(default="new", update_default="'updated'")
    called: Col[int] = Column(default=0, update_default=lambda: 7)


class PlainCell(IdMixin, Cell):
    pass


class SubCell(PlainCell):
    """A table of its own."""

    more: Col[str] = Column(default="m")


class FarCell(Cell):
    """A key of two columns, in another schema."""

    class Settings:
        schema = "far"

    a: Col[int] = Column(primary_key=True)
    b: Col[str] = Column(primary_key=True, name="the_b")


class CountedCell(IdMixin, Cell):
    class Settings:
        use_revision = "version"

    version: Col[int] = Column(default=1)


class XminCell(IdMixin, Cell):
    class Settings:
        use_revision = "xmin"


class SoftCell(IdMixin, SoftDeleteMixin, Cell):
    pass


class StrictCell(IdMixin, Cell):
    class Settings:
        validate_on_save = True


class LoudCell(IdMixin, Cell):
    @before_event(Insert, Update, Save, Replace)
    def happens(self) -> None:
        pass

    @before_event(Save)
    def save_happens(self) -> None:
        LOG.append("Save")

    @before_event(Insert)
    def insert_happens(self) -> None:
        LOG.append("Insert")

    @before_event(Update)
    def update_happens(self) -> None:
        LOG.append("Update")

    @before_event(Replace)
    def replace_happens(self) -> None:
        LOG.append("Replace")

    @before_event(BulkUpdate)
    @classmethod
    def bulk_update_happens(cls, query: Any) -> None:
        LOG.append("BulkUpdate")


Money = Annotated[
    Decimal,
    PlainSerializer(lambda v: f"{v} EUR"),
    BeforeValidator(lambda v: Decimal(v.removesuffix(" EUR")) if isinstance(v, str) else v),
]


_numbers = itertools.count()


def typed_cell() -> Any:
    """Types of a database's own, and of the program's; with names of their own, as a session remembers the types of its
    statements.
    """
    number = next(_numbers)
    tone = types.Enum(Tone, name=f"cell_tone_{number}")

    class TypedCell(IdMixin, Cell):
        class Settings:
            name = f"typed_cell_{number}"

        mood: Col[Tone] = Column(default=Tone.HIGH, type=tone)
        cents: Col[Decimal] = Column(default=Decimal(1), type=types.Domain(f"cell_cents_{number}", types.Numeric(9, 2)))
        money: Col[Money] = Column(default=Decimal(1), type="text")
        moods: Col[list[Tone]] = Column(default_factory=list, type=types.Array(tone))

    return TypedCell


TypedCell = typed_cell()


def fresh(cls: Any) -> Any:
    """The class for one test."""
    return typed_cell() if cls is TypedCell else cls


CLASSES: tuple[Any, ...] = (
    PlainCell,
    SubCell,
    FarCell,
    CountedCell,
    XminCell,
    SoftCell,
    StrictCell,
    LoudCell,
    TypedCell,
)
