"""`assert_tenant_isolation`: what one tenant reads does not depend on the rows of another one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from data_bridge.core import fetch, pg_transaction, quote_identifier, tenant, transaction_settings
from data_bridge.core.connection.raw import execute, execute_script, fetch_val

__all__ = ["assert_tenant_isolation"]

MATERIALIZED = "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c WHERE c.relkind = 'm'"
PROTECTED = (
    "SELECT c.oid::regclass::text, c.relrowsecurity, EXISTS (SELECT FROM pg_catalog.pg_attribute a"
    " WHERE a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'"
    " AND n.nspname <> 'information_schema' ORDER BY 1"
)
SCHEMAS = (
    "SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace"
    " WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
)
Query = Callable[[], Awaitable[Any]]
Tenant = str | int | UUID


async def assert_tenant_isolation(
    *queries: Query,
    tenants: tuple[Tenant, Tenant],
    column: str | None = None,
    setting: str = "app.tenant",
    role: str | None = None,
) -> None:
    """Assert that row-level security keeps two tenants apart, in every table and in these queries.

    Each table with row-level security has to show rows to both tenants, none to both at once, and none where no tenant is
    set. Then each query runs for the first tenant, the rows of the second one are deleted, and the query runs again: its
    result has to be the same. All of it is rolled back.

    Superusers see all rows, so that everything runs as a role that is not one.

    Args:
        queries: functions without arguments that return an awaitable: a query, or a call of the code under test.
        tenants: two tenants that the database has rows of.
        column: every table that has a column of this name must have row-level security.
        setting: the configuration parameter that the policies compare with.
        role: the role of the application; by default one that is made for the assertion and may do everything in the tables.

    Raises:
        AssertionError: naming the table or the query; also where a tenant has no rows, as that would prove nothing.

    >>> from data_bridge.testing import assert_tenant_isolation
    >>> async def test_tenants(db, make):
    ...     await make(Invoice, tenant="acme"); await make(Invoice, tenant="other")
    ...     await assert_tenant_isolation(lambda: Invoice.find(), tenants=("acme", "other"), column="tenant")
    """
    mine, theirs = tenants
    if str(mine) == str(theirs):
        raise ValueError("assert_tenant_isolation() needs two different tenants")
    async with _rolled_back():
        probe = role or await _made_role()
        tables = await _protected(column)
        foreign: dict[str, list[str]] = {}
        for table in tables:
            foreign[table] = await _compared(table, probe, setting, mine, theirs)
        for number, query in enumerate(queries, 1):
            before = await _result(query, probe, setting, mine)
            async with _rolled_back():
                await _delete(foreign)
                after = await _result(query, probe, setting, mine)
            assert before == after, (
                f"query {number} returns other rows to tenant {mine!r} when the rows of tenant {theirs!r} are deleted: it reads "
                "what is not its own\nhint: a view without security_invoker, a SECURITY DEFINER function, a materialized view, or "
                "a table without a policy"
            )


@asynccontextmanager
async def _rolled_back() -> AsyncGenerator[None]:
    async with pg_transaction() as transaction:
        yield
        transaction.set_rollback_only()


async def _made_role() -> str:
    # Roles belong to the server: tests that run at the same time would wait for each other's.
    role = f"data_bridge_tenant_{await fetch_val('SELECT pg_catalog.pg_backend_pid()')}"
    name = quote_identifier(role)
    await execute_script(f"CREATE ROLE {name} NOLOGIN")
    for (schema,) in await fetch(SCHEMAS, as_=tuple):
        await execute_script(
            f"GRANT USAGE ON SCHEMA {schema} TO {name}; GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name};"
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {name}"
        )
    return role


async def _protected(column: str | None) -> list[str]:
    """The tables with row-level security."""
    found = await fetch(PROTECTED, column or "", as_=tuple)
    open_tables = [table for table, is_protected, has_column in found if has_column and not is_protected]
    assert not open_tables, (
        f"{', '.join(open_tables)}: a table with a column {column!r}, but without row-level security\n"
        "hint: Settings.policies = [RowPolicy(…)]"
    )
    tables = [table for table, is_protected, _ in found if is_protected]
    assert tables, "no table has row-level security"
    return tables


async def _compared(table: str, role: str, setting: str, mine: Tenant, theirs: Tenant) -> list[str]:
    """The rows of the other tenant, as the server numbers them."""
    seen = {who: await _visible(table, role, setting, who) for who in (mine, theirs)}
    for who, rows in seen.items():
        assert rows, f"{table} has no row that tenant {who!r} sees: nothing would be proved"
    both = set(seen[mine]) & set(seen[theirs])
    assert not both, f"tenants {mine!r} and {theirs!r} both see {len(both)} of the rows of {table}"
    unset = await _visible(table, role, setting, None)
    assert not unset, f"{len(unset)} rows of {table} are seen where {setting} is not set"
    return seen[theirs]


async def _visible(table: str, role: str, setting: str, who: Tenant | None) -> list[str]:
    settings = transaction_settings({"role": role, setting: "" if who is None else str(who)})
    async with settings, pg_transaction():
        return [row for (row,) in await fetch(f"SELECT tableoid || ' ' || ctid FROM {table}", as_=tuple)]


async def _result(query: Query, role: str, setting: str, who: Tenant) -> Any:
    async with transaction_settings({"role": role}), tenant(who, setting=setting), pg_transaction():
        return _comparable(await query())


def _comparable(result: Any) -> Any:
    """What a query returned, without an order that it may not have asked for."""
    if isinstance(result, list | tuple | set):
        return sorted(repr(_comparable(item)) for item in result)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    dump = getattr(result, "model_dump", None)
    return repr(result) if dump is None else repr(sorted(dump().items()))


async def _delete(rows: dict[str, list[str]]) -> None:
    # References between the rows that go do not matter: they are there again when this is rolled back.
    await execute("SELECT pg_catalog.set_config('session_replication_role', 'replica', true)")
    for table, numbers in rows.items():
        await execute(f"DELETE FROM {table} WHERE tableoid || ' ' || ctid = ANY($1::text[])", numbers)
    for (view,) in await fetch(MATERIALIZED, as_=tuple):
        await execute(f"REFRESH MATERIALIZED VIEW {view}")
