"""The commands that work on a database: up, down, to, redo, plan, stamp, status, history, fake, resolve, repair."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from data_bridge.core import Database
from data_bridge.migrate.command import output
from data_bridge.migrate.command.call import Call
from data_bridge.migrate.history import fake_migrations, repair_history, resolve_migration
from data_bridge.migrate.runner import Plan, get_migration_history, get_migration_status, run_migrations
from data_bridge.migrate.sources import Migration

Direction = Literal["up", "down"]


async def status(call: Call, database: Database) -> int:
    """Prints what is applied and what is not; the exit status tells disagreement, failures and (--check) what is pending."""
    found = await get_migration_status(directory=call.options.directory, using=database)
    if call.is_json:
        call.show_json(asdict(found))
    else:
        output.status(call.terminal, found)
    if found.unknown or found.modified:
        return 6
    if found.failed:
        return 7
    return 3 if call.options.check and found.pending else 0


async def history(call: Call, database: Database) -> int:
    """Prints every row of the history table."""
    rows = await get_migration_history(using=database)
    if call.is_json:
        call.show_json([asdict(r) for r in rows])
    else:
        output.history(call.terminal, rows)
    return 0


async def repair(call: Call, database: Database) -> int:
    """Accepts the checksums of changed files, and forgets versions."""
    options = call.options
    changed = await repair_history(
        directory=options.directory, forget=options.forget, lock_timeout=options.lock_timeout, using=database
    )
    call.show_versions(changed, "repaired")
    return 0


async def resolve(call: Call, database: Database) -> int:
    """Records that a migration which stopped half-way is applied, or pending."""
    options = call.options
    await resolve_migration(
        options.version,
        applied=options.applied,
        directory=options.directory,
        lock_timeout=options.lock_timeout,
        using=database,
    )
    call.show_versions([options.version], "applied" if options.applied else "pending")
    return 0


async def fake(call: Call, database: Database) -> int:
    """Records single versions as applied, or as not applied."""
    options = call.options
    changed = await fake_migrations(
        options.versions,
        direction="down" if options.down else "up",
        directory=options.directory,
        lock_timeout=options.lock_timeout,
        using=database,
    )
    call.show_versions(changed, "not applied" if options.down else "applied")
    return 0


async def up(call: Call, database: Database) -> int:
    """Applies what is pending, or shows it (--dry-run)."""
    return _shown(call, await _migrate(call, database, "up", call.options.target))


async def down(call: Call, database: Database) -> int:
    """Takes back the last migration, or all behind the target."""
    return _shown(call, await _migrate(call, database, "down", call.options.target))


async def to(call: Call, database: Database) -> int:
    """Applies or takes back until the target is the last applied version."""
    target = call.options.target
    found = await get_migration_status(directory=call.options.directory, using=database)
    is_back = target in ("0", "zero", *(row.version for row in found.applied))
    return _shown(call, await _migrate(call, database, "down" if is_back else "up", target))


async def redo(call: Call, database: Database) -> int:
    """Takes the last migration back and applies it again."""
    back = await _migrate(call, database, "down", None)
    call.show_versions(await _migrate(call, database, "up", back[0]) if back else [])
    return 0


async def plan(call: Call, database: Database) -> int:
    """Prints what would run, with locks and sizes."""
    direction: Direction = "down" if call.options.down else "up"
    return _shown(call, await _migrate(call, database, direction, call.options.target))


def _shown(call: Call, ran: list[str]) -> int:
    if isinstance(ran, Plan):
        call.show_plan(ran, sizes=True)
    else:
        call.show_versions(ran)
    return 0


async def _migrate(call: Call, database: Database, direction: Direction, target: str | None) -> list[str]:
    """run_migrations() with the options of the call: a Plan for a dry run."""
    options, terminal = call.options, call.terminal
    done = "taken back" if direction == "down" else "applied"

    def progress(what: str, m: type[Migration]) -> None:
        terminal.say(
            f"{m.version} {m.title()} …" if what == "start" else f"{m.version} {terminal.paint(done, 'green')}"
        )

    return await run_migrations(
        directory=options.directory,
        target=target,
        direction=direction,
        fake=options.command == "stamp" or getattr(options, "fake", False),
        dry_run=options.command == "plan" or getattr(options, "dry_run", False),
        lock_timeout=getattr(options, "lock_timeout", None),
        using=database,
        progress=None if call.is_json else progress,
        watch=None if call.is_json else terminal.watch,
    )
