"""Seed, "Transaction Context": automatic and manual control. Uses the model of "Key Classes"."""

from datetime import datetime

from data_bridge.postgres import (
    Column,
    Table,
    TransactionClosed,
    begin_transaction,
    create_all,
    current_transaction,
    fetch_val,
    pg_transaction,
)


class User(Table):
    class Settings:
        name = "users"

    id: int = Column(primary_key=True, auto_increment=True)
    email: str = Column(unique=True, max_length=255)
    name: str = Column(max_length=100)
    age: int = Column(nullable=True)
    created_at: datetime = Column(default="NOW()")


SQL = ['INSERT INTO "users" ("email", "name", "age") VALUES ($1, $2, $3) RETURNING "id", "created_at"']


async def main() -> None:
    await create_all(User)

    # Automatic transaction management
    async with pg_transaction() as tx:
        user = User(email="alice@example.com", name="Alice")
        await user.save()
        assert tx.is_active
        # If any exception occurs, transaction is rolled back
        # Otherwise, committed on context exit
    assert not tx.is_active
    assert await fetch_val("select count(*) from users") == 1

    try:
        async with pg_transaction():
            lost = User(email="lost@example.com", name="Lost")
            await lost.save()
            assert lost.id is not None
            raise RuntimeError("rolled back")
    except RuntimeError:
        pass
    assert await fetch_val("select count(*) from users") == 1
    assert lost.id is None, "after a rollback the row is new again"

    # Manual control
    user = User(email="bob@example.com", name="Bob")
    tx = await begin_transaction()
    try:
        await user.save()
        await tx.commit()
    except Exception:
        await tx.rollback()
        raise
    assert current_transaction() is None
    assert await fetch_val("select count(*) from users") == 2

    tx = await begin_transaction()
    await User(email="cleo@example.com", name="Cleo").save()
    await tx.rollback()
    assert await fetch_val("select count(*) from users") == 2
    try:
        await tx.execute("select 1")
    except TransactionClosed:
        pass
    else:
        raise AssertionError("a closed transaction must refuse statements")
