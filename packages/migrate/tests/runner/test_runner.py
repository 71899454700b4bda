"""MigrationRunner migrations on a live server: order, transactions, interruptions, races."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from data_bridge.core import Database
from data_bridge.migrate import Migration, Plan, get_migration_status, run_migrations
from data_bridge.migrate.runner.api import run_migrations as runner
from data_bridge.postgres import (
    ConfigurationError,
    MigrationConflict,
    MigrationError,
    MigrationLocked,
    NotInitialized,
    UniqueViolation,
    begin_transaction,
    detached,
    fetch,
    fetch_val,
    pg_transaction,
)

Folder = Any


async def exists(name: str) -> bool:
    return await fetch_val("SELECT to_regclass($1::text) IS NOT NULL", name)


def migration(number: str, up: str | list[str], down: str | None = None, **attributes: Any) -> type[Migration]:
    """A migration class that runs these statements."""

    async def do_up(self: Migration) -> None:
        for statement in [up] if isinstance(up, str) else up:
            await self.execute(statement)

    async def do_down(self: Migration) -> None:
        assert down is not None
        await self.execute(down)

    methods: dict[str, Any] = {"version": number, "up": do_up, **attributes}
    if down is not None:
        methods["down"] = do_down
    return type(f"M{number}", (Migration,), methods)


ONE = migration("1", "CREATE TABLE one (a int)", "DROP TABLE one")
TWO = migration("2", "CREATE TABLE two (a int)", "DROP TABLE two")
TEN = migration("10", "CREATE TABLE ten (a int)", "DROP TABLE ten")


async def test_up_down_and_to(isolated_db: Any, folder: Folder) -> None:
    everything = [TEN, ONE, TWO]
    fresh = await get_migration_status(everything)
    assert (fresh.current, fresh.applied, fresh.pending) == (None, [], ["1", "2", "10"])
    assert await run_migrations(everything, target="2") == ["1", "2"]
    assert await exists("two") and not await exists("ten")
    assert await run_migrations(everything) == ["10"]
    assert await run_migrations(everything) == []
    status = await get_migration_status(everything)
    assert (status.current, status.pending) == ("10", [])
    assert [(a.version, a.name, a.state, a.steps_done) for a in status.applied] == [
        ("1", "M1", "applied", 1), ("2", "M2", "applied", 1), ("10", "M10", "applied", 1),
    ]  # fmt: skip
    assert all(a.finished_at is not None and a.error is None for a in status.applied)
    assert await run_migrations(everything, direction="down") == ["10"]
    assert await run_migrations(everything, direction="down", target="1") == ["2"]
    assert await run_migrations(everything, direction="down", target="1") == []
    assert await exists("one") and not await exists("two")
    assert await run_migrations(everything) == ["2", "10"]
    assert await run_migrations(everything, direction="down", target="0") == ["10", "2", "1"]
    assert await run_migrations(everything) == ["1", "2", "10"]


async def test_a_migration_of_an_older_branch_still_runs(isolated_db: Any, folder: Folder) -> None:
    await run_migrations([ONE, TEN])
    assert (await get_migration_status([ONE, TWO, TEN])).late == ["2"]
    project = folder().parent / "pyproject.toml"
    project.write_text('[tool.data-bridge.migrate]\nout_of_order = "error"\n')
    with pytest.raises(MigrationConflict, match="2 come before 10, which is applied already"):
        await run_migrations([ONE, TWO, TEN])
    project.write_text('[tool.data-bridge.migrate]\nout_of_order = "maybe"\n')
    with pytest.raises(ConfigurationError, match="out_of_order"):
        await run_migrations([ONE, TWO, TEN])
    project.write_text("[tool.data-bridge.migrate]\n")
    assert await run_migrations([ONE, TWO, TEN]) == ["2"]


async def test_a_failing_step_leaves_nothing(isolated_db: Any, folder: Folder) -> None:
    bad = migration("2", ["CREATE TABLE half (a int)", "INSERT INTO half VALUES (1)", "SELECT 1 / 0"])
    with pytest.raises(MigrationError) as caught:
        await run_migrations([ONE, bad, TEN])
    text = str(caught.value)
    assert "2 M2" in text and "step 3 failed: SELECT 1 / 0" in text and "division by zero [22012]" in text
    assert await exists("one") and not await exists("half") and not await exists("ten")
    status = await get_migration_status([ONE, bad, TEN])
    assert (status.current, status.pending, status.failed) == ("1", ["2", "10"], [])
    assert await run_migrations([ONE, TWO, TEN]) == ["2", "10"]


async def test_python_errors_name_the_migration(isolated_db: Any, folder: Folder) -> None:
    class Broken(Migration):
        version = "1"

        async def up(self) -> None:
            await self.execute("CREATE TABLE broken (a int)")
            raise ZeroDivisionError("in Python")

    with pytest.raises(MigrationError, match="1 Broken") as caught:
        await run_migrations([Broken])
    assert "in Python" in str(caught.value) and isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not await exists("broken")


async def test_steps_outside_a_transaction_are_recorded_and_continued(isolated_db: Any, folder: Folder) -> None:
    steps = [
        "CREATE TABLE t (a int)",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "INSERT INTO t VALUES (1)",
        "SELECT 1 / 0",
    ]
    with pytest.raises(MigrationError, match=r"2 steps before it are committed|3 steps before it are committed"):
        await run_migrations([migration("1", steps)])
    status = await get_migration_status([migration("1", steps)])
    assert status.failed == ["1"] and status.current is None
    row = (await fetch("SELECT * FROM _data_bridge_migrations"))[0]
    assert (row["state"], row["steps_done"]) == ("failed", 2) and "division by zero" in row["error"]
    assert await fetch_val("SELECT count(*) FROM t") == 0, "the transactional tail was rolled back"
    # Mended behind what ran: it continues there.
    mended = migration("1", [*steps[:3], "SELECT 1"])
    assert await run_migrations([mended]) == ["1"]
    assert await fetch_val("SELECT count(*) FROM t") == 1
    assert (await get_migration_status([mended])).failed == []


async def test_a_committed_step_must_not_change(isolated_db: Any, folder: Folder) -> None:
    steps = ["CREATE TABLE t (a int)", "CREATE INDEX CONCURRENTLY i ON t (a)", "SELECT 1 / 0"]
    with pytest.raises(MigrationError):
        await run_migrations([migration("1", steps)])
    with pytest.raises(MigrationError, match="step 1 is not the one that ran"):
        await run_migrations([migration("1", ["CREATE TABLE other (a int)", *steps[1:2]])])


async def test_an_invalid_index_is_built_anew(isolated_db: Any, folder: Folder) -> None:
    class Unique(Migration):
        version = "1"

        async def up(self) -> None:
            await self.create_index("t", ["a"], unique=True, name="i", concurrently=True)

    await isolated_db.execute_script("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(MigrationError, match="could not create unique index"):
        await run_migrations([Unique])
    assert not await exists("i"), "what the failure left is swept away"
    with pytest.raises(UniqueViolation):
        await isolated_db.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
    assert await fetch_val("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") is False
    await isolated_db.execute("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    assert await run_migrations([Unique]) == ["1"]
    assert await fetch_val("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") is True
    assert await run_migrations([Unique], direction="down") == ["1"]
    assert not await exists("i")


async def test_atomic(isolated_db: Any, folder: Folder) -> None:
    wrong = migration("1", ["CREATE TABLE t (a int)", "CREATE INDEX CONCURRENTLY i ON t (a)"], atomic=True)
    with pytest.raises(MigrationError, match=r"atomic = True.*CONCURRENTLY"):
        await run_migrations([wrong])
    assert not await exists("t")
    single = migration("2", ["CREATE TABLE t (a int)", "SELECT 1 / 0"], atomic=False)
    with pytest.raises(MigrationError):
        await run_migrations([single])
    assert await exists("t"), "each statement was committed for itself"


async def test_enum_values_are_committed_before_they_are_used(isolated_db: Any, folder: Folder) -> None:
    class Enums(Migration):
        version = "1"

        async def up(self) -> None:
            await self.create_enum("mood", ["a"])
            await self.create_table("t", {"m": "mood"})
            await self.add_enum_value("mood", "b", after="a")
            await self.execute("INSERT INTO t VALUES ('b')")

    assert await run_migrations([Enums]) == ["1"]
    assert await fetch_val("SELECT m::text FROM t") == "b"


async def test_a_dry_run_sends_nothing(isolated_db: Any, folder: Folder) -> None:
    class Asking(Migration):
        version = "3"

        async def up(self) -> None:
            await self.execute("CREATE TABLE asked (a int)")
            if await self.fetch("SELECT 1"):
                await self.execute("SELECT 2")

    built = migration("2", ["CREATE INDEX CONCURRENTLY i ON one (a)", "ALTER TABLE one ADD b int"])
    plan = await run_migrations([ONE, built, Asking], dry_run=True)
    assert isinstance(plan, Plan) and plan == ["1", "2", "3"]
    assert [(s.version, s.sql, s.lock, s.transactional) for s in plan.steps] == [
        ("1", "CREATE TABLE one (a int)", None, True),
        ("2", "CREATE INDEX CONCURRENTLY i ON one (a)", "SHARE UPDATE EXCLUSIVE", False),
        ("2", "ALTER TABLE one ADD b int", "ACCESS EXCLUSIVE", True),
        ("3", "CREATE TABLE asked (a int)", None, True),
    ]
    assert plan.open == ["3"]
    assert not await exists("_data_bridge_migrations") and not await exists("one")


async def test_fake_writes_the_history_only(isolated_db: Any, folder: Folder) -> None:
    assert await run_migrations([ONE, TWO], fake=True) == ["1", "2"]
    assert not await exists("one") and (await get_migration_status([ONE, TWO])).current == "2"
    assert await run_migrations([ONE, TWO], direction="down", fake=True) == ["2"]
    assert (await get_migration_status([ONE, TWO])).pending == ["2"]


async def test_two_runners_do_the_work_once(isolated_db: Any, folder: Folder) -> None:
    slow = migration(
        "1", ["CREATE TABLE slow (a int)", "SELECT pg_sleep(0.3)", "CREATE INDEX CONCURRENTLY i ON slow (a)"]
    )
    results = await asyncio.gather(*(run_migrations([slow, TWO]) for _ in range(4)))
    assert sorted(map(len, results)) == [0, 0, 0, 2]
    assert await fetch_val("SELECT count(*) FROM _data_bridge_migrations") == 2


async def test_a_runner_that_waits_in_vain_says_for_whom(isolated_db: Any, folder: Folder) -> None:
    slow = migration("1", "SELECT pg_sleep(1.5)")
    first = asyncio.create_task(run_migrations([slow]))
    while not await fetch_val(_LOCKS):
        await asyncio.sleep(0.01)
    with pytest.raises(MigrationLocked, match=r"for more than 0\.1 s: process \d+"):
        await run_migrations([slow], lock_timeout=0.1)
    assert await first == ["1"]
    for _ in range(200):  # the server ends the session a moment after its client left
        if not await fetch_val(_LOCKS):
            break
        await asyncio.sleep(0.01)
    assert await fetch_val(_LOCKS) == 0


_LOCKS = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_VICTIM = """
import asyncio, sys
from data_bridge.core import Database
from data_bridge.migrate import run_migrations

