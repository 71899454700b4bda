"""What a person says about a change: renames, values, drops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from data_bridge.core.errors import ConfigurationError, MigrationError

__all__ = ["Instructions", "Undecided"]

ANY = "*"


class Undecided(MigrationError):
    """A change can be meant in several ways, or would lose data, and no instruction decides.

    Attributes:
        open: the decisions, each with the option that makes it.
    """

    def __init__(self, questions: list[str]) -> None:
        super().__init__("\n".join(["these changes need a decision:", *(f"  {line}" for line in questions)]))
        self.open = questions


@dataclass(slots=True)
class Instructions:
    """The options of `make` that decide, by the name of what they are about.

    Attributes:
        renames: new names of tables, columns and enum values by their old paths.
        replacements: for a value that leaves an enum, the one that rows get instead.
        fills: SQL for the rows that are there, by column.
        using: SQL that converts a column to its new type.
        drops: tables and columns that may be dropped; `*` is all.
        used: the instructions that were about something.
    """

    renames: dict[str, str] = field(default_factory=dict[str, str])
    replacements: dict[str, str] = field(default_factory=dict[str, str])
    fills: dict[str, str] = field(default_factory=dict[str, str])
    using: dict[str, str] = field(default_factory=dict[str, str])
    drops: frozenset[str] = frozenset()
    used: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    @classmethod
    def of_options(
        cls,
        renames: Iterable[str] = (),
        replacements: Iterable[str] = (),
        fills: Iterable[str] = (),
        using: Iterable[str] = (),
        drops: Iterable[str] = (),
    ) -> Instructions:
        """From `NAME:VALUE`, as the command line has them.

        Raises:
            ConfigurationError: an option has no colon, or is there twice for one name.

        >>> Instructions.of_options(renames=["users.name:full_name"]).renames
        {'users.name': 'full_name'}
        """
        return cls(
            _pairs("--rename", renames), _pairs("--replace", replacements), _pairs("--fill", fills),
            _pairs("--using", using), frozenset(drops),
        )  # fmt: skip

    def take(self, option: str, given: dict[str, str], name: str) -> str | None:
        """What an option says about a name, and remembers that it was asked."""
        if name in given:
            self.used.add((option, name))
        return given.get(name)

    def may_drop(self, name: str) -> bool:
        """Whether the data of a table or column may go."""
        if name in self.drops:
            self.used.add(("--allow-drop", name))
        return name in self.drops or ANY in self.drops

    def refuse_unused(self) -> None:
        """A mistyped name must not pass for one that was heard.

        Raises:
            ConfigurationError: an instruction is about nothing that changes.
        """
        given = [
            *(("--rename", name) for name in self.renames),
            *(("--replace", name) for name in self.replacements),
            *(("--fill", name) for name in self.fills),
            *(("--using", name) for name in self.using),
            *(("--allow-drop", name) for name in self.drops if name != ANY),
        ]
        unused = [f"{option} {name}" for option, name in sorted(given) if (option, name) not in self.used]
        if unused:
            raise ConfigurationError(f"{', '.join(unused)}: no change has this name")


def _pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise ConfigurationError(f"{option} is NAME:VALUE, not {text!r}")
        if name.strip() in found:
            raise ConfigurationError(f"{option} {name.strip()} is there twice")
        found[name.strip()] = value.strip()
    return found
