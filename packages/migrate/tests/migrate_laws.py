"""The laws that a runner must keep, as functions: tests call them, and call them again with a fault planted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Self

from data_bridge.core import Database
from data_bridge.migrate import Migration, run_migrations
from data_bridge.migrate.connection.session import RunnerConnection

FILES = {
    "0001_base.sql": (
        "-- up\ncreate table big (id bigint primary key, a int); insert into big select i, i from generate_series(1, 30) i;\n"
        "create table log (what text);\ncreate table parted (id bigint, d int) partition by range (d);\n"
        "create table part1 partition of parted for values from (0) to (10);\ncreate type mood as enum ('x');\n"
        "-- down\ndrop table parted; drop table log; drop table big; drop type mood;"
    ),
    "0002_alone.sql": (
        "-- no-transaction\n-- up\ninsert into log values ('alone 1');\ncreate index concurrently big_a on big (a);\n"
        "insert into log values ('alone 2');\n-- down\ninsert into log values ('back');\ndrop index concurrently big_a;\n"
        "delete from log where what like 'alone%';"
    ),
    "0003_mixed.sql": (
        "-- up\ninsert into log values ('mixed 1'); insert into log values ('mixed 2');\n"
        "create unique index concurrently on big (a, id);\ninsert into log values ('mixed 3');\n"
        "alter table parted detach partition part1 concurrently;\n-- down\nselect 1;"
    ),
    "0004_enum.sql": "-- up\nalter type mood add value 'y'; insert into log select 'y'::mood::text;\n-- down\nselect 1;",
    "0005_blocks.sql": "-- up\nbegin; insert into log values ('block 1'); commit;\nbegin; insert into log values ('block 2'); commit;\n-- down\nselect 1;",
    "0006_class.py": (
        "from data_bridge.migrate import Migration\n\n\nclass Six(Migration):\n    version = '0006'\n\n    async def up(self):\n"
        "        await self.add_column('big', 'k', \"text NOT NULL DEFAULT 'k' || nextval('keys')\")\n"
        "        await self.create_index('big', ['k'], unique=True)\n        await self.execute(\"insert into log values ('class')\")\n"
        "        await self.backfill('big', 'a = a + 1000', batch=7)\n        await self.drop_index('big_a')\n"
        "    async def down(self):\n        await self.execute('select 1')\n"
    ),
}  # fmt: skip
_SNAPSHOT = """
    SELECT 'column ' || attrelid::regclass || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull AS line
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND relname !~ '^_data'
    UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index i JOIN pg_class c ON c.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_data'
    UNION ALL SELECT 'constraint ' || conname || ' ' || convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        AND conrelid::regclass::text !~ '^_data'
    UNION ALL SELECT 'child ' || inhrelid::regclass || ' ' || inhdetachpending FROM pg_inherits
    UNION ALL SELECT 'label ' || enumlabel FROM pg_enum