async def main():
    async with Database(sys.argv[1], max_connections=2) as database:
        await run_migrations(directory=sys.argv[2], using=database)

asyncio.run(main())
"""
_STEPS = """from data_bridge.migrate import Migration

class Killed(Migration):
    version = "1"

    async def up(self):
        await self.execute("CREATE TABLE killed (a int)")
        await self.execute("CREATE INDEX CONCURRENTLY killed_a ON killed (a)")
        await self.execute("INSERT INTO killed VALUES (1)")
        await self.execute("SELECT pg_sleep(CASE WHEN current_setting('application_name') = 'victim' THEN 60 ELSE 0 END)")
        await self.execute("INSERT INTO killed VALUES (2)")
"""


async def test_a_killed_runner_is_continued(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_killed.py": _STEPS})
    dsn = isolated_db.dsn + ("&" if "?" in isolated_db.dsn else "?") + "application_name=victim"
    process = subprocess.Popen([sys.executable, "-c", _VICTIM, dsn, str(place)])  # noqa: ASYNC220
    try:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim' AND query LIKE 'SELECT pg_sleep%'"
        )
        until = time.monotonic() + 20
        while not await fetch_val(waiting):
            assert time.monotonic() < until and process.poll() is None
            await asyncio.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    # The server notices a dead client when it next writes to it.
    await fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'")
    status = await get_migration_status(directory=place)
    assert (status.failed, status.current) == (["1"], None)
    assert await fetch_val("SELECT steps_done FROM _data_bridge_migrations") == 2
    assert await fetch_val("SELECT count(*) FROM killed") == 0
    assert await run_migrations(directory=place) == ["1"]
    assert await fetch_val("SELECT string_agg(a::text, ',' ORDER BY a) FROM killed") == "1,2"
    assert (await get_migration_status(directory=place)).failed == []


async def test_where_it_runs(isolated_db: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"outside of pg_transaction\(\)"):
        async with pg_transaction():
            await run_migrations([ONE])
    with pytest.raises(ConfigurationError, match="not 'up' or 'down'"):
        await run_migrations([ONE], direction="sideways")  # type: ignore[arg-type]
    with pytest.raises(MigrationError, match="there is no migration 7"):
        await run_migrations([ONE], target="7")
    with pytest.raises(NotInitialized):
        await run_migrations([ONE], using="no_such_alias")
    assert await run_migrations([ONE], using=isolated_db) == ["1"]
    assert runner is run_migrations


async def test_configuration(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "create table a (x int)"})
    (place.parent / "pyproject.toml").write_text(
        '[tool.data-bridge.migrate]\ndirectory = "migrations"\nschema = "meta"\ntable = "log"\n'
    )
    await isolated_db.execute("CREATE SCHEMA meta")
    assert await run_migrations() == ["1"]
    assert await exists("meta.log") and not await exists("_data_bridge_migrations")
    assert (await get_migration_status(directory=place)).current == "1"
    (place.parent / "pyproject.toml").write_text('[tool.data-bridge.migrate]\ndirectroy = "migrations"\n')
    with pytest.raises(ConfigurationError, match="has no setting 'directroy'"):
        await run_migrations()


async def test_progress(isolated_db: Any, folder: Folder) -> None:
    said: list[tuple[str, str]] = []
    await run_migrations([ONE, TWO], progress=lambda what, m: said.append((what, m.version)))
    assert said == [("start", "1"), ("done", "1"), ("start", "2"), ("done", "2")]


async def test_operations_run_and_are_undone(isolated_db: Any, folder: Folder) -> None:
    class Whole(Migration):
        version = "1"

        async def up(self) -> None:
            await self.create_table("other", {"id": "int PRIMARY KEY"})
            await self.create_table("item", {"id": "bigint PRIMARY KEY", "name": "text"})
            await self.add_column("item", ("size", "int NOT NULL DEFAULT 0"))
            await self.create_index("item", ["name"], unique=True, where="size > 1")
            await self.rename_column("item", "name", "title")
            await self.rename_table("item", "thing")
            await self.create_enum("mood", ["a", "b'c"])
            await self.rename_enum_value("mood", "a", "z")
            await self.alter_column("thing", "title", nullable=False)
            await self.add_foreign_key("thing", "size", "other", on_delete="CASCADE", name="fk", not_valid=True)
            await self.validate_constraint("thing", "fk")

    dump = "SELECT string_agg(relname || relkind::text, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ 'data_bridge'"
    before = await fetch_val(dump)
    assert await run_migrations([Whole]) == ["1"]
    assert (
        await exists("thing")
        and await fetch_val("SELECT confdeltype::text FROM pg_constraint WHERE conname = 'fk'") == "c"
    )
    assert await run_migrations([Whole], direction="down") == ["1"]
    assert await fetch_val(dump) == before
    assert await fetch_val("SELECT to_regtype('mood') IS NULL")
    assert await run_migrations([Whole]) == ["1"]


async def test_alter_column(isolated_db: Any, folder: Folder) -> None:
    await isolated_db.execute_script("CREATE TABLE t (a text DEFAULT '1'); INSERT INTO t VALUES ('5')")

    class Alter(Migration):
        version = "1"

        async def up(self) -> None:
            await self.alter_column("t", "a", drop_default=True)
            await self.alter_column("t", "a", type="integer", using="a::integer", default="7", nullable=False)

    await run_migrations([Alter])
    await isolated_db.execute("INSERT INTO t DEFAULT VALUES")
    assert [r["a"] for r in await fetch("SELECT a FROM t ORDER BY a")] == [5, 7]


async def test_a_step_lets_go_and_tries_again_while_others_hold_the_lock(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "insert into log values (1); alter table t add b int;"})
    (place.parent / "pyproject.toml").write_text(
        '[tool.data-bridge.migrate]\nstep_lock_timeout = "50ms"\nlock_timeout = 0.3\n'
    )
    await isolated_db.execute_script("CREATE TABLE t (a int); CREATE TABLE log (a int)")
    tx = await begin_transaction()
    await tx.execute("LOCK TABLE t IN ACCESS SHARE MODE")
    try:
        async with detached():
            with pytest.raises(MigrationError, match="lock timeout"):
                await run_migrations(directory=place)
            running = asyncio.create_task(run_migrations(directory=place, lock_timeout=20))
            await asyncio.sleep(0.3)
            assert await fetch_val("SELECT count(*) FROM t") == 0, "readers are not blocked for long"
    finally:
        await tx.rollback()
    assert await running == ["1"]
    assert await fetch_val("SELECT count(*) FROM log") == 1


async def test_exclusive_steps_outside_of_transactions_let_go_as_well(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "vacuum full t;"})
    (place.parent / "pyproject.toml").write_text('[tool.data-bridge.migrate]\nstep_lock_timeout = "50ms"\n')
    await isolated_db.execute_script("CREATE TABLE t (a int)")
    tx = await begin_transaction()
    await tx.execute("LOCK TABLE t IN ACCESS SHARE MODE")
    try:
        async with detached():
            with pytest.raises(MigrationError, match=r"lock timeout[\s\S]*t is held \(AccessShareLock\) by process"):
                await run_migrations(directory=place, lock_timeout=0.3)
            running = asyncio.create_task(run_migrations(directory=place, lock_timeout=20))
            await asyncio.sleep(0.2)
    finally:
        await tx.rollback()
    assert await running == ["1"]


async def test_two_connections_are_enough(isolated_db: Any, folder: Folder) -> None:
    name = f"alone_{os.getpid()}"
    await isolated_db.execute_script(
        f"CREATE ROLE {name} LOGIN PASSWORD 'alone' CONNECTION LIMIT 2; GRANT ALL ON SCHEMA public TO {name}"
    )
    dsn: str = isolated_db.dsn
    place = urlsplit(dsn)
    dsn = urlunsplit(place._replace(netloc=f"{name}:alone@{place.netloc.rpartition('@')[2]}"))
    try:
        async with Database(dsn, max_connections=1) as database:
            assert await run_migrations([ONE], using=database) == ["1"]
    finally:
        await isolated_db.execute_script(f"DROP OWNED BY {name}; DROP ROLE {name}")
