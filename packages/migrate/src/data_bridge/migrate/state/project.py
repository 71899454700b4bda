"""The models and the database that the settings of a project name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from data_bridge.migrate._config import read
from data_bridge.migrate.state.models import imported

__all__ = ["Project", "load_project"]


class Project(NamedTuple):
    """What `[tool.data-bridge.migrate]` says of an application.

    Attributes:
        modules: the modules of the models, imported.
        database: the connection string, or None.
    """

    modules: list[ModuleType]
    database: str | None = None


def load_project(models: Sequence[str] = (), *, start: Path | None = None) -> Project:
    """Imports the models of a project: those that are named, otherwise those of the nearest pyproject.toml with settings.

    Args:
        models: modules and packages, of which all modules are imported.
        start: the folder from which pyproject.toml is looked for; the current one by default.

    Raises:
        ConfigurationError: a module cannot be imported, or the settings are wrong.

    >>> from data_bridge.migrate import load_project
    >>> load_project().modules
    []
    """
    config = read(start)
    return Project(imported(models or config.models, config.root), config.database)
