"""One call of `data-bridge migrate`: its options, and where its result goes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.migrate import _config as configuration
from data_bridge.migrate.command import output
from data_bridge.migrate.command.terminal import Terminal
from data_bridge.migrate.runner.plan import Plan


@dataclass(slots=True)
class Call:
    """What the user asked for.

    Attributes:
        options: the parsed arguments.
        terminal: standard output and standard error.
    """

    options: argparse.Namespace
    terminal: Terminal = field(default_factory=Terminal)

    @property
    def is_json(self) -> bool:
        """Whether programs read the result."""
        return bool(self.options.json)

    def find_directory(self) -> None:
        """Takes ./migrations when neither an option nor the settings name a folder.

        Raises:
            ConfigurationError: that folder does not exist.
        """
        if self.options.directory is not None or configuration.read().directory is not None:
            return
        self.options.directory = Path("migrations")
        if not self.options.directory.is_dir():
            raise ConfigurationError(
                "there is no folder migrations: `data-bridge migrate init` makes one, --directory names another"
            )

    def show_json(self, value: Any) -> None:
        """Prints one JSON text."""
        output.as_json(self.terminal, value)

    def show_paths(self, paths: list[str]) -> None:
        """Prints the files that were written."""
        if self.is_json:
            self.show_json({"paths": paths})
        else:
            for path in paths or ["nothing to do"]:
                self.terminal.say(path)

    def show_versions(self, versions: list[str], what: str = "") -> None:
        """Prints the versions that were changed; `what` says what they are now, where no progress has said so."""
        if self.is_json:
            self.show_json({"versions": versions})
        elif not versions:
            self.terminal.say("nothing to do")
        elif what:
            self.terminal.say(f"{what}: {', '.join(versions)}")

    def show_plan(self, plan: Plan, *, sizes: bool) -> None:
        """Prints the statements that would run."""
        if self.is_json:
            self.show_json(output.plan_json(plan))
        else:
            output.plan(self.terminal, plan, sizes=sizes)
