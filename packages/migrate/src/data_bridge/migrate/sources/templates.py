"""Files that `data-bridge migrate new` writes."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

Kind = Literal["python", "sql", "folder"]
_PYTHON = '''"""{title}."""

from data_bridge.migrate import Migration


class {name}(Migration):
    version = "{version}"

    async def up(self) -> None:
        await self.execute("select 1")
'''


def version_behind(directory: Path, last: str = "") -> str:
    """The moment as a version that nothing in the folder has, and that sorts behind the last one."""
    at = datetime.now(UTC)
    if re.fullmatch(r"\d{14}", last):
        with suppress(ValueError):  # fourteen digits that are no moment
            at = max(at, datetime.strptime(last, "%Y%m%d%H%M%S").replace(tzinfo=UTC) + timedelta(seconds=1))
    while any(directory.glob(f"{at:%Y%m%d%H%M%S}*")):  # two within one second
        at += timedelta(seconds=1)
    return f"{at:%Y%m%d%H%M%S}"


def slug_of(name: str) -> str:
    """The part of a file name that says what a migration does.

    >>> slug_of("Add the price!")
    'add_the_price'
    """
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "change"


def write(directory: Path, name: str, kind: Kind) -> Path:
    """A new migration that does nothing yet; its version is the moment."""
    directory.mkdir(parents=True, exist_ok=True)
    version = version_behind(directory)
    slug = slug_of(name)
    if kind == "python":
        path = directory / f"{version}_{slug}.py"
        made = "".join(p.capitalize() for p in slug.split("_"))
        made = made if made.isidentifier() else f"M{made}"
        path.write_text(_PYTHON.format(title=name, name=made, version=version), encoding="utf-8")
    elif kind == "sql":
        path = directory / f"{version}_{slug}.sql"
        path.write_text("-- up\n\n\n-- down\n\n", encoding="utf-8")
    else:
        path = directory / f"{version}_{slug}"
        path.mkdir()
        (path / "up.sql").write_text("", encoding="utf-8")
        (path / "down.sql").write_text("", encoding="utf-8")
    return path
