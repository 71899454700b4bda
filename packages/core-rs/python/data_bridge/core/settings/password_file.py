"""Passwords and services from the files of libpq (PostgreSQL manual, "The Password File", "The Connection Service File")."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from data_bridge.core.errors import ConfigurationError

__all__ = ["password_for", "service"]


def _home(environment: Mapping[str, str]) -> Path | None:
    given = environment.get("HOME")
    if given:
        return Path(given)
    try:
        return Path.home()
    except RuntimeError:  # no home folder, as in many containers
        return None


def password_for(
    host: str, port: int, database: str, user: str, path: str | None, environment: Mapping[str, str]
) -> str | None:
    """The password of the first line that fits; None without a file, or when others may read it (as libpq has it)."""
    home = _home(environment)
    file = Path(path) if path else home / ".pgpass" if home else None
    if file is None:
        return None
    try:
        if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return None
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    wanted = ("localhost" if host.startswith("/") else host, str(port), database, user)
    for line in lines:
        fields = _fields(line)
        if len(fields) == 5 and all(f in ("*", w) for f, w in zip(fields[:4], wanted, strict=True)):
            return fields[4]
    return None


def _fields(line: str) -> list[str]:
    if line.startswith("#"):
        return []
    fields = [""]
    escaped = False
    for c in line:
        if escaped:
            fields[-1] += c
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == ":" and len(fields) < 5:
            fields.append("")
        else:
            fields[-1] += c
    return fields


def service(name: str, path: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a service.

    Raises:
        ConfigurationError: no file defines it.
    """
    home = _home(environment)
    places = [Path(path)] if path else [home / ".pg_service.conf"] if home else []
    if folder := environment.get("PGSYSCONFDIR"):
        places.append(Path(folder) / "pg_service.conf")
    for place in places:
        try:
            lines = place.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        inside = False
        found: dict[str, str] = {}
        for line in map(str.strip, lines):
            if line.startswith("["):
                if inside:
                    return found
                inside = line == f"[{name}]"
            elif inside and line and not line.startswith("#"):
                key, equals, value = line.partition("=")
                if not equals:
                    raise ConfigurationError(f"{place}: a line of service {name!r} is not name=value")
                found[key.strip()] = value.strip()
        if inside:
            return found
    shown = ", ".join(map(str, places)) or "no file: there is no home folder"
    raise ConfigurationError(f"the service {name!r} is not defined ({shown})")
