"""Routes of orders. Two orders of the last piece conflict, and one of them is run again."""

from fastapi import APIRouter, BackgroundTasks, HTTPException

from data_bridge.postgres import Page
from data_bridge.postgres.fastapi import NumberPaging, transactional
from shop.access import Staff
from shop.jobs import send_confirmation
from shop.models import Order, OrderLine, Product, Status
from shop.schemas import OrderIn, OrderOut, OrderWithLines

router = APIRouter(prefix="/orders", tags=["orders"], route_class=transactional("SERIALIZABLE", retries=5))


@router.post("", status_code=201, response_model=OrderWithLines)
async def place_order(body: OrderIn, background: BackgroundTasks) -> Order:
    order = await Order.create(customer=body.customer)
    for wanted in body.lines:
        product = await Product.get(wanted.product_id)
        if product.stock < wanted.amount:
            raise HTTPException(409, f"only {product.stock} of {product.name} are left")
        product.stock -= wanted.amount
        await product.save()
        await OrderLine.create(order=order, product=product, amount=wanted.amount, price=product.price)
    background.add_task(send_confirmation, order.id)  # after the response, which leaves after COMMIT
    return await Order.find(Order.id == order.id).fetch_links(Order.lines.product).one()


@router.get("", response_model=Page[OrderOut], dependencies=[Staff])
async def list_orders(paging: NumberPaging, status: Status | None = None) -> Page[Order]:
    query = Order.find() if status is None else Order.find(Order.status == status)
    return await paging.of(query.order_by(-Order.placed_at))


@router.get("/{number}", response_model=OrderWithLines)
async def get_order(number: int) -> Order:
    return await Order.find(Order.id == number).fetch_links(Order.lines.product).one()
