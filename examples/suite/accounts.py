"""Accounts and transfers."""

from data_bridge.postgres import Col, Column, Table, pg_transaction


class Account(Table):
    """An account that cannot be overdrawn."""

    owner: Col[str] = Column(primary_key=True)
    balance: Col[int] = Column(default=0, check="balance >= 0")


@pg_transaction()
async def transfer(source: str, target: str, amount: int) -> None:
    """Moves money: both accounts change, or none does."""
    await Account.find(Account.owner == target).update(balance=Account.balance + amount)
    await Account.find(Account.owner == source).update(balance=Account.balance - amount)
