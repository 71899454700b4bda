"""Work after the response."""

import logging

from data_bridge.postgres import pg_transaction
from shop.models import Order, Status

logger = logging.getLogger("shop")


async def send_confirmation(number: int) -> None:
    """Sends the order and marks it, once, also when the job is started twice."""
    async with pg_transaction():
        order = await Order.find(Order.id == number, Order.status == Status.PLACED).for_update(skip_locked=True).first()
        if order is None:
            return
        logger.info("order %d of %s is on its way", order.id, order.customer)
        await order.update(status=Status.SENT)
