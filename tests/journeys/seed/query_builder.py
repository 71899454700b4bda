"""Seed, "QueryBuilder (Fluent Query Interface)"."""

from datetime import datetime

from data_bridge.postgres import Column, ColumnNotLoaded, Table, create_all, fetch


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True)
    name: str
    age: int
    status: str = "active"
    created_at: datetime = Column(default="NOW()")


class Order(Table):
    class Settings:
        name = "orders"

    id: int = Column(primary_key=True, auto_increment=True)
    user_id: int = Column(foreign_key="users.id")
    total: int


_ALL = '"users"."id", "users"."email", "users"."name", "users"."age", "users"."status", "users"."created_at"'
SQL = [
    f'SELECT {_ALL} FROM "users" WHERE "users"."age" > $1',
    f'SELECT {_ALL} FROM "users" WHERE "users"."email" = $1 LIMIT $2',
    f'SELECT {_ALL} FROM "users" ORDER BY "users"."created_at"',
    f'SELECT {_ALL} FROM "users" ORDER BY "users"."created_at" DESC',
    f'SELECT {_ALL} FROM "users" ORDER BY "users"."name", "users"."age" DESC',
    f'SELECT {_ALL} FROM "users" LIMIT $1 OFFSET $2',
    'SELECT "users"."id", "users"."email" FROM "users"',
    'SELECT count(*) FROM "users" WHERE "users"."age" > $1',
    'SELECT EXISTS (SELECT FROM "users" WHERE "users"."email" = $1)',
    'DELETE FROM "users" WHERE "users"."age" < $1',
    'UPDATE "users" SET "status" = $1 WHERE "users"."status" = $2',
    f'SELECT {_ALL} FROM "users" JOIN "orders" ON "orders"."user_id" = "users"."id" WHERE "orders"."total" > $1',
]


async def main() -> None:
    await create_all(User, Order)
    await User.insert_many(
        [
            User(email=f"u{n}@example.com", name=f"name {n % 3}", age=n, status="inactive" if n % 2 else "active")
            for n in range(40)
        ]
    )
    await User(email="alice@example.com", name="Alice", age=50).save()

    # Basic queries
    users = await User.find(User.age > 25).to_list()
    assert {u.age for u in users} == {*range(26, 40), 50}
    user = await User.find_one(User.email == "alice@example.com")
    assert user is not None and user.name == "Alice"

    # Ordering
    users = await User.find().order_by(User.created_at).to_list()  # ASC
    assert len(users) == 41 and users[-1].name == "Alice"
    users = await User.find().order_by(-User.created_at).to_list()  # DESC
    assert users[0].name == "Alice"
    users = await User.find().order_by(User.name, -User.age).to_list()  # Multiple
    assert [(u.name, u.age) for u in users] == sorted(((u.name, u.age) for u in users), key=lambda p: (p[0], -p[1]))

    # Pagination
    users = await User.find().limit(10).offset(20).to_list()
    assert len(users) == 10
    assert await User.find().limit(0) == []

    # Column selection
    users = await User.find().select(User.id, User.email).to_list()
    assert users[0].email.endswith("@example.com")
    try:
        users[0].name
    except ColumnNotLoaded as e:
        assert "User.name" in str(e)
    else:
        raise AssertionError("a column that was not selected must raise")

    # Aggregation
    count = await User.find(User.age > 25).count()
    assert count == 15
    assert await User.find(User.email == "test@example.com").exists() is False

    # Bulk operations
    assert await User.find(User.age < 18).delete() == 18
    inactive = await User.find(User.status == "inactive").count()
    assert await User.find(User.status == "inactive").update({"status": "archived"}) == inactive == 11

    # Chaining and terminal methods
    first = await User.find().order_by(-User.age).first()
    assert first is not None and first.name == "Alice"
    await Order(user_id=first.id, total=9).save()
    assert [u.id for u in await User.find(Order.total > 5).join(Order, Order.user_id == User.id)] == [first.id]
    assert await fetch("select status, count(*) as n from users group by status order by status") == [
        {"status": "active", "n": 12},
        {"status": "archived", "n": 11},
    ]
