"""What a shell holds: the database, the classes of the models and the switch of the echo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import data_bridge.postgres as postgres
from data_bridge.core import Database, Echo, add_observer, close, init, observers

__all__ = ["Session"]


class Session:
    """The names of a shell.

    Attributes:
        names: what the lines of the shell see: data_bridge.postgres, the classes of the models, `db` and `echo`.
        banner: what the shell says first.
    """

    def __init__(self, database: Database, server: str, modules: Sequence[ModuleType]) -> None:
        self._database = database
        self._echo = Echo(lambda: self._database, values=False)
        classes, notes = _classes(modules)
        exported: list[str] = vars(postgres)["__all__"]
        public = {name: getattr(postgres, name) for name in exported}
        self.names: dict[str, Any] = {**public, **classes, "db": database, "echo": self.echo}
        listed = ", ".join(sorted(classes)) or "none; --models names a module"
        self.banner = "\n".join(
            [
                f"data-bridge on {server}",
                f"Classes: {listed}",
                *notes,
                "Also data_bridge.postgres, db (the database) and echo() (prints statements, or stops printing them).",
            ]
        )

    @classmethod
    async def open(cls, dsn: str | None, modules: Sequence[ModuleType]) -> Session:
        """Opens the database.

        Raises:
            ConnectError: it cannot be reached.
        """
        database = await init(dsn, application_name="data-bridge shell")
        server = await database.fetch_val(
            "SELECT format('PostgreSQL %s, database %s as %s', current_setting('server_version'), current_database(), current_user)"
        )
        return cls(database, str(server), modules)

    def echo(self, on: bool | None = None) -> None:
        """Prints every statement from now on, or no longer; without an argument, the opposite of before."""
        is_on = self._echo in observers
        on = not is_on if on is None else on
        if on and not is_on:
            add_observer(self._echo)
        elif is_on and not on:
            observers.remove(self._echo)
        print("echo is on" if on else "echo is off")

    async def close(self) -> None:
        """Closes every database that the shell has open."""
        if self._echo in observers:
            observers.remove(self._echo)
        await close()


def _classes(modules: Iterable[ModuleType]) -> tuple[dict[str, Any], list[str]]:
    """The public classes that the modules define, by name, and a line for each name that two modules have."""
    found: dict[str, Any] = {}
    notes: list[str] = []
    for module in modules:
        for name, value in vars(module).items():
            if name.startswith("_") or not isinstance(value, type) or value.__module__ != module.__name__:
                continue
            first = found.setdefault(name, value)
            if first is not value:
                notes.append(f"{name} is {first.__module__}.{name}; that of {module.__name__} has to be imported")
    return found, notes
