"""`data-bridge migrate`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from data_bridge.core import Database
from data_bridge.core.errors import (
    ConfigurationError,
    DataBridgeError,
    MigrationConflict,
    MigrationError,
    MigrationLocked,
    MigrationModified,
    NotInitialized,
)
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.command import arguments as parser
from data_bridge.migrate.command import init as config_writer
from data_bridge.migrate.command import output as showing
from data_bridge.migrate.command.terminal import Terminal
from data_bridge.migrate.history.fake import fake_migrations
from data_bridge.migrate.history.repair import repair_history
from data_bridge.migrate.history.resolve import resolve_migration
from data_bridge.migrate.lint.linter import lint_migrations
from data_bridge.migrate.runner import plan
from data_bridge.migrate.runner.api import get_migration_history, get_migration_status, run_migrations
from data_bridge.migrate.runner.plan import Plan
from data_bridge.migrate.sources import templates as skeleton
from data_bridge.migrate.sources.discovery import discover
from data_bridge.migrate.sources.migration import Migration

Direction = Literal["up", "down"]


class Command:
    """One call of the command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.a = arguments
        self.terminal = Terminal()

    # ------------------------------------------------------------------------------------------------- without a database
    def init(self) -> int:
        """Makes the folder and the settings."""
        made = config_writer.write(self.a.folder, Path.cwd())
        return self._paths(made)

    def new(self) -> int:
        """Writes a skeleton."""
        directory: Path = self.a.directory or configuration.read().directory or Path("migrations")
        kind: skeleton.Kind = "sql" if self.a.sql else "folder" if self.a.folder else "python"
        return self._paths([str(skeleton.write(directory, self.a.name, kind))])

    def _paths(self, made: list[str]) -> int:
        if self.a.json:
            showing.as_json(self.terminal, {"paths": made})
        else:
            for path in made or ["nothing to do"]:
                self.terminal.say(path)
        return 0

    def _folder(self) -> None:
        """The folder, when neither an option nor the settings name it."""
        if self.a.directory is None and configuration.read().directory is None:
            self.a.directory = Path("migrations")
            if not self.a.directory.is_dir():
                raise ConfigurationError(
                    "there is no folder migrations: `data-bridge migrate init` makes one, --directory names another"
                )

    async def sql(self) -> int:
        """Prints SQL."""
        self._folder()
        found = discover(None, self.a.directory, configuration.read())
        unknown = set(self.a.versions) - {m.version for m in found}
        if unknown:
            raise MigrationError(f"there is no migration {min(unknown)}")
        chosen = [m for m in found if not self.a.versions or m.version in self.a.versions]
        direction: Direction = "down" if self.a.down else "up"
        return self._plan(await plan.make(chosen[::-1] if self.a.down else chosen, direction), sizes=False)

    async def lint(self) -> int:
        """Lints."""
        models: list[Any] = []
        if not self.a.files:
            self._folder()
        if self.a.models:
            sys.path.insert(0, str(Path.cwd()))
            module = importlib.import_module(self.a.models)
            models = [v for v in vars(module).values() if hasattr(v, "__table_def__")]
        report = await lint_migrations(
            directory=self.a.directory, files=self.a.files, models=models, qualified=self.a.qualified
        )
        bad = not report.ok or (self.a.strict and any(f.severity == "warning" for f in report.findings))
        if self.a.json:
            waived = [{**showing.finding_json(f), "reason": reason} for f, reason in report.waived]
            findings = [showing.finding_json(f) for f in report.findings]
            showing.as_json(self.terminal, {"findings": findings, "waived": waived, "ok": not bad})
        else:
            showing.lint(self.terminal, report, waived=self.a.waived)
        return 4 if bad else 0

    # ---------------------------------------------------------------------------------------------------- with a database
    async def run(self) -> int:
        """Opens the database and does it."""
        self._folder()
        discover(None, self.a.directory, configuration.read())  # what is wrong with the files needs no database
        dsn = self.a.database or configuration.read().database or os.environ.get("DATABASE_URL")
        if dsn is None:
            raise NotInitialized(
                "no database: give --database, set [tool.data-bridge.migrate] database, or $DATABASE_URL"
            )
        async with Database(dsn, max_connections=2) as database:
            result: int = await getattr(self, f"on_{self.a.command}", self.on_migrate)(database)
            return result

    async def on_status(self, database: Database) -> int:
        """status"""
        found = await get_migration_status(directory=self.a.directory, using=database)
        if self.a.json:
            showing.as_json(self.terminal, asdict(found))
        else:
            showing.status(self.terminal, found)
        if found.unknown or found.modified:
            return 6
        if found.failed:
            return 7
        return 3 if self.a.check and found.pending else 0

    async def on_history(self, database: Database) -> int:
        """history"""
        rows = await get_migration_history(using=database)
        if self.a.json:
            showing.as_json(self.terminal, [asdict(r) for r in rows])
        else:
            showing.history(self.terminal, rows)
        return 0

    async def on_repair(self, database: Database) -> int:
        """repair"""
        changed = await repair_history(
            directory=self.a.directory, forget=self.a.forget, lock_timeout=self.a.lock_timeout, using=database
        )
        return self._done(changed, "repaired")

    async def on_resolve(self, database: Database) -> int:
        """resolve"""
        await resolve_migration(
            self.a.version, applied=self.a.applied, directory=self.a.directory, lock_timeout=self.a.lock_timeout,
            using=database,
        )  # fmt: skip
        return self._done([self.a.version], "applied" if self.a.applied else "pending")

    async def on_fake(self, database: Database) -> int:
        """fake"""
        changed = await fake_migrations(
            self.a.versions, direction="down" if self.a.down else "up", directory=self.a.directory,
            lock_timeout=self.a.lock_timeout, using=database,
        )  # fmt: skip
        return self._done(changed, "not applied" if self.a.down else "applied")

    async def on_redo(self, database: Database) -> int:
        """redo"""
        back = await self._migrate(database, "down", None)
        return self._done(await self._migrate(database, "up", back[0]) if back else [])

    async def on_plan(self, database: Database) -> int:
        """plan"""
        direction: Direction = "down" if self.a.down else "up"
        return self._plan(await self._migrate(database, direction, self.a.target), sizes=True)

    async def on_migrate(self, database: Database) -> int:
        """up, down, to, stamp"""
        direction: Direction = "down" if self.a.command == "down" else "up"
        if self.a.command == "to":
            found = await get_migration_status(directory=self.a.directory, using=database)
            applied = [r.version for r in found.applied]
            direction = "down" if self.a.target in ("0", "zero", *applied) else "up"
        ran = await self._migrate(database, direction, self.a.target)
        return self._plan(ran, sizes=True) if isinstance(ran, Plan) else self._done(ran)

    async def _migrate(self, database: Database, direction: Direction, target: str | None) -> list[str]:
        def progress(what: str, m: type[Migration]) -> None:
            if not self.a.json:
                done = "taken back" if direction == "down" else "applied"
                self.terminal.say(
                    f"{m.version} {m.title()} …"
                    if what == "start"
                    else f"{m.version} {self.terminal.paint(done, 'green')}"
                )

        return await run_migrations(
            directory=self.a.directory, target=target, direction=direction,
            fake=self.a.command == "stamp" or getattr(self.a, "fake", False),
            dry_run=self.a.command == "plan" or getattr(self.a, "dry_run", False),
            lock_timeout=getattr(self.a, "lock_timeout", None), using=database, progress=progress,
            watch=None if self.a.json else self.terminal.watch,
        )  # fmt: skip

    def _done(self, versions: list[str], what: str = "") -> int:
        if self.a.json:
            showing.as_json(self.terminal, {"versions": versions})
        elif not versions:
            self.terminal.say("nothing to do")
        elif what:
            self.terminal.say(f"{what}: {', '.join(versions)}")
        return 0

    def _plan(self, made: Any, *, sizes: bool) -> int:
        if self.a.json:
            showing.as_json(self.terminal, showing.plan_json(made))
        else:
            showing.plan(self.terminal, made, sizes=sizes)
        return 0


def _status_of(error: DataBridgeError) -> int:
    match error:
        case MigrationLocked():
            return 5
        case MigrationModified() | MigrationConflict():
            return 6
        case ConfigurationError() | NotInitialized():
            return 2
        case MigrationError() if getattr(error, "is_partial", False):
            return 7
        case _:
            return 1


def main(argv: Sequence[str]) -> int:
    """Applies migrations, takes them back, and says what they would do to a database."""
    command = Command(parser.build().parse_args(list(argv)))
    try:
        if command.a.command in ("init", "new"):
            made: int = getattr(command, command.a.command)()
            return made
        work = getattr(command, command.a.command) if command.a.command in ("sql", "lint") else command.run
        result: int = asyncio.run(work())
        return result
    except KeyboardInterrupt:
        status, text = 130, "interrupted: what was not committed is undone, the next run continues behind the rest"
    except DataBridgeError as e:
        status, text = _status_of(e), str(e)
    command.terminal.clear()
    if command.a.json:
        showing.as_json(command.terminal, {"error": text, "status": status})
    else:
        sys.stderr.write(f"data-bridge migrate: {text}\n")
    return status
