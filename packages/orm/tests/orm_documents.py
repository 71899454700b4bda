"""Tables with JSON columns whose model is known."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_serializer
from typing_extensions import TypedDict

from data_bridge.postgres import Col, Column, IdMixin, Index, Link


class Kind(Enum):
    SMALL = "small"
    LARGE = "large"


class Choice(BaseModel):
    name: str
    price: Decimal


class Variant(BaseModel):
    sku: str
    price: int
    choices: list[Choice] = []


class Category(BaseModel):
    """With fields that are called like the attributes and methods of columns."""

    name: str
    key: str = "k"
    path: str = "p"
    owner: str = "o"
    source: str = "s"
    field: str = "f"
    label: str = "l"
    set: int = 1
    nullable: bool = True
    bind: str = "b"
    length: int = 4
    cast: str = "c"
    contains: str = "in"
    any: int = 0
    rank: int = 0
    kind: Kind = Kind.SMALL
    at: datetime | None = None
    day: date | None = None
    mark: UUID | None = None
    is_on: bool = False
    lasts: timedelta | None = None
    weight: float = 0.5
    price: Decimal = Decimal("1.10")
    tags: list[str] = []
    sizes: dict[str, int] = {}
    parent: "Category | None" = None


@dataclass
class Spot:
    x: int
    label: str = "here"


class Typed(TypedDict, total=False):
    k: int


class Renamed(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    t_: int = Field(default=0, alias="t")
    when: date = date(2024, 1, 1)

    @field_serializer("when")
    def _write(self, value: date) -> str:
        return f"{value.isoformat()}T00:00:00"


class DocProduct(IdMixin):
    class Settings:
        indexes = [
            Index("category.name"),
            Index("category.parent.rank", unique=True),
            Index("variants.0.price", "title"),
        ]

    title: Col[str] = Column(default="t")
    category: Col[Category]
    other: Col[Category | None] = Column(default=None)
    variants: Col[list[Variant]] = Column(default_factory=list)
    by: Col[dict[str, Variant]] = Column(default_factory=dict)
    free: Col[dict[str, Any]] = Column(default_factory=dict)
    spot: Col[Spot] = Column(default_factory=lambda: Spot(1), type="jsonb")
    typed: Col[Typed] = Column(default_factory=lambda: Typed(k=1), type="jsonb")


class DocOrder(IdMixin):
    product: Link[DocProduct]


MOMENT = datetime(2024, 5, 1, 12, tzinfo=UTC)
MARK = UUID(int=7)


def rows() -> list[DocProduct]:
    large = Category(
        name="x", rank=2, kind=Kind.LARGE, at=MOMENT, day=MOMENT.date(), mark=MARK, is_on=True, lasts=timedelta(days=1, seconds=3),
        tags=["a", "b"], sizes={"z": 5}, parent=Category(name="up", rank=7, path="q"), weight=2.5, price=Decimal("9.90"),
    )  # fmt: skip
    variants = [
        Variant(sku="1", price=5, choices=[Choice(name="n", price=Decimal("1.5"))]),
        Variant(sku="2", price=50),
    ]
    return [
        DocProduct(category=large, other=large, variants=variants, by={"q": variants[1]}, free={"a": {"b": 1}}),
        DocProduct(category=Category(name="y", rank=10), variants=[Variant(sku="3", price=1)], spot=Spot(5)),
        DocProduct(category=Category(name="Z", rank=-1, label="other", set=9), typed=Typed()),
    ]


C: Any = DocProduct.category
V: Any = DocProduct.variants


class DocRenamed(IdMixin):
    doc: Col[Renamed] = Column(default_factory=Renamed)
