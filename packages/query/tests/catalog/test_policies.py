"""Policies and row-level security that a live schema has are read as definitions, which make the same ones again."""

from __future__ import annotations

from typing import Any

import pytest
from query_live import live

from data_bridge.query import PolicyDef, TableDef, column, ddl, func, sql, table

ITEM = table("item", column("id", int, primary_key=True), column("owner", str), schema="shop")
POLICIES = {
    "plain": PolicyDef("own", using=sql("owner = CURRENT_USER")),
    "of an expression": PolicyDef("Odd name", using=ITEM.owner == func.current_setting("app.owner", True)),
    "restrictive": PolicyDef("few", command="select", using=sql("id < 5"), restrictive=True, comment="it's"),
    "for roles": PolicyDef(
        "some", command="update", using=sql("id > 0"), check=sql("id > 1"), roles=("catalog_a", "catalog_b")
    ),
    "for insert": PolicyDef("put", command="insert", check=sql("id > 1")),
    "for delete": PolicyDef("take", command="delete", using=sql("true"), roles=("public",)),
    "for nobody": PolicyDef("none", using=sql("false")),
}


@pytest.mark.parametrize("row_security", [None, "enabled", "forced"])
async def test_policies_that_are_read_make_the_same_again(db: Any, row_security: Any) -> None:
    await db.execute_script("CREATE SCHEMA shop; CREATE ROLE catalog_a; CREATE ROLE catalog_b")
    made = ITEM.__table_def__.replace(policies=tuple(POLICIES.values()), row_security=row_security)
    for operation in (*ddl.create_table_operations(made), *ddl.create_policy_operations(made)):
        await db.execute(str(operation))
    found = await live(db, "public", "shop")
    read: TableDef = found.tables["shop", "item"]
    assert found.unmodelled == ()
    assert (read.row_security, len(read.policies)) == (row_security, len(POLICIES))
    await db.execute("DROP TABLE shop.item")
    for operation in (*ddl.create_table_operations(read), *ddl.create_policy_operations(read)):
        await db.execute(str(operation))
    assert (await live(db, "public", "shop")).tables == found.tables


async def test_a_policy_is_altered_and_dropped(db: Any) -> None:
    await db.execute("CREATE TABLE t (id int)")
    await db.execute(str(ddl.CreatePolicy("t", PolicyDef("p", using=sql("id > 0")))))
    await db.execute(str(ddl.AlterPolicy("t", PolicyDef("p", using=sql("id > 1")))))
    (policy,) = (await live(db)).tables[None, "t"].policies
    assert policy == PolicyDef("p", using=sql("(id > 1)"))
    await db.execute(str(ddl.DropPolicy("t", "p")))
    await db.execute(str(ddl.DropPolicy("t", "p", if_exists=True)))
    await db.execute(str(ddl.SetRowSecurity("t", "forced")))
    await db.execute(str(ddl.SetRowSecurity("t", None)))
    read = (await live(db)).tables[None, "t"]
    assert (read.policies, read.row_security) == ((), None)


async def test_security_that_is_forced_and_not_enabled_is_named(db: Any) -> None:
    await db.execute_script("CREATE TABLE t (id int); ALTER TABLE t FORCE ROW LEVEL SECURITY")
    found = await live(db)
    assert [(u.kind, u.name) for u in found.unmodelled] == [("row-level security", "t")]
