"""The tables the tests speak of, as definitions and as DDL."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from data_bridge.query import column, ddl, func, table, types

users = table(
    "users",
    column("id", int, primary_key=True, identity="by default"),
    column("name", str, nullable=False),
    column("email", str, unique=True),
    column("age", types.Integer),
    column("active", bool),
    column("score", float),
    column("created_at", datetime, default=func.now()),
    column("manager_id", int, references="users.id"),
)
posts = table(
    "posts",
    column("id", int, primary_key=True, identity="by default"),
    column("author_id", int, references="users.id", on_delete="cascade"),
    column("title", str, nullable=False),
    column("body", str),
    column("price", types.Numeric(12, 2)),
    column("qty", types.Integer),
    column("tags", list[str]),
    column("meta", dict),
    column("published_on", date),
    column("created_at", datetime),
)
events = table(
    "events",
    column("id", UUID, primary_key=True),
    column("kind", types.Varchar(20)),
    column("at", types.Timestamp),
    column("took", timedelta),
    column("amount", Decimal),
    column("data", bytes),
    column("during", types.TstzRange),
    column("address", types.Inet),
    column("numbers", types.Array(types.Integer)),
    column("search", types.TsVector),
    column("bits", types.Integer),
)
stock = table("stock", column("sku", str, primary_key=True), column("n", int), schema="shop")
TABLES = [users, posts, events, stock]


def script() -> str:
    """The DDL of all of them."""
    return "CREATE SCHEMA IF NOT EXISTS shop;\n" + "\n".join(ddl.script(t.__table_def__) for t in TABLES)
