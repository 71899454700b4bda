"""Every way in which a column `v` of a table is loaded, for tests of what arrives."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from data_bridge.postgres import Col, Column, IdMixin, Table, execute, fetch, fetch_one, optional, stream
from data_bridge.query.types import SQLType

__all__ = ["WAYS", "made"]


async def by_stream(table: Any) -> Any:
    async with stream(f'SELECT * FROM "{table.__db__.settings.name}"', as_=table) as rows:
        return await anext(aiter(rows))


async def by_refresh(table: Any) -> Any:
    row = (await table.find().select(table.id))[0]
    return await row.refresh("v")


def text_of(table: Any) -> str:
    return f'SELECT v, id FROM "{table.__db__.settings.name}"'


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "find": lambda t: t.find().one(),
    "list": lambda t: _first(t.find().to_list()),
    "get": lambda t: t.get(1),
    "find_one": lambda t: t.find_one(t.id == 1),
    "get_many": lambda t: _value(t.get_many([1])),
    "select": lambda t: t.find().select(t.v).one(),
    "refresh": by_refresh,
    "tuples": lambda t: _first(t.find().tuples(t, t.id).first()),
    "optional": lambda t: _first(t.find().tuples(optional(t)).first()),
    "union": lambda t: _first(t.find().union(t.find()).to_list()),
    "returning": lambda t: _first(t.find(t.id == 1).returning().update(id=1)),
    "iteration": lambda t: _first(_all(t.find())),
    "raw": lambda t: _first(t.raw(text_of(t))),
    "fetch": lambda t: _first(fetch(text_of(t), as_=t)),
    "fetch_one": lambda t: fetch_one(text_of(t), as_=t),
    "stream": by_stream,
    # Single columns, which no instance holds.
    "tuples of columns": lambda t: _single(_first(t.find().tuples(t.v, t.id).to_list())),
    "first tuple": lambda t: _single(t.find().tuples(t.v).first()),
    "mixed tuples": lambda t: _single(_mixed(t)),
    "values": lambda t: _single(_first(t.find().values(t.v).to_list()), "v"),
    "values by name": lambda t: _single(t.find().values(other=t.v).first(), "other"),
    "scalars": lambda t: _single(t.find().scalars(t.v).to_list()),
    "first scalar": lambda t: _single(_listed(t.find().scalars(t.v).first())),
    "union of tuples": lambda t: _single(_first(t.find().tuples(t.v).union_all(t.find().tuples(t.v)).to_list())),
}


async def _listed(value: Awaitable[Any]) -> list[Any]:
    return [await value]


async def _mixed(table: Any) -> Any:
    """A column beside a whole table, whose own columns all fit."""
    await execute("CREATE TABLE IF NOT EXISTS fit_beside (id bigint PRIMARY KEY)")
    await execute("INSERT INTO fit_beside VALUES (1) ON CONFLICT DO NOTHING")

    class FitBeside(IdMixin):
        pass

    query = table.find().join(FitBeside, FitBeside.id == table.id)
    return (await query.tuples(table.v, FitBeside).to_list())[0]


async def _single(row: Awaitable[Any], at: Any = 0) -> Any:
    return SimpleNamespace(v=(await row)[at], is_changed=False)


async def _first(rows: Awaitable[Any]) -> Any:
    return (await rows)[0]


async def _all(query: Any) -> list[Any]:
    return [row async for row in query]


async def _value(rows: Awaitable[Any]) -> Any:
    return next(iter((await rows).values()))


def made(table: str, annotation: Any, of: SQLType | None) -> Any:
    """A new class whose column `v` is declared so: what is known of a statement is kept by its class."""

    class Fit(Table):
        id: Col[int] = Column(primary_key=True)
        v: annotation = Column(type=of)

        class Settings:
            name = table

    return Fit
