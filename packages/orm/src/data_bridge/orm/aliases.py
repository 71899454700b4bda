"""Aliases of tables, for self-joins."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from data_bridge.orm.meta import entity_of
from data_bridge.query.source import TableSource

M = TypeVar("M")
_numbers = itertools.count(1)


class Alias:
    """A table under another name: columns of the alias, rows of the class."""

    def __init__(self, table: Any, name: str) -> None:
        entity = entity_of(table)
        self.__db__ = entity
        self.__table_source__ = TableSource(
            entity.definition, name, owner=name, keys={f.name: f.key for f in entity.fields}
        )

        entity.complete(self.__table_source__)

    @property
    def c(self) -> Any:
        """The columns by name."""
        return self.__table_source__.c

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__table_source__.column(name)


def aliased(table: type[M], name: str | None = None) -> type[M]:
    """The table under another name, for joining it with itself.

    >>> def with_boss(User):
    ...     boss = aliased(User, "boss")
    ...     return User.find().join(boss, boss.id == User.boss_id).tuples(User.name, boss.name)
    """
    made: Any = Alias(table, name or f"{entity_of(table).settings.name}_{next(_numbers)}")
    return made  # type: ignore[no-any-return]
