"""`data-bridge migrate init`: a folder, and the settings that name it."""

from __future__ import annotations

from pathlib import Path

_SETTINGS = """
[tool.data-bridge.migrate]
directory = "{directory}"
# models = ["app.models"]      # the classes that `make` writes migrations for
# database = "postgresql://…"  # or --database, or $DATABASE_URL
# lock_timeout = 60            # seconds to wait for another runner, and for locks of others
# step_lock_timeout = "1s"     # how long a step waits before it lets go and tries again
"""


def write(directory: Path, root: Path) -> list[str]:
    """Makes what is missing and leaves what is there; returns the paths that were made or changed.

    >>> from pathlib import Path
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     first = write(Path("migrations"), Path(place))
    ...     second = write(Path("migrations"), Path(place))
    >>> first, second
    (['migrations', 'pyproject.toml'], [])
    """
    made: list[str] = []
    folder = root / directory
    if not folder.is_dir():
        folder.mkdir(parents=True)
        made.append(str(directory))
    project = root / "pyproject.toml"
    text = project.read_text(encoding="utf-8") if project.is_file() else ""
    if "[tool.data-bridge.migrate]" not in text:
        block = _SETTINGS.format(directory=directory.as_posix())
        project.write_text(f"{text.rstrip()}\n{block}" if text.strip() else block.lstrip(), encoding="utf-8")
        made.append("pyproject.toml")
    return made
