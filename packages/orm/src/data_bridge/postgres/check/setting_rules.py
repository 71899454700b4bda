"""Settings of a server that hurt."""

from __future__ import annotations

from typing import Literal, NamedTuple

from data_bridge.core import Database
from data_bridge.postgres.check.finding import Finding

__all__ = ["setting_findings"]

_MANUAL = "https://www.postgresql.org/docs/current"
_VALUES = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY($1) ORDER BY name"


class _Bad(NamedTuple):
    value: str
    severity: Literal["error", "warning"]
    reason: str
    page: str


_WAL, _VACUUM = "runtime-config-wal", "runtime-config-vacuum"
_SETTINGS = {
    "fsync": _Bad("off", "error", "a crash of the machine destroys the database", _WAL),
    "full_page_writes": _Bad("off", "error", "a crash may leave pages half written", _WAL),
    "synchronous_commit": _Bad("off", "warning", "a crash loses transactions that were committed", _WAL),
    "autovacuum": _Bad("off", "error", "dead rows and old transaction ids are never removed", _VACUUM),
    "track_counts": _Bad("off", "error", "autovacuum does not know what to do", "runtime-config-statistics"),
    "zero_damaged_pages": _Bad("on", "error", "damaged pages lose their rows", "runtime-config-developer"),
    "ignore_checksum_failure": _Bad("on", "error", "damaged pages are read as whole ones", "runtime-config-developer"),
}


async def setting_findings(database: Database) -> list[Finding]:
    """The settings whose value is the one that hurts."""
    found: list[Finding] = []
    for name, value in await database.fetch(_VALUES, list(_SETTINGS), as_=tuple):
        bad = _SETTINGS[name]
        if value == bad.value:
            link = f"{_MANUAL}/{bad.page}.html#GUC-{name.upper().replace('_', '-')}"
            found.append(Finding("setting", bad.severity, f"{name} = {value}", bad.reason, link))
    return found
