"""Every relation of the system catalog can be read by `SELECT *`: types without a binary form come as text."""

from __future__ import annotations

import pytest

from data_bridge.core import Database, pg_transaction

RELATIONS = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name FROM pg_class c JOIN pg_namespace n
    ON n.oid = c.relnamespace WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v', 'm')
    -- This one needs hardware.
    AND c.relname <> 'pg_shmem_allocations_numa' ORDER BY 1
"""
PRIVILEGES = "SELECT datname, datacl FROM pg_database WHERE datname = "


@pytest.mark.parametrize("cache", [500, 0])
async def test_every_relation(postgres_dsn: str, cache: int) -> None:
    async with Database(postgres_dsn, statement_cache_size=cache, max_connections=2) as db:
        names = [row["name"] for row in await db.fetch(RELATIONS)]
        assert len(names) > 150
        for name in names:
            columns = await db.fetch(
                "SELECT attname, atttypid IN (1033, 1034) AS is_acl FROM pg_attribute"
                " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                name,
            )
            for _ in range(2):
                rows = await db.fetch(f"SELECT * FROM {name} LIMIT 3;  -- all columns")
            for row in rows:
                assert list(row) == [column["attname"] for column in columns]
        assert (await db.fetch_val("SELECT 1"), db.pool_stats().closed_broken) == (1, 0)


async def test_every_way_to_ask(postgres_dsn: str) -> None:
    """On the first connection and on others, with and without parameters, in a transaction, ordered and repeated."""
    async with Database(postgres_dsn, max_connections=3) as db:
        database, owner = await db.fetch_one("SELECT current_database(), current_user::text", as_=tuple)
        await db.execute(f'GRANT CREATE ON DATABASE "{database}" TO PUBLIC')
        try:
            expected = (database, ["=CTc/" + owner, f"{owner}=CTc/{owner}"])
            for _ in range(3):
                row = await db.fetch_one(PRIVILEGES + "$1", database, as_=tuple)
                assert (row[0], sorted(row[1])) == expected
                async with db.transaction(), db.transaction():
                    row = await db.fetch_one(f"({PRIVILEGES}current_database())", as_=tuple)
                    assert (row[0], sorted(row[1])) == expected
                # A transaction holds the first connection, so that another one is asked.
                async with db.transaction():
                    await db.fetch_val("SELECT 1")
                    row = await db.fetch_one(PRIVILEGES + "$1 ORDER BY 1", database, as_=tuple)
                    assert sorted(row[1]) == expected[1]
        finally:
            await db.execute(f'REVOKE CREATE ON DATABASE "{database}" FROM PUBLIC')


async def test_order_names_and_rows_stay(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as db:
        query = """
            WITH numbers AS (SELECT g FROM generate_series(1, 500) g)
            SELECT g AS "a ""b", makeaclitem(10, 10, 'SELECT', false) AS acl, ARRAY[makeaclitem(10, 10, 'INSERT', true)]
            FROM numbers CROSS JOIN pg_am WHERE amname = $1 ORDER BY g % 7, g DESC
        """
        rows = await db.fetch(query, "btree")
        assert list(rows[0]) == ['a "b', "acl", "array"]
        assert [row['a "b'] for row in rows] == sorted(range(1, 501), key=lambda n: (n % 7, -n))
        (first,) = {row["acl"] for row in rows}
        assert first.endswith("=r/" + first.partition("=")[0])
        assert rows[0]["array"] == [f"{first.partition('=')[0]}=a*/{first.partition('=')[0]}"]


async def test_the_query_of_a_stream(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for _ in range(2):
            async with db.stream("SELECT datname, datacl FROM pg_database; -- all", batch=1) as rows:
                streamed = [row async for row in rows]
            assert streamed == await db.fetch("SELECT datname, datacl FROM pg_database")


async def test_a_statement_that_cannot_be_wrapped_is_an_error_with_advice(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        await db.execute_script("DROP TABLE IF EXISTS held; CREATE TABLE held (id int, acl aclitem)")
        insert = "INSERT INTO held VALUES ($1, makeaclitem(10, 10, 'SELECT', false)) RETURNING "
        with pytest.raises(Exception, match=r"column::text") as caught:
            await db.fetch(insert + "*", 1)
        assert getattr(caught.value, "sqlstate", None) == "42883"
        async with pg_transaction(using=db):
            assert await db.fetch_val(insert + "acl::text", 2) is not None
        assert await db.fetch("SELECT id FROM held", as_=tuple) == [(2,)], "what failed has left nothing"
        await db.execute("DROP TABLE held")
