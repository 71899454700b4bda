"""`data-bridge migrate`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from data_bridge.core import Database
from data_bridge.core.errors import (
    ConfigurationError,
    ConnectError,
    DataBridgeError,
    MigrationConflict,
    MigrationError,
    MigrationLocked,
    MigrationModified,
    NotInitialized,
)
from data_bridge.migrate import config as configuration
from data_bridge.migrate import plan
from data_bridge.migrate.discover import discover
from data_bridge.migrate.migration import Migration
from data_bridge.migrate.plan import Plan
from data_bridge.migrate.repair import repair_history
from data_bridge.migrate.runner import get_migration_history, get_migration_status, run_migrations

Direction = Literal["up", "down"]

_TEMPLATE = '''"""{title}."""

from data_bridge.migrate import Migration


class {name}(Migration):
    version = "{version}"

    async def up(self) -> None:
        await self.execute("select 1")
'''


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-bridge migrate",
        description="Applies migrations to a database, takes them back, and says where it stands.",
        epilog="Settings are read from [tool.data-bridge.migrate] in pyproject.toml; the database from --database, "
        "there, or $DATABASE_URL. Exit status: 0 done, 1 error, 2 usage, 3 pending migrations (status --check), "
        "5 another runner is at work, 6 history and files disagree.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--directory", "-d", type=Path, help="folder of the migrations")
    common.add_argument("--database", help="DSN of the database")
    common.add_argument("--json", action="store_true", help="machine-readable output")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[common], help="apply what is pending")
    up.add_argument("target", nargs="?", help="stop at this version")
    down = commands.add_parser("down", parents=[common], help="take back the last migration, or all behind a version")
    down.add_argument("target", nargs="?", help="the version that stays applied; 0 takes back all")
    to = commands.add_parser("to", parents=[common], help="go to a version, forwards or backwards")
    to.add_argument("target", help="the version that is the last applied one afterwards; 0 is none")
    redo = commands.add_parser("redo", parents=[common], help="take the last migration back and apply it again")
    redo.set_defaults(target=None)
    stamp = commands.add_parser(
        "stamp", parents=[common], help="only write the history: everything up to a version is applied"
    )
    stamp.add_argument("target", nargs="?", help="stop at this version")
    repair = commands.add_parser("repair", parents=[common], help="accept migrations that were changed after they ran")
    repair.add_argument(
        "--forget", action="append", default=[], metavar="VERSION", help="delete this version from the history, too"
    )
    for each in (to, redo, stamp, repair):
        each.add_argument("--lock-timeout", type=float, metavar="SECONDS", help="how long to wait for another runner")
    for each in (up, down):
        each.add_argument("--lock-timeout", type=float, metavar="SECONDS", help="how long to wait for another runner")
        each.add_argument("--fake", action="store_true", help="only write the history")
        each.add_argument("--dry-run", action="store_true", help="show the SQL and send nothing")
    status = commands.add_parser("status", parents=[common], help="show what is applied and what is not")
    status.add_argument("--check", action="store_true", help="exit with status 3 when something is pending")
    plan = commands.add_parser("plan", parents=[common], help="show the SQL of pending migrations, with locks")
    plan.add_argument("target", nargs="?", help="stop at this version")
    commands.add_parser("history", parents=[common], help="show what ran, when, and what failed")
    sql = commands.add_parser("sql", parents=[common], help="print the SQL of migrations; needs no database")
    sql.add_argument("versions", nargs="*", metavar="VERSION", help="of these; by default of all")
    sql.add_argument("--down", action="store_true", help="the way back, last migration first")
    new = commands.add_parser("new", parents=[common], help="write the skeleton of a migration")
    new.add_argument("name", help="what it does, such as create_users")
    new.add_argument("--sql", action="store_true", help="an SQL file instead of a Python one")
    return parser


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def _default(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _database(arguments: argparse.Namespace) -> Database:
    dsn = arguments.database or configuration.read().database or os.environ.get("DATABASE_URL")
    if dsn is None:
        raise NotInitialized("no database: give --database, set [tool.data-bridge.migrate] database, or $DATABASE_URL")
    return Database(dsn, max_connections=2)


async def _run(arguments: argparse.Namespace) -> int:
    directory: Path | None = arguments.directory
    discover(None, directory, configuration.read())  # what is wrong with the files needs no database
    async with _database(arguments) as database:
        command: str = arguments.command
        if command == "status":
            return await _status(arguments, directory, database)
        if command == "history":
            return await _history(arguments, database)
        if command == "repair":
            changed = await repair_history(
                directory=directory, forget=arguments.forget, lock_timeout=arguments.lock_timeout, using=database
            )
            return _done(arguments, changed)
        if command == "redo":
            back = await _migrate(arguments, database, "down", None)
            return _done(arguments, await _migrate(arguments, database, "up", back[0]) if back else [])
        direction: Direction = "down" if command == "down" else "up"
        if command == "to":
            status = await get_migration_status(directory=directory, using=database)
            applied = [r.version for r in status.applied]
            direction = "down" if arguments.target in ("0", "zero", *applied) else "up"
        ran = await _migrate(arguments, database, direction, arguments.target)
        if isinstance(ran, Plan):
            return _show_plan(arguments, ran)
        return _done(arguments, ran)


async def _migrate(
    arguments: argparse.Namespace, database: Database, direction: Direction, target: str | None
) -> list[str]:
    def progress(what: str, m: type[Migration]) -> None:
        if arguments.json:
            return
        done = "taken back" if direction == "down" else "applied"
        _say(f"{m.version} {m.title()} …" if what == "start" else f"{m.version} {done}")

    return await run_migrations(
        directory=arguments.directory, target=target, direction=direction,
        fake=arguments.command == "stamp" or getattr(arguments, "fake", False),
        dry_run=arguments.command == "plan" or getattr(arguments, "dry_run", False),
        lock_timeout=getattr(arguments, "lock_timeout", None), using=database, progress=progress,
    )  # fmt: skip


def _done(arguments: argparse.Namespace, versions: list[str]) -> int:
    if arguments.json:
        _say(json.dumps({"versions": versions}))
    elif not versions:
        _say("nothing to do")
    elif arguments.command == "repair":
        _say(f"repaired: {', '.join(versions)}")
    return 0


async def _history(arguments: argparse.Namespace, database: Database) -> int:
    rows = await get_migration_history(using=database)
    if arguments.json:
        _say(json.dumps([asdict(r) for r in rows], default=_default))
        return 0
    if not rows:
        _say("nothing ran")
    for r in rows:
        at = r.finished_at or r.started_at
        _say(
            f"{r.version}  {r.state:<8}{at:%Y-%m-%d %H:%M:%S%z}  {r.name}"
            + (f"  {r.error.splitlines()[0]}" if r.error else "")
        )
    return 0


async def _sql(arguments: argparse.Namespace) -> int:
    found = discover(None, arguments.directory, configuration.read())
    by_version = {m.version: m for m in found}
    unknown = [v for v in arguments.versions if v not in by_version]
    if unknown:
        raise MigrationError(f"there is no migration {unknown[0]}")
    chosen = [m for m in found if not arguments.versions or m.version in arguments.versions]
    direction: Direction = "down" if arguments.down else "up"
    return _show_plan(arguments, await plan.make(chosen[::-1] if arguments.down else chosen, direction))


def _show_plan(arguments: argparse.Namespace, made: Plan) -> int:
    if arguments.json:
        _say(
            json.dumps(
                {"versions": list(made), "steps": [asdict(s) for s in made.steps], "open": made.open}, default=_default
            )
        )
        return 0
    if not made:
        _say("nothing to do")
    last = None
    for s in made.steps:
        if s.version != last:
            _say(f"-- {s.version}")
            last = s.version
        marks = [m for m in (s.lock and f"locks {s.lock}", None if s.transactional else "outside a transaction") if m]
        _say(f"{s.sql.rstrip().rstrip(';')};" + (f"  -- {', '.join(marks)}" if marks else ""))
    for v in made.open:
        _say(f"-- {v} asks the database: its further steps are known only when it runs")
    return 0


async def _status(arguments: argparse.Namespace, directory: Path | None, database: Database) -> int:
    status = await get_migration_status(directory=directory, using=database)
    if arguments.json:
        _say(json.dumps(asdict(status), default=_default))
    else:
        _say(f"current: {status.current or '-'}")
        for title, versions in (
            ("pending", status.pending),
            ("failed", status.failed),
            ("unknown", status.unknown),
            ("modified", status.modified),
        ):
            if versions:
                _say(f"{title}: {', '.join(versions)}")
        if not status.pending:
            _say("nothing is pending")
    if status.unknown or status.modified:
        return 6
    return 3 if arguments.check and status.pending else 0


def _new(arguments: argparse.Namespace) -> int:
    directory: Path = arguments.directory or configuration.read().directory or Path("migrations")
    directory.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC)
    while any(directory.glob(f"{at:%Y%m%d%H%M%S}*")):  # two within one second
        at += timedelta(seconds=1)
    version = f"{at:%Y%m%d%H%M%S}"
    slug = "_".join(arguments.name.lower().split())
    if arguments.sql:
        path = directory / f"{version}_{slug}.sql"
        path.write_text("-- up\n\n\n-- down\n\n", encoding="utf-8")
    else:
        path = directory / f"{version}_{slug}.py"
        name = "".join(p.capitalize() for p in slug.split("_"))
        path.write_text(_TEMPLATE.format(title=arguments.name, name=name, version=version), encoding="utf-8")
    _say(str(path))
    return 0


def main(argv: Sequence[str]) -> int:
    """Applies migrations, takes them back, and says where a database stands."""
    arguments = _parser().parse_args(list(argv))
    if arguments.command == "new":
        return _new(arguments)
    try:
        return asyncio.run(_sql(arguments) if arguments.command == "sql" else _run(arguments))
    except MigrationLocked as e:
        status, text = 5, str(e)
    except (MigrationModified, MigrationConflict) as e:
        status, text = 6, str(e)
    except (ConfigurationError, NotInitialized) as e:
        status, text = 2, str(e)
    except (ConnectError, DataBridgeError) as e:
        status, text = 1, str(e)
    if arguments.json:
        _say(json.dumps({"error": text, "status": status}))
    else:
        sys.stderr.write(f"data-bridge migrate: {text}\n")
    return status
