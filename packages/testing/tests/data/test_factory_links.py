"""Factories: Link fields, values that depend on others, unique values, executors, and numbers from test to test."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core import ConfigurationError, Database, pg_transaction
from data_bridge.postgres import Column, Link, Table, create_all
from data_bridge.testing import Factory, Sandbox, SubFactory, TestDatabase, assert_queries


class Customer(Table):
    class Settings:
        name = "linked_customer"

    id: int = Column(primary_key=True, auto_increment=True)
    name: str
    email: str = Column(unique=True)


class Order(Table):
    class Settings:
        name = "linked_order"

    id: int = Column(primary_key=True, auto_increment=True)
    customer: Link[Customer]
    payer: Link[Customer | None] = Column(default=None)
    note: str


class Line(Table):
    class Settings:
        name = "linked_line"

    order: Link[Order] = Column(primary_key=True)
    number: int = Column(primary_key=True)


class Part(Table):
    class Settings:
        name = "linked_part"

    id: int = Column(primary_key=True, auto_increment=True)
    line: Link[Line]


class Coded(Table):
    class Settings:
        name = "linked_coded"

    id: int = Column(primary_key=True, auto_increment=True)
    code: str = Column(unique=True, max_length=2)


class CustomerFactory(Factory[Customer]):
    email = lambda n, row: f"{row.name.replace(' ', '.')}@example.com"  # noqa: E731


class OrderFactory(Factory[Order]):
    customer = SubFactory(CustomerFactory, name="Ann")
    note = lambda n, row: f"{n} for {row.customer.name}"  # noqa: E731


@pytest.fixture(scope="session")
def linked() -> object:
    async def schema() -> None:
        await create_all(Customer, Order, Line, Part, Coded)
        await CustomerFactory.create(name="the seed")
        await Factory.of(Coded).create(code="zz")

    return schema


pytestmark = pytest.mark.db(template="linked")


async def test_a_link_takes_a_row_a_sub_factory_or_nothing(db: Sandbox) -> None:
    order = await OrderFactory.create()
    assert (await Customer.get(order.customer_id)).name == "Ann"
    assert order.note.endswith("for Ann")
    bob = await CustomerFactory.create(name="Bob")
    by_bob = await OrderFactory.create(customer=bob, payer=bob)
    assert (by_bob.customer_id, by_bob.payer_id, by_bob.note.split()[-1]) == (bob.id, bob.id, "Bob")
    assert (await OrderFactory.create(customer=SubFactory(CustomerFactory, name="Eve"))).note.endswith("Eve")
    plain = await Factory.of(Order).create()
    assert await Customer.get(plain.customer_id)
    assert (await Factory.of(Order).create(customer_id=bob.id)).customer_id == bob.id


async def test_links_are_built_without_a_database() -> None:
    order = OrderFactory.build()
    assert (order.customer.name, order.note.split()[-1]) == ("Ann", "Ann")
    assert [row.customer.name for row in OrderFactory.build_batch(3)] == ["Ann"] * 3
    assert OrderFactory.build_batch(0) == []
    assert Factory.of(Order).build().customer_id is not None


async def test_a_batch_with_links_is_one_statement_per_table(db: Sandbox) -> None:
    with assert_queries(2, kind="insert"):
        orders = await OrderFactory.create_batch(20, customer=SubFactory(Factory.of(Customer)))
    assert len({order.customer_id for order in orders}) == 20


async def test_a_required_link_of_two_columns_gets_its_row(db: Sandbox) -> None:
    part = await Factory.of(Part).create()
    assert await Line.find_one(Line.order_id == part.line_order_id, Line.number == part.line_number) is not None
    line = await Factory.of(Line).create()
    assert (await Factory.of(Part).create(line=line)).line_number == line.number


async def test_a_value_depends_on_others_in_their_order(db: Sandbox) -> None:
    class Chain(Factory[Customer]):
        name = lambda n, row: f"customer of {n}"  # noqa: E731
        email = lambda n, row: row.name.replace(" ", "-") + "@example.com"  # noqa: E731

    assert (await Chain.create()).email == "customer-of-1@example.com"
    assert Chain.build(name="x y").email == "x-y@example.com"

    class Wrong(Factory[Customer]):
        email = lambda n, row: row.name  # noqa: E731
        name = lambda n, row: row.email  # noqa: E731

    with pytest.raises(ConfigurationError, match="a value of Wrong depends on 'name', which has no value yet"):
        Wrong.build()


async def test_unique_values_of_a_short_column_last_and_then_say_so(db: Sandbox) -> None:
    codes = Factory.of(Coded)
    await codes.create_batch(1200)
    with pytest.raises(ConfigurationError, match="code is unique and has no more than 1295 different values"):
        await codes.create_batch(100)


async def test_rows_differ_where_a_unique_constraint_of_several_columns_wants_it(db: Sandbox) -> None:
    from data_bridge.postgres import Unique

    class Hall(Table):
        class Settings:
            name = "linked_hall"
            constraints = [Unique("hall", "seat")]

        id: int = Column(primary_key=True, auto_increment=True)
        hall: int = Column(check="hall between 1 and 9")
        seat: int = Column(check="seat between 1 and 100")

    await Hall.create_table()
    assert len(await Factory.of(Hall).create_batch(300)) == 300
    await Hall.delete_all()
    assert len(await Factory.of(Hall).create_batch(90, hall=9)) == 90


@pytest.mark.parametrize("n", [1, 2, 3])
async def test_numbers_begin_at_one_in_each_test(db: Sandbox, n: int) -> None:
    """The rows of the template are numbered apart, or the first unique values would meet them."""
    assert Factory.of(Customer).build().email == "email1@example.com"
    made = await Factory.of(Customer).create_batch(2)
    assert [row.email for row in made] == ["email2@example.com", "email3@example.com"]


async def test_executors(isolated_db: TestDatabase) -> None:
    with pytest.raises(KeyError):
        async with pg_transaction() as tx:
            await Factory.of(Order).create(tx=tx)
            raise KeyError
    assert await Order.count() == 0
    async with Database(isolated_db.dsn, alias="second") as second:
        await Factory.of(Order).create_batch(2, using="second")
        await Factory.of(Order).create(using=second)
        # The rows and their parents are written through the same executor.
        async with second.transaction() as tx:
            await Factory.of(Order).create(tx=tx)
            seen: Any = await isolated_db.fetch_val("SELECT count(*) FROM linked_order")
            assert seen == 3
    assert await Order.count() == 4
