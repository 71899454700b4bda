"""freeze and tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data_bridge import core
from data_bridge.testing import Sandbox

MORNING = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@pytest.fixture(scope="session")
def stamped() -> object:
    def build() -> str:
        return (
            "CREATE TABLE stamped (id int, a timestamptz DEFAULT now(), b timestamptz DEFAULT CURRENT_TIMESTAMP,"
            " c timestamp DEFAULT LOCALTIMESTAMP, d date DEFAULT CURRENT_DATE, e text DEFAULT 'now()',"
            " f timestamptz DEFAULT (now() + interval '1 day'))"
        )

    return build


pytestmark = pytest.mark.db(template="stamped")


async def test_statements_and_defaults(db: Sandbox) -> None:
    db.freeze(MORNING)
    assert await core.fetch_val("SELECT now()") == MORNING
    assert await core.fetch_val("SELECT clock_timestamp()") == MORNING
    await core.execute("INSERT INTO stamped (id) VALUES (1)")
    row = await core.fetch_one("SELECT * FROM stamped")
    assert row is not None
    assert row["a"] == row["b"] == MORNING
    assert row["c"] == MORNING.replace(tzinfo=None)
    assert row["d"] == MORNING.date()
    assert row["f"] == MORNING + timedelta(days=1)


async def test_time_goes_on_by_hand(db: Sandbox) -> None:
    db.freeze(MORNING)
    await core.execute("INSERT INTO stamped (id) VALUES (1)")
    db.tick(timedelta(days=1, seconds=2, microseconds=3))
    async with core.pg_transaction():
        await core.execute("INSERT INTO stamped (id) VALUES (2)")
    first, second = [row[0] for row in await core.fetch("SELECT a FROM stamped ORDER BY id", as_=tuple)]
    assert second - first == timedelta(days=1, seconds=2, microseconds=3)
    db.freeze(MORNING - timedelta(days=365))
    assert await core.fetch_val("SELECT now()") == MORNING - timedelta(days=365)


async def test_a_tick_alone_freezes(db: Sandbox) -> None:
    db.tick(timedelta(hours=1))
    moved = await core.fetch_val("SELECT now()")
    assert timedelta(minutes=59) < moved - datetime.now(UTC) <= timedelta(hours=1)


async def test_new_tables_still_go_to_their_schema(db: Sandbox) -> None:
    db.freeze(MORNING)
    await core.execute("CREATE TABLE fresh (at timestamptz DEFAULT now())")
    await core.execute("INSERT INTO public.fresh DEFAULT VALUES")
    assert await core.fetch_val("SELECT at FROM fresh") == MORNING


async def test_the_next_test_has_its_own_time(db: Sandbox) -> None:
    now = await core.fetch_val("SELECT now()")
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)
    await core.execute("INSERT INTO stamped (id) VALUES (1)")
    assert await core.fetch_val("SELECT a FROM stamped") == now


def test_a_naive_time_is_refused(db: Sandbox) -> None:
    with pytest.raises(ValueError, match="time zone"):
        db.freeze(datetime(2031, 1, 1))
