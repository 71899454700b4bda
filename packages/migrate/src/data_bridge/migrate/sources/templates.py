"""Files that `data-bridge migrate new` writes."""

from __future__ import annotations

import re
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


def write(directory: Path, name: str, kind: Kind) -> Path:
    """A new migration that does nothing yet; its version is the moment."""
    directory.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC)
    while any(directory.glob(f"{at:%Y%m%d%H%M%S}*")):  # two within one second
        at += timedelta(seconds=1)
    version = f"{at:%Y%m%d%H%M%S}"
    slug = re.sub(r"\W+", "_", name.lower()).strip("_") or "change"
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
