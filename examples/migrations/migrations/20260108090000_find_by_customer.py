"""Orders are found by customer, and have a state."""

from data_bridge.migrate import Migration


class FindByCustomer(Migration):
    """Runs in steps that do not block reads and writes for long."""

    version = "20260108090000"

    async def up(self) -> None:
        """Adds the state and the index."""
        await self.add_column("orders", "state", "text NOT NULL DEFAULT 'new'")
        await self.create_index("orders", ["customer"], name="orders_customer_idx")
