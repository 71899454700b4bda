"""data-bridge-query alone: SQL text without Pydantic, a pool, an event loop or a connection."""

import importlib.util
import socket


def refused(*arguments: object) -> None:
    raise AssertionError("a query-only user must not need a connection")


socket.socket.connect = refused  # type: ignore[method-assign, assignment]

from data_bridge.query import column, select, table, types  # noqa: E402 - after the guard

users = table("users", column("id", types.BigInt), column("age", types.Integer))
compiled = select(users.c.id).where(users.c.age > 25).order_by(-users.c.id).limit(10).sql()
assert (
    compiled.sql == 'SELECT "users"."id" FROM "users" WHERE "users"."age" > $1 ORDER BY "users"."id" DESC LIMIT $2'
), compiled.sql
assert compiled.params == (25, 10)
assert importlib.util.find_spec("pydantic") is None
assert importlib.util.find_spec("data_bridge.orm") is None
print(f"query alone: {compiled.sql}")
