"""Loads many rows from a generator, then merges a delivery that overlaps with them."""

import argparse
import asyncio
import time
from collections.abc import Iterator

from data_bridge.postgres import Col, Column, Table, close, copy_in, create_all, drop_all, init, pg_transaction


class Reading(Table):
    """The last value of a sensor."""

    sensor: Col[int] = Column(primary_key=True)
    value: Col[float]
    deliveries: Col[int] = Column(default=1)


def first_delivery(count: int) -> Iterator[tuple[int, float, int]]:
    """Yields rows one by one: nothing holds all of them."""
    for sensor in range(count):
        yield sensor, sensor / 10, 1


async def main(dsn: str, count: int) -> None:
    """Runs both deliveries and prints what they did."""
    await init(dsn)
    await create_all(Reading)
    try:
        started = time.perf_counter()
        written = await copy_in(Reading, first_delivery(count), columns=["sensor", "value", "deliveries"])
        print(f"COPY wrote {written:,} rows")
        again = [Reading(sensor=sensor, value=-1.0) for sensor in range(count - 500, count + 500)]
        async with pg_transaction():
            await Reading.upsert_many(
                again,
                conflict=["sensor"],
                update={Reading.value: -1.0, Reading.deliveries: Reading.deliveries + 1},
            )
        twice = await Reading.find(Reading.deliveries == 2).count()
        print(f"upsert changed {twice:,} rows and added {await Reading.count() - count:,}")
        print(f"{time.perf_counter() - started:.1f} s")
    finally:
        await drop_all(Reading)
        await close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn", nargs="?", default="embedded:")
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.dsn, arguments.rows))
