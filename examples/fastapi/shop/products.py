"""Routes of products and their tags."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from data_bridge.postgres import Page
from data_bridge.postgres.fastapi import CursorPaging, Tx, csv_response
from shop.access import Staff
from shop.models import Product, Tag
from shop.schemas import ProductChanges, ProductIn, ProductOut, ProductWithTags

router = APIRouter(prefix="/products", tags=["products"])


@router.get("", response_model=Page[ProductOut])
async def list_products(paging: CursorPaging, tag: str | None = None) -> Page[Product]:
    query = Product.find().order_by(Product.name)
    if tag is not None:
        query = query.find(Product.tags.any(Tag.name == tag))
    return await paging.of(query)


@router.get("/search", response_model=list[ProductOut])
async def search_products(q: str, limit: int = 20) -> list[Product]:
    return await Product.find(Product.words.match(q, config="english")).order_by(Product.name).limit(min(limit, 100))


@router.get("/export.csv")
async def export_products() -> StreamingResponse:
    columns = (Product.id, Product.name, Product.price, Product.stock)
    return csv_response(Product.find().order_by(Product.id).values(*columns), filename="products.csv")


@router.get("/{number}", response_model=ProductWithTags)
async def get_product(number: int) -> Product:
    return await Product.get(number, fetch_links=True)


@router.post("", status_code=201, response_model=ProductOut, dependencies=[Staff])
async def create_product(body: ProductIn, tx: Tx) -> Product:
    return await Product.create(**body.model_dump())


@router.patch("/{number}", response_model=ProductOut, dependencies=[Staff])
async def change_product(number: int, body: ProductChanges, tx: Tx) -> Product:
    product = await Product.get(number, for_update=True)
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    return await product.update(changes)


@router.delete("/{number}", status_code=204, dependencies=[Staff])
async def delete_product(number: int, tx: Tx) -> Response:
    await (await Product.get(number)).delete()
    return Response(status_code=204)


@router.put("/{number}/tags", response_model=ProductWithTags, dependencies=[Staff])
async def set_tags(number: int, names: list[str], tx: Tx) -> Product:
    product = await Product.get(number, for_update=True)
    tags = [(await Tag.get_or_create(name=name)).row for name in dict.fromkeys(names)]
    await product.tags.set(tags)
    return await Product.get(number, fetch_links=True)
