"""Laws of the runner, on a live server; and the same laws with a fault planted, which they must notice."""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

import migrate_laws as laws
import pytest

from data_bridge.core import Database, add_observer, remove_observer
from data_bridge.migrate import Migration, get_migration_status, run_migrations
from data_bridge.migrate._sql_lexer import split
from data_bridge.migrate.connection import lock
from data_bridge.migrate.connection.session import RunnerConnection
from data_bridge.migrate.runner.executor import StepExecutor
from data_bridge.migrate.runner.plan import make
from data_bridge.migrate.sources.discovery import in_directory, ordered
from data_bridge.postgres import MigrationConflict, MigrationError

Folder = Any


@pytest.mark.slow
async def test_a_runner_killed_anywhere_is_continued(isolated_db: Any, folder: Folder) -> None:
    assert await laws.killed_anywhere(isolated_db, laws.write(folder())) > 60


async def test_taking_back_killed_anywhere_is_continued(isolated_db: Any, folder: Folder) -> None:
    assert await laws.killed_on_the_way_back(isolated_db, laws.write(folder())) > 10


async def test_racing_runners_apply_each_step_once(isolated_db: Any, folder: Folder) -> None:
    place = laws.write(folder())
    for _ in range(3):
        await laws.raced(isolated_db, place)


async def test_a_forgotten_lock_is_noticed(isolated_db: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: Any) -> None:
        return None

    monkeypatch.setattr(lock, "acquire", nobody)
    place = laws.write(folder())
    for _ in range(10):  # without the lock, runners may still come one after the other by chance
        try:
            await laws.raced(isolated_db, place)
        except AssertionError:
            return
    pytest.fail("ten races without the lock were not noticed")


