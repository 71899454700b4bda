"""What requests and responses hold."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shop.models import Status


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class TagOut(Out):
    name: str


class ProductIn(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=120)]
    description: str = ""
    price: Decimal
    stock: int = 0


class ProductChanges(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    description: str | None = None
    price: Decimal | None = None


class ProductOut(Out):
    id: int
    name: str
    description: str
    price: Decimal
    stock: int


class ProductWithTags(ProductOut):
    tags: list[TagOut]


class LineIn(BaseModel):
    product_id: int
    amount: Annotated[int, Field(gt=0)]


class OrderIn(BaseModel):
    customer: str
    lines: Annotated[list[LineIn], Field(min_length=1)]


class OrderOut(Out):
    id: int
    customer: str
    status: Status
    placed_at: datetime


class LineOut(Out):
    product: ProductOut
    amount: int
    price: Decimal


class OrderWithLines(OrderOut):
    lines: list[LineOut]
