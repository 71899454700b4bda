"""Seed, "Transaction Isolation Levels"."""

from data_bridge.postgres import ConfigurationError, fetch_val, pg_transaction

SQL = ["select current_setting('transaction_isolation')"]


async def main() -> None:
    async with pg_transaction(isolation="SERIALIZABLE") as tx:
        assert await fetch_val("select current_setting('transaction_isolation')") == "serializable"
        assert await tx.fetch_val("select current_setting('transaction_isolation')") == "serializable"
    for level in ("SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED", "repeatable_read"):
        async with pg_transaction(isolation=level):
            assert await fetch_val("select current_setting('transaction_isolation')") == level.lower().replace("_", " ")
    try:
        pg_transaction(isolation="SOMEHOW")
    except ConfigurationError as e:
        assert "SERIALIZABLE" in str(e)
    else:
        raise AssertionError("an unknown level must be refused")
