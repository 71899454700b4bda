"""Privileges on tables and views are read as definitions, and what definitions cannot say of privileges is named."""

from __future__ import annotations

from typing import Any

from query_live import live

from data_bridge.query import ColumnDef, GrantDef, TableDef, ViewDef, ddl, types

ITEM = TableDef(
    "Odd item",
    (ColumnDef("id", types.Integer),),
    schema="shop",
    grants=(GrantDef(("INSERT", "SELECT"), 'Catalog "a"'), GrantDef("SELECT", "public")),
)
SEEN = ViewDef("seen", "SELECT 1 AS one", grants=(GrantDef("select", "catalog_b"),))
COPY = ViewDef("copy", "SELECT 1 AS one", materialized=True, grants=(GrantDef("ALL", "catalog_b"),))


async def test_privileges_that_are_read_make_the_same_again(db: Any) -> None:
    await db.execute_script('CREATE SCHEMA shop; CREATE ROLE "Catalog ""a"""; CREATE ROLE catalog_b')
    for operation in (*ddl.create_table_operations(ITEM), *ddl.create_grant_operations(ITEM)):
        await db.execute(str(operation))
    for view in (SEEN, COPY):
        for operation in ddl.create_view_operations(view):
            await db.execute(str(operation))
    found = await live(db, "public", "shop")
    assert found.tables["shop", "Odd item"].grants == (
        GrantDef(("INSERT", "SELECT"), 'Catalog "a"'), GrantDef(("SELECT",), "public"),
    )  # fmt: skip
    assert found.views[None, "seen"].grants == (GrantDef(("SELECT",), "catalog_b"),)
    assert "TRUNCATE" in found.views[None, "copy"].grants[0].privileges
    assert found.unmodelled == ()
    await db.execute_script('DROP TABLE shop."Odd item"; DROP VIEW seen')
    read = found.tables["shop", "Odd item"]
    for operation in (*ddl.create_table_operations(read), *ddl.create_grant_operations(read)):
        await db.execute(str(operation))
    for operation in ddl.create_view_operations(found.views[None, "seen"]):
        await db.execute(str(operation))
    again = await live(db, "public", "shop")
    assert (again.tables, again.views) == (found.tables, found.views)
    await db.execute(str(ddl.Revoke(read, ("INSERT",), 'Catalog "a"')))
    await db.execute(str(ddl.Revoke(read, ("SELECT",), "public")))
    assert (await live(db, "public", "shop")).tables["shop", "Odd item"].grants == (
        GrantDef(("SELECT",), 'Catalog "a"'),
    )


async def test_privileges_without_a_definition_are_named(db: Any) -> None:
    await db.execute_script(
        """
        CREATE ROLE catalog_b;
        CREATE TABLE t (a int, b int);
        CREATE SEQUENCE s;
        CREATE FUNCTION f() RETURNS int RETURN 1;
        GRANT SELECT (a) ON t TO catalog_b;
        GRANT INSERT ON t TO catalog_b WITH GRANT OPTION;
        GRANT USAGE ON SEQUENCE s TO catalog_b;
        REVOKE EXECUTE ON FUNCTION f FROM public;
        """
    )
    found = await live(db)
    assert [(u.kind, u.name) for u in found.unmodelled] == [
        ("privileges on the column", "t.a"),
        ("privileges on the function", "f"),
        ("privileges on the sequence", "s"),
        ("privileges on the table, with grant option,", "t"),
    ]
    assert found.tables[None, "t"].grants == ()
