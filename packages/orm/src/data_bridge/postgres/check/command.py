"""The command `data-bridge check`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from types import ModuleType

from data_bridge.core import ConfigurationError, Database, DataBridgeError
from data_bridge.postgres.check.catalog_rules import catalog_findings
from data_bridge.postgres.check.finding import Finding
from data_bridge.postgres.check.model_rules import model_findings
from data_bridge.postgres.check.setting_rules import setting_findings

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-bridge check",
        description="Looks for what is wrong or will go wrong with a database, and for classes and queries that do not fit it.",
        epilog="Exit status: 0 without findings, 1 with findings, 2 for wrong arguments or a database that cannot be reached.",
    )
    parser.add_argument("dsn", nargs="?", help="connection string (default: $DATABASE_URL, then the PG* variables)")
    parser.add_argument(
        "--models",
        action="append",
        default=[],
        metavar="MODULE",
        help="module whose classes and queries are checked, too",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Looks for what is wrong with a database, and for classes that do not fit it."""
    given = _parser().parse_args(list(argv))
    try:
        modules = [_module(name) for name in given.models]
        findings = asyncio.run(_check(given.dsn, modules))
    except DataBridgeError as e:
        sys.stderr.write(f"data-bridge check: {e}\n")
        return 2
    if given.json:
        found = {"ok": not findings, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{finding.line()}\n" for finding in findings) or "no findings\n")
    return 1 if findings else 0


def _module(name: str) -> ModuleType:
    if "" not in sys.path:  # as for `python -m`
        sys.path.insert(0, "")
    try:
        return import_module(name)
    except ModuleNotFoundError as e:
        raise ConfigurationError(f"--models: there is no module {e.name!r}") from None


async def _check(dsn: str | None, modules: Sequence[ModuleType]) -> list[Finding]:
    async with Database(dsn, max_connections=2, application_name="data-bridge check") as database:
        return [
            *await setting_findings(database),
            *await catalog_findings(database),
            *await model_findings(database, modules),
        ]
