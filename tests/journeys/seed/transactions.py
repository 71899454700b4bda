"""Seed, "Transactions": two rows, both saved or both rolled back. Uses the model of "Key Classes"."""

from datetime import datetime

from data_bridge.postgres import Column, Table, create_all, fetch, fetch_val, pg_transaction


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True, max_length=255)
    name: str = Column(max_length=100)
    age: int = Column(nullable=True)
    created_at: datetime = Column(default="NOW()")


class Profile(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    user_id: int = Column(foreign_key=User, on_delete="CASCADE")
    bio: str


SQL = [
    'INSERT INTO "users" ("email", "name", "age") VALUES ($1, $2, $3) RETURNING "id", "created_at"',
    'INSERT INTO "profile" ("user_id", "bio") VALUES ($1, $2) RETURNING "id"',
]


async def main() -> None:
    await create_all(User, Profile)
    async with pg_transaction() as tx:
        # Create user
        user = User(email="bob@example.com", name="Bob")
        await user.save()

        # Create related profile
        profile = Profile(user_id=user.id, bio="Developer")
        await profile.save()

        # Both saved or both rolled back
        assert tx.is_active
    assert await fetch("select email, bio from users join profile on user_id = users.id") == [
        {"email": "bob@example.com", "bio": "Developer"}
    ]

    try:
        async with pg_transaction():
            await User(email="cleo@example.com", name="Cleo").save()
            await Profile(user_id=-1, bio="nobody's").save()
    except Exception as e:
        assert type(e).__name__ == "ForeignKeyViolation"
    assert await fetch_val("select count(*) from users") == 1
