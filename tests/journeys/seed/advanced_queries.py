"""Seed, "Advanced Queries"."""

from datetime import UTC, datetime, timedelta

from data_bridge.postgres import Column, Table, create_all, fetch_val


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True)
    age: int
    status: str = "active"
    last_login: datetime


_ALL = '"users"."id", "users"."email", "users"."age", "users"."status", "users"."last_login"'
SQL = [
    f'SELECT {_ALL} FROM "users" WHERE "users"."age" >= $1 AND "users"."email" LIKE $2',
    f'SELECT {_ALL} FROM "users" ORDER BY "users"."id" LIMIT $1 OFFSET $2',
    'SELECT count(*) FROM "users" WHERE "users"."status" = $1',
    'UPDATE "users" SET "status" = $1 WHERE "users"."last_login" < $2',
]


async def main() -> None:
    await create_all(User)
    now = datetime.now(UTC)
    await User.insert_many(
        [
            User(email=f"u{n}@example.com" if n % 2 else f"u{n}@other.org", age=n, last_login=now - timedelta(days=n))
            for n in range(50)
        ]
    )
    cutoff_date = now - timedelta(days=40, hours=1)

    # Complex filters
    adults = await User.find((User.age >= 18) & (User.email.like("%@example.com"))).to_list()
    assert len(adults) == 16

    # Pagination
    page_2_users = await User.find().order_by(User.id).limit(20).offset(20).to_list()
    assert [u.id for u in page_2_users] == list(range(21, 41))

    # Aggregation
    active_count = await User.find(User.status == "active").count()
    assert active_count == 50

    # Bulk updates
    await User.find(User.last_login < cutoff_date).update({"status": "inactive"})
    assert await fetch_val("select count(*) from users where status = 'inactive'") == 9
