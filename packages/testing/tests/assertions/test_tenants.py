"""`assert_tenant_isolation`: every way in which a tenant may see another one's rows is found."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core import execute_script, fetch, fetch_val
from data_bridge.testing import assert_tenant_isolation
from data_bridge.testing.sandbox import Sandbox

POLICY = "tenant = NULLIF(current_setting('app.tenant', true), '')"
TABLES = f"""
    CREATE TABLE accounts (id int PRIMARY KEY, tenant text, balance int);
    CREATE TABLE orders (id int PRIMARY KEY, account int REFERENCES accounts, tenant text);
    ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON accounts USING ({POLICY}); CREATE POLICY p ON orders USING ({POLICY});
    INSERT INTO accounts VALUES (1, 'a', 10), (2, 'b', 20), (3, 'a', 30);
    INSERT INTO orders VALUES (1, 1, 'a'), (2, 2, 'b');
    CREATE VIEW totals AS SELECT sum(balance) AS total FROM accounts;
    CREATE MATERIALIZED VIEW kept AS SELECT sum(balance) AS total FROM accounts;
    CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(balance) FROM accounts';
    CREATE TABLE settings (name text); INSERT INTO settings VALUES ('x');
"""


@pytest.fixture
async def tables(db: Sandbox) -> None:
    await execute_script(TABLES)


async def all_orders() -> Any:
    return await fetch("SELECT * FROM orders JOIN accounts ON accounts.id = orders.account", as_=tuple)


def asks(sql: str) -> Any:
    return lambda: fetch_val(sql)


@pytest.mark.usefixtures("tables")
async def test_tenants_that_are_kept_apart() -> None:
    safe = asks("SELECT sum(balance) FROM accounts"), asks("SELECT count(*) FROM settings"), all_orders
    await assert_tenant_isolation(*safe, tenants=("a", "b"), column="tenant")
    # Nothing of it stays, and nobody is another role.
    assert await fetch_val("SELECT count(*) FROM accounts") == 3
    assert await fetch_val(
        "SELECT current_user = session_user AND count(*) = 0 FROM pg_roles WHERE rolname ~ '_tenant_'"
    )
    assert await fetch_val("SELECT NULLIF(current_setting('app.tenant', true), '')") is None


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT total FROM totals",
        "SELECT total FROM kept",
        "SELECT total()",
        "SELECT count(*) FROM totals, accounts WHERE total > 50",
    ],
)
async def test_a_query_that_reads_the_rows_of_another_tenant(sql: str) -> None:
    with pytest.raises(AssertionError, match=r"query 2 returns other rows to tenant 'a'"):
        await assert_tenant_isolation(asks("SELECT 1"), asks(sql), tenants=("a", "b"))
    assert await fetch_val("SELECT total FROM kept") == 60


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "orders: a table with a column 'tenant'"),
        ("CREATE POLICY open ON orders FOR SELECT USING (true)", "both see 2 of the rows of orders"),
        (f"CREATE POLICY unset ON orders USING (({POLICY}) IS NULL)", "2 rows of orders are seen where app.tenant is not set"),
        ("DELETE FROM orders WHERE tenant = 'b'", "orders has no row that tenant 'b' sees"),
        ("DROP POLICY p ON orders", "orders has no row that tenant 'a' sees"),
    ],
)  # fmt: skip
async def test_a_table_that_does_not_keep_them_apart(change: str, message: str) -> None:
    await execute_script(change)
    with pytest.raises(AssertionError, match=message):
        await assert_tenant_isolation(tenants=("a", "b"), column="tenant")


async def test_without_row_level_security(db: Sandbox) -> None:
    with pytest.raises(AssertionError, match="no table has row-level security"):
        await assert_tenant_isolation(tenants=("a", "b"))
    with pytest.raises(ValueError, match="two different"):
        await assert_tenant_isolation(tenants=(1, "1"))


@pytest.mark.usefixtures("tables")
async def test_with_the_role_of_the_application(db: Sandbox) -> None:
    await execute_script("CREATE ROLE shop_web NOLOGIN; GRANT SELECT ON accounts, orders TO shop_web")
    await assert_tenant_isolation(all_orders, tenants=("a", "b"), role="shop_web")
