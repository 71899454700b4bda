"""freeze and tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data_bridge import core
from data_bridge.postgres import Column, Table, sql
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


async def test_keywords_in_statements_stand_still(db: Sandbox) -> None:
    db.freeze(MORNING)
    row = await core.fetch_one(
        "SELECT CURRENT_TIMESTAMP, LOCALTIMESTAMP, CURRENT_DATE, CURRENT_TIME, LOCALTIME, CURRENT_TIMESTAMP(3) AS short,"
        " LOCALTIME(0) AS whole, CURRENT_TIMESTAMP - interval '1 day' AS yesterday, pg_catalog.now() AS qualified"
    )
    assert row is not None
    now = MORNING
    assert row["current_timestamp"] == row["qualified"] == now
    assert row["localtimestamp"] == now.replace(tzinfo=None)
    assert row["current_date"] == now.date()
    assert row["localtime"] == now.time()
    assert row["current_time"] == now.timetz()
    assert row["short"] == now.replace(microsecond=123_000)
    assert row["whole"] == now.time().replace(microsecond=0)
    assert row["yesterday"] == now - timedelta(days=1)
    assert await core.fetch_val("SELECT CURRENT_DATE = $1::date", now.date())


async def test_keywords_in_scripts_and_new_tables(db: Sandbox) -> None:
    db.freeze(MORNING)
    await core.execute_script(
        "CREATE TABLE fresh (at timestamptz DEFAULT CURRENT_TIMESTAMP, day date DEFAULT CURRENT_DATE);"
        " INSERT INTO fresh DEFAULT VALUES; INSERT INTO fresh VALUES (CURRENT_TIMESTAMP, CURRENT_DATE)"
    )
    async with core.pg_transaction() as tx:
        await tx.execute_script("INSERT INTO fresh VALUES (CURRENT_TIMESTAMP, CURRENT_DATE)")
    rows = await core.fetch("SELECT at, day FROM fresh WHERE at <= LOCALTIMESTAMP", as_=tuple)
    assert rows == [(MORNING, MORNING.date())] * 3


class Stamp(Table):
    class Settings:
        name = "stamped"

    id: int = Column(primary_key=True)
    a: datetime | None = None
    b: datetime | None = None


async def test_built_statements_see_it(db: Sandbox) -> None:
    db.freeze(MORNING)
    await core.execute("INSERT INTO stamped (id) VALUES (1)")
    at = sql("CURRENT_TIMESTAMP")
    (stamp,) = await Stamp.find(Stamp.a == at, Stamp.id == 1).to_list()
    assert stamp.a == MORNING
    assert await Stamp.find(Stamp.a < at).count() == 0
    db.tick(timedelta(hours=1))
    assert await Stamp.find(Stamp.a < at).update({Stamp.b: at}) == 1
    await stamp.refresh()
    assert stamp.b == MORNING + timedelta(hours=1)


async def test_now_goes_on_from_transaction_to_transaction(db: Sandbox) -> None:
    before = await core.fetch_val("SELECT now()")
    assert await core.fetch_val("SELECT now()") == before, "without it NOW() is that of the test"
    db.unfreeze()
    await _goes_on()
    db.freeze(MORNING)
    assert await core.fetch_val("SELECT clock_timestamp()") == MORNING
    db.unfreeze()
    await _goes_on()
    db.tick(timedelta(0))
    assert await core.fetch_val("SELECT now()") == await core.fetch_val("SELECT CURRENT_TIMESTAMP")


@pytest.mark.db(clock="live")
async def test_the_marker_lets_now_go_on(db: Sandbox) -> None:
    await _goes_on()


async def _goes_on() -> None:
    """As on a real connection: one instant in a transaction, another one in the next."""
    seen: list[datetime] = []
    for number in (1, 2):
        async with core.pg_transaction():
            first = await core.fetch_val("SELECT now()")
            await core.execute("INSERT INTO stamped (id) VALUES ($1)", number)
            async with core.pg_transaction():
                assert await core.fetch_val("SELECT CURRENT_TIMESTAMP") == first
            stamp, later = await core.fetch_one(
                "SELECT a, clock_timestamp() FROM stamped WHERE id = $1", number, as_=tuple
            ) or (None, first)
            assert stamp == first < later
            seen.append(first)
    seen += [await core.fetch_val("SELECT now()") for _ in range(2)]
    assert seen == sorted(set(seen))
    assert abs(seen[-1] - datetime.now(UTC)) < timedelta(minutes=5)
    await core.execute("DELETE FROM stamped")
