"""Seed, "Migration API"."""

from data_bridge.postgres import Migration, fetch, fetch_val


class CreateUsersTable(Migration):
    version = "001"

    async def up(self):
        await self.execute("""
            CREATE TABLE users (
                id SERIAL PRIMARY KEY,
                email VARCHAR(255) UNIQUE NOT NULL,
                name VARCHAR(100) NOT NULL,
                created_at TIMESTAMP DEFAULT NOW()
            )
        """)

    async def down(self):
        await self.execute("DROP TABLE users")


# Run migrations
from data_bridge.postgres import get_migration_status, run_migrations  # noqa: E402

SQL = [
    "CREATE TABLE users (\n                id SERIAL PRIMARY KEY,\n                email VARCHAR(255) UNIQUE NOT NULL,\n"
    "                name VARCHAR(100) NOT NULL,\n                created_at TIMESTAMP DEFAULT NOW()\n            )",
    "DROP TABLE users",
]


async def main() -> None:
    assert await run_migrations() == ["001"]  # Run all pending migrations
    assert await run_migrations() == []
    status = await get_migration_status()  # Get current version and history
    assert status.current == "001"
    assert [a.version for a in status.applied] == ["001"] and status.pending == []
    assert [
        r["column_name"]
        for r in await fetch(
            "select column_name from information_schema.columns where table_name = 'users' and table_schema = current_schema() order by ordinal_position"
        )
    ] == ["id", "email", "name", "created_at"]
    assert await run_migrations(direction="down") == ["001"]
    assert await fetch_val("select to_regclass('users')::text") is None
    assert (await get_migration_status()).pending == ["001"]
