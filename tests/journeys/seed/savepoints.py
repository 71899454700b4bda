"""Seed, "Savepoints"."""

from data_bridge.postgres import Column, Table, create_all, fetch, pg_transaction


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True)
    name: str = ""


SQL = ['INSERT INTO "users" ("email", "name") VALUES ($1, $2) RETURNING "id"']


async def risky_operation() -> None:
    await User(email="risky@example.com").save()
    await User(email="one@example.com").save()  # breaks the unique constraint


async def main() -> None:
    await create_all(User)
    user1, user2 = User(email="one@example.com"), User(email="two@example.com")

    async with pg_transaction() as tx:
        await user1.save()

        savepoint = await tx.savepoint("before_risky_op")
        try:
            await risky_operation()
        except Exception:
            await tx.rollback_to(savepoint)

        await user2.save()

    assert [r["email"] for r in await fetch("select email from users order by id")] == [
        "one@example.com",
        "two@example.com",
    ]

    async with pg_transaction() as tx:
        async with tx.savepoint() as sp:
            await User(email="three@example.com").save()
            assert sp.name
        try:
            async with tx.savepoint():
                await User(email="four@example.com").save()
                raise ValueError
        except ValueError:
            pass
    assert [r["email"] for r in await fetch("select email from users order by id")][2:] == ["three@example.com"]
