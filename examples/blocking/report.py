"""A monthly report: a script without async and await."""

import sys
from datetime import date

from data_bridge.postgres import Col, IdMixin, create_all, drop_all, func
from data_bridge.postgres.sync import close, init, iterate, pg_transaction, run


class Sale(IdMixin):
    """One sale of a shop."""

    shop: Col[str]
    day: Col[date]
    cents: Col[int]


SALES = [
    Sale(shop="north", day=date(2026, 1, 5), cents=1250),
    Sale(shop="north", day=date(2026, 1, 9), cents=800),
    Sale(shop="south", day=date(2026, 1, 7), cents=4000),
    Sale(shop="south", day=date(2026, 2, 1), cents=100),
]


@pg_transaction()
def record(sales: list[Sale]) -> int:
    """Writes sales in one transaction: all or none."""
    return run(Sale.insert_many(sales, returning=False))


def report(month: int) -> None:
    """Prints the sum of each shop, then every sale."""
    of_month = Sale.find(func.extract("month", Sale.day) == month)
    for shop, total in run(of_month.group_by(Sale.shop).order_by(Sale.shop).tuples(Sale.shop, func.sum(Sale.cents))):
        print(f"{shop}: {total / 100:.2f}")
    for sale in iterate(of_month.order_by(Sale.day)):
        print(f"  {sale.day} {sale.shop} {sale.cents / 100:.2f}")


if __name__ == "__main__":
    init(sys.argv[1] if len(sys.argv) > 1 else "embedded:")
    run(create_all(Sale))
    try:
        print(record(SALES), "sales")
        report(month=1)
    finally:
        run(drop_all(Sale))
        close()
