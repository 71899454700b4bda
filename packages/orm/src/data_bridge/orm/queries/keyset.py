"""Keyset pagination: the rows behind given sort keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from data_bridge.core.errors import ConfigurationError
from data_bridge.query import ColumnProxy, Node, Order, or_
from data_bridge.query.spi import clauses, read

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder


class Key(NamedTuple):
    """One sort key."""

    column: ColumnProxy[Any]
    down: bool
    nulls_last: bool

    def turned(self) -> Key:
        """The same key the other way round."""
        return Key(self.column, not self.down, not self.nulls_last)

    def order(self) -> Order:
        """As it stands in ORDER BY."""
        made = self.column.desc() if self.down else self.column.asc()
        if self.nulls_last == (not self.down):  # as PostgreSQL has it
            return made
        return made.nulls_last() if self.nulls_last else made.nulls_first()

    def further(self, value: Any) -> Node[bool]:
        """Which rows stand behind this value."""
        column = self.column
        if value is None:
            return or_() if self.nulls_last else column.is_not_null()
        behind: Node[bool] = column < value if self.down else column > value
        return behind | column.is_null() if column.nullable and self.nulls_last else behind


class Keyset:
    """The sort keys of a query, with the primary key behind them."""

    def __init__(self, query: QueryBuilder[Any]) -> None:
        self.entity = query._entity
        if clauses.source_of(query) is not self.entity.source or not self.entity.pk_names:
            raise ConfigurationError("paginate() needs a query over one Table with a primary key")
        self.keys: list[Key] = []
        for key in map(read.sort_key, clauses.order_of(query)):
            down = key.is_descending
            nulls_last = not down if key.nulls is None else key.nulls == "last"
            self.keys.append(Key(self._column(key.expression), down, nulls_last))
        known = {k.column.name for k in self.keys}
        last_down = self.keys[-1].down if self.keys else False
        for name in self.entity.pk_names:
            if name not in known:
                self.keys.append(Key(self.entity.source.columns[name], last_down, not last_down))

    def _column(self, s: Any) -> ColumnProxy[Any]:
        name = read.column_name(s)
        if name is not None and name in self.entity.source.columns:
            return self.entity.source.columns[name]
        raise ConfigurationError("paginate() sorts by columns of the Table")

    def values(self, row: Any) -> list[Any]:
        """The sort keys of a row, as they go into a cursor."""
        return [row.__dict__[k.column.key] for k in self.keys]

    def query(self, query: QueryBuilder[Any], values: list[Any] | None, *, backwards: bool) -> QueryBuilder[Any]:
        """The query in keyset order, behind `values`."""
        keys = [k.turned() if backwards else k for k in self.keys]
        made = query.order_by(None).order_by(*(k.order() for k in keys))
        if values is None:
            return made
        condition: Node[bool] | None = None
        for key, value in reversed(list(zip(keys, values, strict=True))):
            bound = None if value is None else key.column.bind(value)
            further = key.further(bound)
            condition = further if condition is None else further | ((key.column == bound) & condition)
        return made if condition is None else made.find(condition)
