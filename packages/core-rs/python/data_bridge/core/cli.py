"""The command `data-bridge`. Other packages add subcommands by the entry point group `data_bridge.commands`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

_PACKAGES = ("core", "query", "orm", "migrate", "testing")


def versions() -> list[str]:
    """A line for each package of data-bridge that is installed."""
    lines: list[str] = []
    for name in _PACKAGES:
        try:
            lines.append(f"data-bridge-{name} {version(f'data-bridge-{name}')}")
        except PackageNotFoundError:
            continue
    return lines


def commands() -> dict[str, EntryPoint]:
    """The subcommands that installed packages bring. Each is a function of its arguments that returns the exit status."""
    return {found.name: found for found in sorted(entry_points(group="data_bridge.commands"), key=lambda e: e.name)}


def _help(known: dict[str, EntryPoint]) -> str:
    lines = [
        "usage: data-bridge [-h | --version] COMMAND ...",
        "",
        "Tools for PostgreSQL applications written with data-bridge.",
        "",
    ]
    lines.append("commands:")
    lines += [f"  {name:<12}{_summary(found)}" for name, found in known.items()]
    lines += ["", "`data-bridge COMMAND --help` explains a command."]
    return "\n".join(lines)


def _summary(found: EntryPoint) -> str:
    return (found.load().__doc__ or "").strip().partition("\n")[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status: 2 for a command that does not exist."""
    words = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_help(known) + "\n")
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write("\n".join(versions()) + "\n")
        return 0
    if words[0] not in known:
        sys.stderr.write(f"data-bridge: there is no command {words[0]!r}\n\n{_help(known)}\n")
        return 2
    run: Callable[[list[str]], int] = known[words[0]].load()
    return run(words[1:])


if __name__ == "__main__":
    sys.exit(main())
