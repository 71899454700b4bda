"""Seed, "Migrations": the helpers."""

from data_bridge.postgres import Migration, UniqueViolation, execute, fetch_val, run_migrations


class Migration_001_CreateUsers(Migration):
    version = "001"

    async def up(self):
        await self.create_table(
            "users",
            {
                "id": "SERIAL PRIMARY KEY",
                "email": "VARCHAR(255) UNIQUE NOT NULL",
                "name": "VARCHAR(100) NOT NULL",
                "created_at": "TIMESTAMP DEFAULT NOW()",
            },
        )
        await self.create_index("users", ["email"], unique=True)

    async def down(self):
        await self.drop_table("users")


class AddAge(Migration):
    version = "002"

    async def up(self):
        await self.add_column("users", ("age", "INTEGER"))
        await self.drop_column("users", "name")

    async def down(self):
        await self.add_column("users", "name VARCHAR(100)")
        await self.drop_column("users", "age")


SQL = [
    'CREATE TABLE "users" (\n    "id" SERIAL PRIMARY KEY,\n    "email" VARCHAR(255) UNIQUE NOT NULL,\n    "name" VARCHAR(100) NOT NULL,\n'
    '    "created_at" TIMESTAMP DEFAULT NOW()\n)',
    'CREATE UNIQUE INDEX "users_email_idx" ON "users" ("email")',
    'ALTER TABLE "users" ADD COLUMN "age" INTEGER',
    'ALTER TABLE "users" DROP COLUMN "name"',
    'DROP TABLE "users"',
]


async def main() -> None:
    # Apply migrations
    assert await run_migrations() == ["001", "002"]
    await execute("insert into users (email, age) values ('a', 5)")
    try:
        await execute("insert into users (email, age) values ('a', 6)")
    except UniqueViolation:
        pass
    else:
        raise AssertionError("the index must be unique")
    assert await run_migrations(direction="down", target="001") == ["002"]
    assert await run_migrations(direction="down") == ["001"]
    assert await fetch_val("select to_regclass('users')::text") is None
