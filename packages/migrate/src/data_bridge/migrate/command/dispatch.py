"""`data-bridge migrate`: runs the command that was named, and turns errors into exit statuses."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

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
from data_bridge.migrate.command import arguments, database_commands, file_commands, schema_commands
from data_bridge.migrate.command.call import Call
from data_bridge.migrate.diff.instructions import Undecided
from data_bridge.migrate.making.proof import VerificationFailed
from data_bridge.migrate.sources import discover

FILE_COMMANDS: dict[str, Callable[[Call], Awaitable[int]]] = {
    "init": file_commands.init,
    "new": file_commands.new,
    "sql": file_commands.sql,
    "lint": file_commands.lint,
    "make": schema_commands.make,
    "rebase": schema_commands.rebase,
    "verify": schema_commands.verify,
}
DATABASE_COMMANDS: dict[str, Callable[[Call, Database], Awaitable[int]]] = {
    "up": database_commands.up,
    "down": database_commands.down,
    "to": database_commands.to,
    "redo": database_commands.redo,
    "plan": database_commands.plan,
    "baseline": schema_commands.baseline,
    "drift": schema_commands.drift,
    "stamp": database_commands.up,
    "status": database_commands.status,
    "history": database_commands.history,
    "fake": database_commands.fake,
    "resolve": database_commands.resolve,
    "repair": database_commands.repair,
}


def main(argv: Sequence[str]) -> int:
    """Runs `data-bridge migrate` with its arguments.

    Returns:
        The exit status, as `data-bridge migrate --help` lists them.
    """
    call = Call(arguments.build().parse_args(list(argv)))
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # migrations import modules of the project, as they do under pytest and `python -m`
    try:
        return asyncio.run(_run(call))
    except KeyboardInterrupt:
        status, text = 130, "interrupted: what was not committed is undone, the next run continues behind the rest"
    except DataBridgeError as e:
        status, text = _status_of(e), str(e)
    call.terminal.clear()
    if call.is_json:
        call.show_json({"error": text, "status": status})
    else:
        sys.stderr.write(f"data-bridge migrate: {text}\n")
    return status


async def _run(call: Call) -> int:
    command: str = call.options.command
    if command in FILE_COMMANDS:
        return await FILE_COMMANDS[command](call)
    if command != "baseline":  # which writes the first file, perhaps with its folder
        call.find_directory()
        discover(None, call.options.directory, configuration.read())  # what is wrong with the files needs no database
    dsn = call.options.database or configuration.read().database or os.environ.get("DATABASE_URL")
    if dsn is None:
        raise NotInitialized("no database: give --database, set [tool.data-bridge.migrate] database, or $DATABASE_URL")
    async with Database(dsn, max_connections=2) as database:
        return await DATABASE_COMMANDS[command](call, database)


def _status_of(error: DataBridgeError) -> int:
    match error:
        case Undecided():
            return 3
        case VerificationFailed():
            return 8
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
