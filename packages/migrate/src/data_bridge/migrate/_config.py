"""`[tool.data-bridge.migrate]` in pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_bridge.core.errors import ConfigurationError

TABLE = "_data_bridge_migrations"
"""The default name of the history table."""
_KEYS = {
    "directory", "schema", "table", "database", "lock_timeout", "step_lock_timeout", "out_of_order", "models", "extensions",
    "shadow",
}  # fmt: skip
_LISTS = ("models", "extensions")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the runner.

    Attributes:
        directory: where migrations are.
        schema: of the history table; None is the first of the search_path.
        table: of the history.
        database: a DSN.
        lock_timeout: seconds to wait for another runner.
        out_of_order: "allow" runs versions below the current one, too; "error" refuses them.
        step_lock_timeout: how long a step waits for a lock before it tries again, as PostgreSQL writes it.
        models: modules that declare the tables of the application.
        extensions: extensions that the tables need beside those of the types of their columns.
        shadow: a DSN of the server that `make` and `verify` make their databases on.
        root: the folder of the pyproject.toml.
    """

    directory: Path | None = None
    schema: str | None = None
    table: str = TABLE
    database: str | None = None
    lock_timeout: float = 60.0
    step_lock_timeout: str = "1s"
    out_of_order: str = "allow"
    models: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    shadow: str | None = None
    root: Path | None = None


def read(start: Path | None = None) -> Config:
    """The settings of the nearest pyproject.toml that has some.

    Raises:
        ConfigurationError: for an unknown setting.
    """
    folder = (start or Path.cwd()).resolve()
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        if not path.is_file():
            continue
        table: dict[str, Any] | None = (
            tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("data-bridge", {}).get("migrate")
        )
        if table is None:
            continue
        unknown = set(table) - _KEYS
        if unknown:
            raise ConfigurationError(
                f"{path}: [tool.data-bridge.migrate] has no setting {min(unknown)!r}; known are {', '.join(sorted(_KEYS))}"
            )
        if table.get("out_of_order", "allow") not in ("allow", "error"):
            raise ConfigurationError(f'{path}: out_of_order is "allow" or "error", not {table["out_of_order"]!r}')
        for name in _LISTS:
            value = table.get(name, [])
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
                raise ConfigurationError(f"{path}: {name} is a list of names")
            table[name] = tuple(value)  # pyright: ignore[reportUnknownArgumentType]
        if "directory" in table:
            table["directory"] = parent / table["directory"]
        return Config(**table, root=parent)
    return Config()
