"""The command `data-bridge doctor`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from data_bridge.core.doctor.examination import examine

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-bridge doctor",
        description="Tells why a connection fails: one line for each step from the connection string to the session.",
        epilog="Exit status: 0 if the connection works, 1 if a step fails, 2 for wrong arguments. Passwords are never shown.",
    )
    parser.add_argument("dsn", nargs="?", help="connection string (default: $DATABASE_URL, then the PG* variables)")
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for each step on the network (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Tells why a connection fails, step by step."""
    parser = _parser()
    given = parser.parse_args(list(argv))
    if not given.timeout > 0:
        parser.error("--timeout is a positive number of seconds")
    steps = asyncio.run(examine(given.dsn, given.timeout))
    ok = all(step.status != "failed" for step in steps)
    if given.json:
        text = json.dumps({"ok": ok, "steps": [asdict(step) for step in steps]}, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(step.line() for step in steps)
    sys.stdout.write(text + "\n")
    return 0 if ok else 1
