"""`data-bridge server start|stop|status|psql|run`: an embedded server from the shell."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from data_bridge.testing.errors import ConfigurationError, ServerError
from data_bridge.testing.server import EmbeddedServer
from data_bridge.testing.server.kept_folder import KeptFolder

__all__ = ["main"]

URL_VARIABLE = "DATA_BRIDGE_TEST_URL"
DEFAULT_FOLDER = ".data-bridge/postgres"


def main(arguments: Sequence[str] | None = None) -> int:
    """Starts, stops and shows an embedded PostgreSQL server.

    Returns the exit status: 0 done, 1 not running, 2 failed.
    """
    parser = argparse.ArgumentParser(prog="data-bridge server", description="A PostgreSQL server kept in a folder.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="start|stop|status|psql|run")
    for name, text in (
        ("start", "start the server (or find it running) and print its URL"),
        ("stop", "stop it, even while it is used"),
        ("status", "say whether it runs"),
        ("psql", "open psql on it; further arguments go to psql"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--data", metavar="FOLDER", default=DEFAULT_FOLDER, help="default: %(default)s")
        if name == "start":
            command.add_argument("--provider", help="a wheel's name, `local`, or a folder with postgres and initdb")
    text = f"run a command with ${URL_VARIABLE} naming a temporary server that ends with it"
    command = commands.add_parser("run", help=text, description=text)
    command.add_argument("--provider", help="a wheel's name, `local`, or a folder with postgres and initdb")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "psql":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        if options.command == "run":
            return _run(options.words[1:] if options.words[:1] == ["--"] else options.words, options.provider)
        folder = Path(options.data)
        if options.command == "start":
            return _start(folder, options.provider)
        if options.command == "stop":
            return _stop(folder)
        if options.command == "status":
            return _status(folder)
        return _psql(folder, rest)
    except (ConfigurationError, ServerError) as error:
        print(f"data-bridge server: {error}", file=sys.stderr)
        return 2


def _run(command: Sequence[str], provider: str | None) -> int:
    if not command:
        raise ConfigurationError("there is no command to run", hint="data-bridge server run -- pytest")
    with EmbeddedServer(provider=provider) as server:
        try:
            return subprocess.run(command, env={**os.environ, URL_VARIABLE: server.dsn}, check=False).returncode
        except OSError as error:
            raise ConfigurationError(f"{command[0]!r} cannot be run: {error.strerror}") from None


def _start(folder: Path, provider: str | None) -> int:
    with EmbeddedServer(folder, provider=provider) as server:
        server.hold()
        print(server.dsn)
    return 0


def _joined(folder: Path) -> EmbeddedServer | None:
    """The running server of a folder; never starts one and never makes a folder."""
    if not (folder / "lock").exists():
        return None
    with KeptFolder(folder.absolute()) as kept:
        found = kept.join()
    if found is None:
        return None
    found[0].leave()
    return EmbeddedServer(folder).start()


def _stop(folder: Path) -> int:
    server = _joined(folder)
    if server is None:
        print(f"no server runs in {folder}")
        return 1
    server.shutdown()
    print(f"stopped the server in {folder}")
    return 0


def _status(folder: Path) -> int:
    server = _joined(folder)
    if server is None:
        print(f"no server runs in {folder}")
        return 1
    with server:
        print(f"PostgreSQL {server.version} ({server.supplier}) runs in {folder}, process {server.pid}")
        print(server.dsn)
    return 0


def _psql(folder: Path, arguments: Sequence[str]) -> int:
    server = _joined(folder)
    if server is None:
        print(f"no server runs in {folder}; start it with `data-bridge server start --data {folder}`")
        return 1
    with server:
        program = server.bin / "psql"
        found = str(program) if program.exists() else shutil.which("psql")
        if found is None:
            raise ConfigurationError("there is no psql beside the server and none on PATH")
        return subprocess.run([found, server.dsn, *arguments], env=os.environ, check=False).returncode
