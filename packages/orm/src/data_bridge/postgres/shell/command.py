"""The command `data-bridge shell`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from data_bridge.core import DataBridgeError
from data_bridge.migrate import load_project
from data_bridge.postgres.shell.loop import Loop
from data_bridge.postgres.shell.session import Session

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-bridge shell",
        description="Python with the classes of the models, an open database, and `await` at the prompt: IPython if it is "
        "installed, else a console like that of `python -m asyncio`.",
        epilog="[tool.data-bridge.migrate] in pyproject.toml may hold models and database. Exit status: 0 at the end of the "
        "shell, 2 for wrong arguments, models that cannot be imported, or a database that cannot be reached.",
    )
    parser.add_argument(
        "dsn", nargs="?", help="connection string (default: the settings, then $DATABASE_URL, then the PG* variables)"
    )
    parser.add_argument(
        "--models",
        action="append",
        default=[],
        metavar="MODULE",
        help="module or package whose classes are imported, instead of those of the settings; repeatable",
    )
    parser.add_argument("--echo", action="store_true", help="print every statement; echo() switches it")
    parser.add_argument("--plain", action="store_true", help="the console of Python, also where IPython is installed")
    return parser


def main(argv: Sequence[str]) -> int:
    """Opens a Python shell with the classes of a project and its database."""
    given = _parser().parse_args(list(argv))
    loop = Loop()
    try:
        if "" not in sys.path:  # as for `python -m`
            sys.path.insert(0, "")
        project = load_project(given.models)
        session = loop.run(Session.open(given.dsn or project.database, project.modules))
    except DataBridgeError as e:
        loop.close()
        sys.stderr.write(f"data-bridge shell: {e}\n")
        return 2
    try:
        if given.echo:
            session.echo(True)
        if find_spec("IPython") is not None and not given.plain:
            # For start-up time, and because it may be missing.
            from data_bridge.postgres.shell.ipython_console import interact
        else:
            from data_bridge.postgres.shell.plain_console import interact
        interact(session.names, session.banner, loop)
    finally:
        loop.run(session.close())
        loop.close()
    return 0