async def test_a_history_outside_of_the_transaction_is_noticed(
    isolated_db: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = StepExecutor.finish

    async def late(self: StepExecutor, *, forget: bool) -> None:
        await self._connection.commit()
        await finish(self, forget=forget)

    monkeypatch.setattr(StepExecutor, "finish", late)
    with pytest.raises((AssertionError, MigrationError)):
        await laws.killed_anywhere(isolated_db, laws.write(folder()))


async def test_a_step_that_is_not_announced_is_noticed(
    isolated_db: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = StepExecutor._record

    async def silent(self: StepExecutor, digests: list[str]) -> None:
        if not (digests and "?" in digests[-1]):
            await record(self, digests)

    monkeypatch.setattr(StepExecutor, "_record", silent)
    with pytest.raises((AssertionError, MigrationError)):
        await laws.killed_anywhere(isolated_db, laws.write(folder()))


async def test_a_missing_lock_timeout_is_noticed(
    isolated_db: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = RunnerConnection.begin

    async def endless(self: RunnerConnection, lock_timeout: str | None = None, statement_timeout: str = "0") -> None:
        await begin(self, "0")

    monkeypatch.setattr(RunnerConnection, "begin", endless)
    with pytest.raises(AssertionError, match="waited"):
        await probed(isolated_db, folder)


# ----------------------------------------------------------------------------------------------------------------- I9
class Online(Migration):
    version = "1"

    async def up(self) -> None:
        await self.add_column("t", "note", "text")
        await self.add_column("t", "k", "uuid NOT NULL DEFAULT gen_random_uuid()")
        await self.create_index("t", ["a"])
        await self.alter_column("t", "a", nullable=False)
        await self.add_foreign_key("t", "p", "parent")
        await self.drop_column("t", "b")


async def probed(database: Any, folder: Folder) -> None:
    """A reader and a writer never wait longer than the lock timeout and a bit, although a transaction is in the way."""
    (folder().parent / "pyproject.toml").write_text('[tool.data-bridge.migrate]\nstep_lock_timeout = "100ms"\n')
    await database.execute_script(
        "CREATE TABLE parent (id bigint PRIMARY KEY); INSERT INTO parent VALUES (1);"
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b int, p bigint);"
        "INSERT INTO t SELECT i, i, i, 1 FROM generate_series(1, 3000) i"
    )
    async with Database(database.dsn, max_connections=6) as other:
        done = asyncio.Event()
        waits: list[float] = []

        async def probe(sql: str) -> None:
            while not done.is_set():
                start = time.monotonic()
                await other.execute(sql)
                waits.append(time.monotonic() - start)
                await asyncio.sleep(0.005)

        async def old() -> None:
            while not done.is_set():
                async with other.transaction() as tx:
                    await tx.execute("SELECT count(*) FROM t WHERE id = 1")
                    await asyncio.sleep(0.9)
                await asyncio.sleep(0.3)

        tasks = [
            asyncio.create_task(probe("SELECT id FROM t WHERE id = 7")),
            asyncio.create_task(probe("UPDATE t SET a = a + 1 WHERE id = 9")),
            asyncio.create_task(probe("INSERT INTO parent VALUES (1) ON CONFLICT DO NOTHING")),
            asyncio.create_task(old()),
        ]
        await asyncio.sleep(0.1)
        try:
            assert await run_migrations([Online], using=database, lock_timeout=60) == ["1"]
        finally:
            done.set()
            await asyncio.gather(*tasks)
        assert max(waits) < 0.55, f"somebody waited {max(waits):.2f} s"


async def test_nobody_waits_longer_than_the_lock_timeout(isolated_db: Any, folder: Folder) -> None:
    await probed(isolated_db, folder)
    rows = await isolated_db.fetch("SELECT count(*) AS n, count(k) AS k FROM t")
    assert (rows[0]["n"], rows[0]["k"]) == (3000, 3000)


# ------------------------------------------------------------------------------------------------------- I6, I10, I11
class Heard:
    """Remembers the SQL of migrations."""

    def __init__(self) -> None:
        self.sql: list[str] = []

    def started(self, event: Any) -> None:
        self.sql.append(event.sql)

    def finished(self, token: Any, event: Any) -> None:
        pass


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_the_preview_is_what_runs(isolated_db: Any, folder: Folder, direction: Any) -> None:
    place = laws.write(folder())
    (place / "0006_class.py").unlink()
    if direction == "down":
        await run_migrations(directory=place, using=isolated_db)
    target = "0" if direction == "down" else None
    plan: Any = await run_migrations(
        directory=place, using=isolated_db, dry_run=True, direction=direction, target=target
    )
    heard = Heard()
    add_observer(heard)
    try:
        await run_migrations(directory=place, using=isolated_db, direction=direction, target=target)
    finally:
        remove_observer(heard)
    steps = {s.sql for s in plan.steps}
    assert [s for s in heard.sql if s in steps] == [s.sql for s in plan.steps]


async def test_the_preview_of_operations_is_what_runs(isolated_db: Any, folder: Folder) -> None:
    folder()
    await isolated_db.execute_script(
        "CREATE TABLE parent (id bigint PRIMARY KEY); CREATE TABLE t (id bigint PRIMARY KEY, a int, b int, p bigint)"
    )

    class Plain(Online):
        version = "2"

        async def up(self) -> None:
            await self.create_index("t", ["a"])
            await self.alter_column("t", "a", nullable=False)
            await self.add_foreign_key("t", "p", "parent")

    plan: Any = await run_migrations([Plain], using=isolated_db, dry_run=True)
    heard = Heard()
    add_observer(heard)
    try:
        await run_migrations([Plain], using=isolated_db)
    finally:
        remove_observer(heard)
    ran = [s for s in heard.sql if "_data_bridge" not in s]
    assert ran == [s.sql for s in plan.steps] and len(ran) == 7


async def test_plans_are_the_same_byte_for_byte(folder: Folder) -> None:
    place = laws.write(folder())
    texts = {
        json.dumps([asdict(s) for s in (await make(ordered(in_directory(place)), "up")).steps], sort_keys=True)
        for _ in range(3)
    }
    assert len(texts) == 1


async def test_the_printed_sql_reads_as_the_same_statements(folder: Folder) -> None:
    place = laws.write(folder())
    plan = await make(ordered(in_directory(place)), "up")
    printed = ";\n".join(s.sql.rstrip(";") for s in plan.steps)
    assert [s.sql for s in split(printed)] == [s.sql for step in plan.steps for s in split(step.sql)]


# ---------------------------------------------------------------------------------------------------------- way back
async def test_what_was_being_taken_back_is_not_applied(isolated_db: Any, folder: Folder) -> None:
    place = laws.write(folder())
    await run_migrations(directory=place, target="0002", using=isolated_db)
    await isolated_db.execute("ALTER TABLE log ADD CHECK (what <> 'x')")
    (place / "0002_alone.sql").write_text(
        laws.FILES["0002_alone.sql"].replace("delete from log", "select 1/0; delete from log")
    )
    from data_bridge.migrate import repair_history

    await repair_history(directory=place, using=isolated_db)
    with pytest.raises(MigrationError, match="2 steps before it are committed"):
        await run_migrations(directory=place, direction="down", using=isolated_db)
    status = await get_migration_status(directory=place, using=isolated_db)
    assert (status.failed, status.undoing, status.current) == (["0002"], ["0002"], "0001")
    with pytest.raises(MigrationConflict, match="interrupted while it was taken back: finish that first"):
        await run_migrations(directory=place, target="0002", using=isolated_db)
    (place / "0002_alone.sql").write_text(laws.FILES["0002_alone.sql"])
    assert await run_migrations(directory=place, direction="down", using=isolated_db) == ["0002"]
    assert await isolated_db.fetch_val("SELECT count(*) FROM log") == 1, "each step of the way back ran once"


async def test_giving_up_names_who_is_in_the_way(isolated_db: Any, folder: Folder) -> None:
    (folder().parent / "pyproject.toml").write_text('[tool.data-bridge.migrate]\nstep_lock_timeout = "50ms"\n')
    place = folder(**{"1_a.sql": "alter table t add b int;"})
    await isolated_db.execute_script("CREATE TABLE t (a int)")
    async with Database(isolated_db.dsn, max_connections=2) as other:
        async with other.transaction() as tx:
            pid = await tx.fetch_val("SELECT pg_backend_pid()")
            await tx.execute("SELECT a FROM t")
            said: list[str] = []
            with pytest.raises(MigrationError) as caught:
                await run_migrations(
                    directory=place, using=isolated_db, lock_timeout=0.4, watch=lambda what, detail: said.append(what)
                )
    text = str(caught.value)
    assert f"t is held (AccessShareLock) by process {pid}" in text and "idle in transaction" in text
    assert "SELECT a FROM t" in text and "It was tried for 0.4 s." in text
    assert said.count("retry") >= 2
