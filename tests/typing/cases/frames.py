"""Data frames: what reads them, and what it returns."""

from pathlib import Path
from typing import Any, BinaryIO, assert_type

from data_bridge.core import Database
from data_bridge.postgres import (
    ArrowStream,
    ArrowTable,
    Col,
    IdMixin,
    Transaction,
    copy_in,
    copy_in_csv,
    copy_out_csv,
    fetch_arrow,
    stream_arrow,
)


class Sale(IdMixin):
    shop: Col[str]
    total: Col[int]


async def read(db: Database, tx: Transaction) -> None:
    assert_type(await fetch_arrow("SELECT 1", numeric="float", using=db), ArrowTable)
    assert_type(await db.fetch_arrow("SELECT $1", 1, numeric=(38, 10)), ArrowTable)
    assert_type(await tx.fetch_arrow("SELECT 1", timeout=1), ArrowTable)
    assert_type(stream_arrow("SELECT 1", batch=10), ArrowStream)
    async with db.stream_arrow("SELECT 1") as batches:
        async for batch in batches:
            assert_type(batch, ArrowTable)
            assert_type(len(batch), int)
            assert_type(batch.column_names, list[str])


async def query() -> None:
    assert_type(await Sale.find(Sale.total > 1).arrow(), ArrowTable)
    assert_type(await Sale.find().values(Sale.shop).arrow(numeric="text"), ArrowTable)
    both: Any = Sale.find().tuples(Sale.shop).union(Sale.find().tuples(Sale.shop))
    assert_type(await Sale.find().tuples(Sale.shop).union(both).arrow(), ArrowTable)


async def write(db: Database, table: ArrowTable) -> None:
    assert_type(await copy_in(Sale, table), int)
    assert_type(await db.copy_in("sales", table, columns=["shop"], nulls="nan"), int)


async def csv(db: Database, tx: Transaction, file: BinaryIO) -> None:
    assert_type(await copy_in_csv(Sale, b"shop,total\n"), int)
    assert_type(await db.copy_in_csv("sales", Path("sales.csv"), header=False, columns=["shop"]), int)
    assert_type(await tx.copy_in_csv("sales", file, delimiter=";", null="-"), int)
    assert_type(await copy_out_csv("SELECT $1", "sales.csv", 1), int)
    assert_type(await copy_out_csv(Sale.find(), Path("sales.csv"), header=False), int)