"""
_ROWS = {
    "log": "SELECT 'log ' || what || ' ' || count(*) AS line FROM log GROUP BY what",
    "big": "SELECT 'big ' || count(*) || ' ' || sum(a) AS line FROM big",
    "_data_bridge_migrations": "SELECT 'history ' || version || ' ' || state || ' ' || steps_done AS line FROM _data_bridge_migrations",
}


class Killed(BaseException):
    """What no handler of the runner sees: the process is gone."""


class Call:
    """An operation as observers look at it, which some tests of the same process leave behind."""

    seconds = None
    row_count = 0

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, None, Any]:
        return self._work.__await__()

    def done(self) -> bool:
        return True


class Mortal:
    """A lease that dies before or after its n-th call, and then does nothing any more but let go."""

    def __init__(self, lease: Any, life: Life) -> None:
        self._lease = lease
        self._life = life

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._lease, name)
        if name not in ("run", "script", "begin", "commit"):
            return call

        return lambda *arguments, **options: Call(self._life.around(lambda: call(*arguments, **options)))


class Life:
    """How many calls a runner has left."""

    def __init__(self, calls: int | None, *, after: bool) -> None:
        self._left = calls
        self._after = after
        self._leases: list[Any] = []
        self.count = 0

    async def around(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.count += 1
        if self._left is None:
            return await call()
        if self.count > self._left or (self.count == self._left and not self._after):
            raise Killed
        result = await call()
        if self.count == self._left:
            raise Killed
        return result

    def __enter__(self) -> Self:
        self._init = RunnerConnection.__init__
        life, init = self, self._init

        def mortal(connection: RunnerConnection, *arguments: Any, **options: Any) -> None:
            init(connection, *arguments, **options)
            life._leases.append(connection._lease)
            connection._lease = Mortal(connection._lease, life)

        RunnerConnection.__init__ = mortal  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        RunnerConnection.__init__ = self._init  # type: ignore[method-assign]
        for lease in self._leases:
            # As the server does when the process is gone.
            lease.abandon()


async def snapshot(database: Any) -> list[str]:
    """Everything that the migrations of FILES can make, and the history."""
    lines = [r["line"] for r in await database.fetch(_SNAPSHOT)]
    for table, query in _ROWS.items():
        if await database.fetch_val("SELECT to_regclass($1::text) IS NOT NULL", table):
            lines += [r["line"] for r in await database.fetch(query)]
    return sorted(lines)


async def empty(database: Any) -> None:
    """As new."""
    await database.execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SEQUENCE keys")


async def killed_anywhere(database: Any, place: Path, *, step: int = 1) -> int:
    """I7: a runner that is killed before or after any of its calls is continued by the next one to the same end."""
    await empty(database)
    with Life(None, after=False) as life:
        await run_migrations(directory=place, using=database)
    expected = await snapshot(database)
    for calls in range(1, life.count + 1, step):
        for after in (False, True):
            await empty(database)
            with Life(calls, after=after):
                try:
                    await run_migrations(directory=place, using=database)
                except Killed:
                    pass
            await run_migrations(directory=place, using=database)
            got = await snapshot(database)
            assert got == expected, f"killed {'after' if after else 'before'} call {calls}: {set(got) ^ set(expected)}"
    return life.count


async def killed_on_the_way_back(database: Any, place: Path) -> int:
    """I7 for taking back: what was undone is not undone twice."""
    await empty(database)
    await run_migrations(directory=place, target="0002", using=database)
    with Life(None, after=False) as life:
        await run_migrations(directory=place, direction="down", target="0001", using=database)
    expected = await snapshot(database)
    for calls in range(1, life.count + 1):
        for after in (False, True):
            await empty(database)
            await run_migrations(directory=place, target="0002", using=database)
            with Life(calls, after=after):
                try:
                    await run_migrations(directory=place, direction="down", target="0001", using=database)
                except Killed:
                    pass
            await run_migrations(directory=place, direction="down", target="0001", using=database)
            got = await snapshot(database)
            assert got == expected, f"killed {'after' if after else 'before'} call {calls}: {set(got) ^ set(expected)}"
    return life.count


async def raced(database: Any, place: Path, runners: int = 5) -> None:
    """I8: several runners at once apply each step exactly once, without a deadlock."""
    await empty(database)
    await run_migrations(directory=place, using=database)
    expected = await snapshot(database)
    await empty(database)

    async def one() -> list[str]:
        async with Database(database.dsn, max_connections=2) as own:
            return await run_migrations(directory=place, using=own)

    results = await asyncio.wait_for(asyncio.gather(*(one() for _ in range(runners)), return_exceptions=True), 60)
    failures = [r for r in results if isinstance(r, BaseException)]
    assert not failures, failures
    assert sorted(len(r) for r in results if isinstance(r, list)) == [0] * (runners - 1) + [len(FILES)]
    got = await snapshot(database)
    assert got == expected, set(got) ^ set(expected)


def write(place: Path) -> Path:
    """The files."""
    for name, text in FILES.items():
        (place / name).write_text(text)
    return place


__all__ = [
    "FILES",
    "Killed",
    "Life",
    "Migration",
    "empty",
    "killed_anywhere",
    "killed_on_the_way_back",
    "raced",
    "snapshot",
    "write",
]
