"""Isolation levels (PostgreSQL manual, "Transaction Isolation")."""

from __future__ import annotations

from enum import Enum

from data_bridge.core.errors import ConfigurationError


class IsolationLevel(str, Enum):  # noqa: UP042 - as the contract has it
    """The four levels of SQL; READ UNCOMMITTED acts as READ COMMITTED in PostgreSQL."""

    SERIALIZABLE = "SERIALIZABLE"
    REPEATABLE_READ = "REPEATABLE READ"
    READ_COMMITTED = "READ COMMITTED"
    READ_UNCOMMITTED = "READ UNCOMMITTED"


def level(given: IsolationLevel | str | None) -> IsolationLevel | None:
    """The level that a word means; case, spaces and underscores do not matter.

    Raises:
        ConfigurationError: for another word.

    >>> level("repeatable_read")
    <IsolationLevel.REPEATABLE_READ: 'REPEATABLE READ'>
    """
    if given is None or isinstance(given, IsolationLevel):
        return given
    word = "".join(str(given).replace("_", " ").split()).upper()
    found = next((i for i in IsolationLevel if i.value.replace(" ", "") == word), None)
    if found is None:
        raise ConfigurationError(f"isolation={given!r} is not one of {', '.join(i.value for i in IsolationLevel)}")
    return found


def begin_statement(isolation: IsolationLevel | None, read_only: bool, deferrable: bool) -> str:
    """The BEGIN for these options, one round trip in all.

    >>> from data_bridge.core import IsolationLevel
    >>> begin_statement(IsolationLevel.SERIALIZABLE, True, True)
    'BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE'
    """
    modes: list[str] = []
    if isolation is not None:
        modes.append(f"ISOLATION LEVEL {isolation.value}")
    if read_only:
        modes.append("READ ONLY")
    if deferrable:
        modes.append("DEFERRABLE")
    return "BEGIN " + ", ".join(modes) if modes else "BEGIN"
