"""Views that a live schema has are read as definitions, which make the same views again and refuse to be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from query_live import live

from data_bridge.query import (
    ColumnDef,
    IndexDef,
    TableDef,
    ViewDef,
    column,
    ddl,
    delete,
    insert,
    merge,
    select,
    sql,
    table,
    truncate,
    types,
    update,
)
from data_bridge.query.definitions.tables import Use

ITEM = table("item", column("id", int, primary_key=True), column("name", str), column("price", int))
VIEWS = {
    "plain": ViewDef("v", select(ITEM.id, ITEM.name).where(ITEM.name != "it's")),
    "of text": ViewDef("Odd v", 'SELECT id AS "Odd id" FROM item', comment="a\n'b'"),
    "checked": ViewDef("v", select(ITEM.id, ITEM.price).where(ITEM.price > 0), check_option="local"),
    "checked all through": ViewDef("v", select(ITEM.id).where(ITEM.price > 0), check_option="cascaded"),
    "a barrier": ViewDef("v", select(ITEM.id), security_barrier=True, check_option="local"),
    "with a comment on a column": ViewDef(
        "v", "SELECT id FROM item", columns=(ColumnDef("id", types.BigInt, comment="it's"),)
    ),
    "materialized": ViewDef(
        "m",
        select(ITEM.id, ITEM.name),
        schema="shop",
        materialized=True,
        indexes=(
            IndexDef("m_id", ("id",), unique=True),
            IndexDef("m_name", (sql("lower(name)"),), where=sql("(id > 1)"), comment="fast"),
        ),
        comment="a copy",
    ),
}


async def _make(db: Any, view: ViewDef) -> None:
    await db.execute_script("CREATE SCHEMA IF NOT EXISTS shop")
    for definition in (ITEM.__table_def__,):
        for operation in ddl.create_table_operations(definition):
            await db.execute(str(operation))
    for operation in ddl.create_view_operations(view):
        await db.execute(str(operation))


@pytest.mark.parametrize("name", VIEWS)
async def test_a_view_that_is_read_makes_the_same_view(db: Any, name: str) -> None:
    await _make(db, VIEWS[name])
    (read,) = (await live(db, "public", "shop")).views.values()
    assert {**read.given(), **VIEWS[name].given(), "query": 0} == {**read.given(), "query": 0}, read
    await db.execute(str(ddl.DropView((read.schema, read.name), materialized=read.materialized)))
    for operation in ddl.create_view_operations(read):
        await db.execute(str(operation))
    found = await live(db, "public", "shop")
    assert found.views == {(read.schema, read.name): read}
    assert found.unmodelled == ()


async def test_the_role_that_reads_a_view_may_be_asked_for_its_privileges(db: Any) -> None:
    if (await live(db)).server_version < 150_000:
        pytest.skip("security_invoker came with PostgreSQL 15")
    await _make(db, ViewDef("v", select(ITEM.id), security_invoker=True, security_barrier=True))
    read = (await live(db)).views[None, "v"]
    assert read.security_invoker and read.security_barrier


async def test_what_a_view_uses_is_known(db: Any) -> None:
    await db.execute_script(
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TABLE item (id int PRIMARY KEY, name text, m mood);
        CREATE FUNCTION plus(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 1';
        CREATE VIEW a AS SELECT plus(id) AS next, name FROM item WHERE m = 'sad';
        CREATE VIEW b AS SELECT count(*) AS n FROM a;
        CREATE VIEW c AS SELECT item.name, count(*) AS n FROM item GROUP BY id;
        """
    )
    views = (await live(db)).views
    assert set(views[None, "a"].uses) == {
        Use("column", None, "item", "id"),
        Use("column", None, "item", "name"),
        Use("column", None, "item", "m"),
        Use("type", None, "mood"),
        Use("function", None, "plus"),
    }
    assert Use("relation", None, "a") in views[None, "b"].uses
    assert Use("constraint", None, "item", "item_pkey") in views[None, "c"].uses
    assert [c.name for c in views[None, "a"].columns] == ["next", "name"]
    assert views[None, "a"].columns[1].type == types.Text


_VIEW = ViewDef("v", "SELECT 1 AS id", columns=(ColumnDef("id", types.Integer),), owner="Ones")
WRITES: dict[str, Callable[[], Any]] = {
    "insert": lambda: insert(_VIEW),
    "update": lambda: update(_VIEW),
    "delete": lambda: delete(_VIEW),
    "merge": lambda: merge(_VIEW),
    "truncate": lambda: truncate(_VIEW),
}


@pytest.mark.parametrize("statement", WRITES)
def test_statements_that_write_refuse_a_view(statement: str) -> None:
    with pytest.raises(TypeError, match="Ones is a view: its rows are only read"):
        WRITES[statement]()


async def test_a_view_is_read_like_a_table(db: Any) -> None:
    await _make(db, _VIEW)
    read = select(_VIEW.source.c.id).where(_VIEW.source.c.id > 0)
    compiled = read.sql()
    assert await db.fetch_val(compiled.sql, *compiled.params) == 1


def test_definitions_of_views_compare_by_their_queries() -> None:
    assert VIEWS["plain"] == ViewDef("v", select(ITEM.id, ITEM.name).where(ITEM.name != "it's"))
    assert VIEWS["plain"] != ViewDef("v", select(ITEM.id, ITEM.name).where(ITEM.name != "its"))
    assert _VIEW == _VIEW.replace(columns=(), owner=None) and hash(_VIEW) == hash(_VIEW.replace(owner=None))
    assert TableDef("v", (), is_view=True) != TableDef("v", ())
