"""The commands that need no database: init, new, sql, lint."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from data_bridge.core.errors import MigrationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.command import init as settings
from data_bridge.migrate.command import output
from data_bridge.migrate.command.call import Call
from data_bridge.migrate.lint import lint_migrations
from data_bridge.migrate.runner import plan
from data_bridge.migrate.sources import discover, templates


async def init(call: Call) -> int:
    """Makes the folder of the migrations and writes the settings."""
    call.show_paths(settings.write(call.options.folder, Path.cwd()))
    return 0


async def new(call: Call) -> int:
    """Writes the skeleton of a migration."""
    options = call.options
    directory: Path = options.directory or configuration.read().directory or Path("migrations")
    kind: templates.Kind = "sql" if options.sql else "folder" if options.folder else "python"
    call.show_paths([str(templates.write(directory, options.name, kind))])
    return 0


async def sql(call: Call) -> int:
    """Prints the statements of migrations.

    Raises:
        MigrationError: a version is unknown.
    """
    options = call.options
    call.find_directory()
    found = discover(None, options.directory, configuration.read())
    unknown = set(options.versions) - {m.version for m in found}
    if unknown:
        raise MigrationError(f"there is no migration {min(unknown)}")
    chosen = [m for m in found if not options.versions or m.version in options.versions]
    made = await (plan.make(chosen[::-1], "down") if options.down else plan.make(chosen, "up"))
    call.show_plan(made, sizes=False)
    return 0


async def lint(call: Call) -> int:
    """Prints findings; the exit status is 4 when one of them is an error."""
    options = call.options
    if not options.files:
        call.find_directory()
    report = await lint_migrations(
        directory=options.directory,
        files=options.files,
        models=_models(options.models) if options.models else [],
        qualified=options.qualified,
    )
    is_bad = not report.ok or (options.strict and any(f.severity == "warning" for f in report.findings))
    if call.is_json:
        waived = [{**output.finding_json(f), "reason": reason} for f, reason in report.waived]
        findings = [output.finding_json(f) for f in report.findings]
        call.show_json({"findings": findings, "waived": waived, "phases": report.phases, "ok": not is_bad})
    else:
        output.lint(call.terminal, report, waived=options.waived)
    return 4 if is_bad else 0


def _models(module: str) -> list[Any]:
    """The Table classes of a module."""
    return [v for v in vars(importlib.import_module(module)).values() if hasattr(v, "__table_def__")]
