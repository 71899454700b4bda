"""Seed, "Table (Base Model Class)"."""

from datetime import datetime

from data_bridge.postgres import Column, RowNotFound, Table, create_all, fetch


class User(Table):
    class Settings:
        name = "users"  # Table name
        primary_key = "id"  # Primary key column
        schema = "public"  # PostgreSQL schema
        indexes = [  # Optional indexes
            {"fields": ["email"], "unique": True}
        ]

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True, max_length=255)
    name: str = Column(max_length=100)
    age: int = Column(nullable=True)
    created_at: datetime = Column(default="NOW()")


SQL = [
    'INSERT INTO "public"."users" ("email", "name", "age") VALUES ($1, $2, $3) RETURNING "id", "created_at"',
    'UPDATE "public"."users" SET "name" = $1 WHERE "users"."id" = $2 RETURNING "name"',
    'SELECT "users"."id", "users"."email", "users"."name", "users"."age", "users"."created_at" FROM "public"."users" '
    'WHERE "users"."email" = $1 LIMIT $2',
    'SELECT count(*) FROM "public"."users" WHERE "users"."age" > $1',
    'DELETE FROM "public"."users" WHERE "users"."id" = $1',
]


async def main() -> None:
    await create_all(User)

    user = User(email="alice@example.com", name="Alice", age=30)
    assert user.id is None and user.created_at is None
    await user.save()  # insert: no key yet
    assert user.id == 1 and user.created_at.tzinfo is not None
    await user.update(name="Alice A.")  # update specific fields
    stranger = await User.insert(email="bob@example.com", name="Bob", age=None)
    assert await User.insert(User(email="cleo@example.com", name="Cleo")) is not None
    again = await User.get(user.id)
    assert again == user and again is not user
    again.name = "changed elsewhere"
    await again.save()
    await user.refresh()  # reload from the database
    assert user.name == "changed elsewhere"

    assert await User.find_one(User.email == "nobody@example.com") is None
    assert (await User.find_one(User.email == "bob@example.com")).id == stranger.id
    assert [u.name for u in await User.find(User.age > 25)] == ["changed elsewhere"]
    assert await User.count(User.age > 25) == 1
    assert await user.delete() is True
    try:
        await User.get(user.id)
    except RowNotFound as e:
        assert "User" in str(e)
    else:
        raise AssertionError("get() of a deleted row must raise")
    rows = await fetch("select email, name, age from public.users order by id")
    assert rows == [
        {"email": "bob@example.com", "name": "Bob", "age": None},
        {"email": "cleo@example.com", "name": "Cleo", "age": None},
    ]
