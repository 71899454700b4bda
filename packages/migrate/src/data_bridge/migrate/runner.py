"""run_migrations() and get_migration_status()."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from data_bridge.core import Database, resolve
from data_bridge.core.errors import (
    ConfigurationError,
    DataBridgeError,
    DeadlockDetected,
    LockNotAvailable,
    MigrationConflict,
    MigrationError,
    MigrationModified,
    NotInitialized,
)
from data_bridge.migrate import config as configuration
from data_bridge.migrate import lock, plan
from data_bridge.migrate.config import Config
from data_bridge.migrate.connection import RunnerConnection
from data_bridge.migrate.discover import checksum, discover
from data_bridge.migrate.executing import Executing
from data_bridge.migrate.history import AppliedMigration, History
from data_bridge.migrate.migration import Migration
from data_bridge.migrate.status import MigrationStatus, compare
from data_bridge.migrate.version import key

Progress = Callable[[str, type[Migration]], Any]


@asynccontextmanager
async def _database(using: Any, config: Config) -> AsyncGenerator[Any]:
    """An explicit database, else the open one, else that of the configuration or of $DATABASE_URL."""
    try:
        database = resolve(using)
    except NotInitialized:
        dsn = config.database or os.environ.get("DATABASE_URL")
        if using is not None or dsn is None:
            raise
        async with Database(dsn, max_connections=1) as own:
            yield own
        return
    if getattr(database, "is_transaction", False):
        raise ConfigurationError("migrations have transactions of their own: run them outside of pg_transaction()")
    yield database


@asynccontextmanager
async def _connected(database: Any, config: Config) -> AsyncGenerator[RunnerConnection]:
    connection = RunnerConnection(database, config.step_lock_timeout)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


def _check(status: MigrationStatus, migrations: Sequence[type[Migration]], direction: str) -> None:
    if status.modified:
        raise MigrationModified(
            f"applied migrations have changed since: {', '.join(status.modified)}. Put them back and write a new one, "
            "or accept the change with repair"
        )
    if direction == "up" and status.unknown:
        raise MigrationConflict(
            f"the database has migrations that nobody here has: {', '.join(status.unknown)}. Is this an older checkout?"
        )


def _chosen(
    status: MigrationStatus, migrations: Sequence[type[Migration]], target: str | None, direction: str
) -> list[type[Migration]]:
    by_version = {m.version: m for m in migrations}
    if target is not None and target not in by_version and not (direction == "down" and target in ("0", "zero")):
        raise MigrationError(f"there is no migration {target}")
    if direction == "up":
        pending = [by_version[v] for v in status.pending]
        return [m for m in pending if target is None or key(m.version) <= key(target)]
    applied = [r.version for r in status.applied]
    if target is None:
        back = applied[-1:]
    elif target in by_version:
        back = [v for v in applied if key(v) > key(target)]
    else:
        back = applied
    missing = [v for v in back if v not in by_version]
    if missing:
        raise MigrationConflict(f"{missing[0]} is applied, but nobody here knows its way back")
    return [by_version[v] for v in reversed(back)]


async def run_migrations(
    migrations: Sequence[type[Migration]] | None = None,
    *,
    directory: str | Path | None = None,
    target: str | None = None,
    direction: Literal["up", "down"] = "up",
    fake: bool = False,
    dry_run: bool = False,
    lock_timeout: float | None = None,
    using: Any = None,
    progress: Progress | None = None,
) -> list[str]:
    """Applies what is pending, or takes back what is applied.

    Args:
        migrations: classes; without them a folder, the configured one, or all imported subclasses.
        directory: a folder of Python and SQL migrations.
        target: the version to stop at; taking back, it is exclusive: the target stays applied.
        direction: "up", or "down": by default the last one.
        fake: only write the history.
        dry_run: gives a Plan and sends nothing.
        lock_timeout: seconds to wait for another runner, and to try a step again that waits for a lock of others; by default
            as configured, else 60.
        using: alias or Database.
        progress: called with "start" or "done" and the migration.

    Returns:
        The versions that ran, in order.

    Raises:
        MigrationError: a step failed; the message says which, the database is as it was before the migration.
        MigrationLocked: another runner is at work.
        MigrationModified: an applied migration was changed.
        MigrationConflict: the history and the migrations contradict each other.
        IrreversibleMigration: there is no way back.

    >>> async def deploy() -> None:
    ...     for version in await run_migrations(directory="migrations"):
    ...         print("applied", version)
    """
    if direction not in ("up", "down"):
        raise ConfigurationError(f"direction={direction!r} is not 'up' or 'down'")
    config = configuration.read()
    patience = config.lock_timeout if lock_timeout is None else lock_timeout
    found = discover(migrations, directory, config)
    async with _database(using, config) as database:
        status = compare(found, await History(database, config.schema, config.table).read())
        chosen = _chosen(status, found, target, direction)
        if dry_run:
            return await plan.make(chosen, direction)
        _check(status, found, direction)
        if not chosen:
            return []
        async with _connected(database, config) as connection:
            await lock.acquire(connection, config.table, patience)
            history = History(connection, config.schema, config.table)
            await history.create()
            # Again, now that nobody else can change it.
            rows = {r.version: r for r in await history.read()}
            status = compare(found, list(rows.values()))
            _check(status, found, direction)
            ran: list[str] = []
            for m in _chosen(status, found, target, direction):
                if progress is not None:
                    progress("start", m)
                if direction == "up":
                    await _up_patiently(connection, history, m, rows.get(m.version), fake, patience)
                else:
                    await _down(connection, history, m, fake)
                if progress is not None:
                    progress("done", m)
                ran.append(m.version)
            return ran


async def _up_patiently(
    connection: RunnerConnection,
    history: History,
    m: type[Migration],
    before: AppliedMigration | None,
    fake: bool,
    patience: float,
) -> None:
    """Again, when somebody held a lock for too long: what was not committed is undone, what was is passed over."""
    until, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            await _up(connection, history, m, before, fake)
            return
        except MigrationError as e:
            if not isinstance(e.__cause__, (LockNotAvailable, DeadlockDetected)) or time.monotonic() >= until:
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, 5.0)
        before = {r.version: r for r in await history.read()}.get(m.version)


async def _up(
    connection: RunnerConnection, history: History, m: type[Migration], before: AppliedMigration | None, fake: bool
) -> None:
    done = before.steps if before is not None and before.state != "applied" else ()
    if fake:
        await history.begin(m.version, m.title(), checksum(m), "applied", None)
        await history.finish(m.version, [])
        return
    sink = Executing(connection, history, m.version, done, atomic=m.atomic, record=True)
    try:
        await connection.begin()
        await history.begin(m.version, m.title(), checksum(m), "running", None)
        await m(sink).up()
        if not connection.in_transaction:
            await connection.begin()
        await history.finish(m.version, sink.digests)
        await connection.commit()
    except Exception as e:
        await _failed(connection, history, m, sink, e)
        raise MigrationError(_message(m, sink, e)) from e


async def _failed(
    connection: RunnerConnection, history: History, m: type[Migration], sink: Executing, e: BaseException
) -> None:
    try:
        if connection.in_transaction:
            await connection.rollback()
        if sink.is_partial:
            await history.fail(m.version, f"{sink.explain(e)}"[:4000])
    except DataBridgeError:
        pass  # the connection is gone: the first error says more


def _message(m: type[Migration], sink: Executing, e: BaseException) -> str:
    where = f" ({m.source})" if m.source else ""
    text = f"{m.version} {m.title()}{where}: {sink.explain(e)}"
    if sink.digests and sink.is_partial:
        text += f"\n{len(sink.digests)} steps before it are committed; the next run continues behind them."
    return text


async def _down(connection: RunnerConnection, history: History, m: type[Migration], fake: bool) -> None:
    if fake:
        await history.forget(m.version)
        return
    sink = Executing(connection, history, m.version, (), atomic=m.atomic, record=False)
    try:
        await connection.begin()
        await m(sink).down()
        if not connection.in_transaction:
            await connection.begin()
        await history.forget(m.version)
        await connection.commit()
    except MigrationError:
        if connection.in_transaction:
            await connection.rollback()
        raise
    except Exception as e:
        if connection.in_transaction:
            await connection.rollback()
        raise MigrationError(_message(m, sink, e)) from e


async def get_migration_status(
    migrations: Sequence[type[Migration]] | None = None, *, directory: str | Path | None = None, using: Any = None
) -> MigrationStatus:
    """What is applied and what is not: one round trip, no lock.

    >>> async def show() -> None:
    ...     status = await get_migration_status(directory="migrations")
    ...     print(status.current, status.pending)
    """
    config = configuration.read()
    found = discover(migrations, directory, config)
    async with _database(using, config) as database:
        return compare(found, await History(database, config.schema, config.table).read())


async def get_migration_history(*, using: Any = None) -> list[AppliedMigration]:
    """All rows of the history, running and failed ones included, in the order in which they started.

    >>> async def show() -> None:
    ...     for row in await get_migration_history():
    ...         print(row.version, row.state, row.finished_at)
    """
    config = configuration.read()
    async with _database(using, config) as database:
        rows = await History(database, config.schema, config.table).read()
    return sorted(rows, key=lambda r: (r.started_at, key(r.version)))
