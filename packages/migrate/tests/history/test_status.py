"""Status costs one round trip and takes no lock, however many migrations there are."""

import time
from typing import Any

from data_bridge.core import Database
from data_bridge.migrate import get_migration_status, run_migrations
from data_bridge.migrate.history.status import compare
from data_bridge.migrate.sources.discovery import checksum, in_directory, ordered
from data_bridge.testing.proxy import proxied

Folder = Any
DELAY = 0.1


async def test_status_is_one_round_trip(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{f"{n:04}_a.sql": f"create table t{n} (a int);" for n in range(20)})
    await run_migrations(directory=place)
    with proxied(isolated_db.dsn) as through:
        async with Database(through.dsn, max_connections=1) as database:
            await get_migration_status(directory=place, using=database)  # connects, and prepares the statement
            await database.fetch_val("SELECT 1")
            through.delay = DELAY
            times: list[float] = []
            for work in (
                lambda: database.fetch_val("SELECT 1"),
                lambda: get_migration_status(directory=place, using=database),
                lambda: run_migrations(directory=place, using=database),
            ):
                start = time.monotonic()
                await work()  # type: ignore[operator]
                times.append(time.monotonic() - start)
            through.delay = 0
    trip = 2 * DELAY
    assert times[0] < 1.6 * trip, "a query is one round trip"
    assert times[1] < 1.6 * trip, "a status is one"
    assert times[2] < 1.6 * trip, "and so is a runner that finds nothing to do"


async def test_status_waits_for_no_lock(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "create table a (x int);"})
    await run_migrations(directory=place)
    async with Database(isolated_db.dsn, max_connections=2) as other, other.transaction() as tx:
        await tx.execute("LOCK TABLE _data_bridge_migrations IN EXCLUSIVE MODE")
        status = await get_migration_status(directory=place, using=isolated_db)
        assert status.current == "1"


def test_two_thousand_are_one_pass(folder: Folder) -> None:
    place = folder(**{f"{n:05}_a.sql": f"create table t{n} (a int);" for n in range(2000)})
    found = ordered(in_directory(place))
    assert [m.version for m in found] == [f"{n:05}" for n in range(2000)]
    assert len({checksum(m) for m in found}) == 2000
    assert len(compare(found, []).pending) == 2000
