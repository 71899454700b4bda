"""Aliases of tables, for self-joins."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.paths import path_from
from data_bridge.query import TableSource

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.query import ColumnProxy

M = TypeVar("M")
_numbers = itertools.count(1)


class AliasSource(TableSource):
    """A table under another name, and the paths from it whose columns were asked for, by the alias they are joined under."""

    __slots__ = ("paths",)

    def __init__(self, entity: Entity, name: str) -> None:
        """Makes the source under this name."""
        super().__init__(entity.definition, name, owner=name, keys={f.name: f.key for f in entity.fields})
        entity.complete(self)
        self.paths: dict[str, Any] = {}


class AliasRoot:
    """Where paths of an alias begin: they are joined to it, not to the table that the query is about."""

    __slots__ = ("cls", "columns", "label", "paths", "source")

    def __init__(self, entity: Entity, source: AliasSource) -> None:
        self.cls = AliasRoot  # no class of rows has these paths
        self.label = source.name
        self.source = source
        self.paths = source.paths
        self.columns: dict[str, ColumnProxy[Any]] = {f.key: source.columns[f.name] for f in entity.fields}


class Alias:
    """A table under another name: columns and relations of the alias, rows of the class."""

    def __init__(self, table: Any, name: str) -> None:
        entity = entity_of(table)
        source = AliasSource(entity, name)
        self.__db__ = entity
        self.__table_source__ = source
        self._root = AliasRoot(entity, source)

    @property
    def c(self) -> Any:
        """The columns by name."""
        return self.__table_source__.c

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        relation = self.__db__.relations.get(name)
        if relation is None:
            return self.__table_source__.column(name)
        found = self.__dict__[name] = path_from(self._root, (relation,))
        return found


def aliased(table: type[M], name: str | None = None) -> type[M]:
    """The table under another name, for joining it with itself.

    Its relations begin there: `boss.company.name` joins the companies to the bosses.

    >>> from data_bridge.postgres import aliased
    >>> def with_boss(User):
    ...     boss = aliased(User, "boss")
    ...     return User.find().join(boss, boss.id == User.boss_id).tuples(User.name, boss.name)
    """
    made: Any = Alias(table, name or f"{entity_of(table).settings.name}_{next(_numbers)}")
    return made  # type: ignore[no-any-return]
