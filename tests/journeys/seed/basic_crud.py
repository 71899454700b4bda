"""Seed, "Example Usage: Basic CRUD"."""

from datetime import datetime

from data_bridge.postgres import Column, Table, create_all, fetch_val


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True)
    name: str
    age: int
    created_at: datetime = Column(default="NOW()")


_ALL = '"users"."id", "users"."email", "users"."name", "users"."age", "users"."created_at"'
SQL = [
    'INSERT INTO "users" ("email", "name", "age") VALUES ($1, $2, $3) RETURNING "id", "created_at"',
    f'SELECT {_ALL} FROM "users" WHERE "users"."email" = $1 LIMIT $2',
    f'SELECT {_ALL} FROM "users" WHERE "users"."age" > $1 ORDER BY "users"."created_at" DESC',
    'UPDATE "users" SET "age" = $1 WHERE "users"."id" = $2',
    'DELETE FROM "users" WHERE "users"."id" = $1',
]


async def main() -> None:
    await create_all(User)
    # Create
    user = User(email="alice@example.com", name="Alice", age=30)
    await user.save()

    # Read
    user = await User.find_one(User.email == "alice@example.com")
    users = await User.find(User.age > 25).order_by(-User.created_at).to_list()
    assert users == [user]

    # Update
    user.age = 31
    await user.save()
    assert await fetch_val("select age from users") == 31

    # Delete
    await user.delete()
    assert await fetch_val("select count(*) from users") == 0
