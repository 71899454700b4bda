"""Keyset pagination: the rows behind given sort keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.query import ColumnProxy
from data_bridge.query.nodes import Node

if TYPE_CHECKING:
    from data_bridge.orm.builder import QueryBuilder


class Keyset:
    """The sort keys of a query, with the primary key behind them."""

    def __init__(self, query: QueryBuilder[Any]) -> None:
        self.entity = query._entity
        if query._source is not self.entity.source or not self.entity.pk_names:
            raise ConfigurationError("paginate() needs a query over one Table with a primary key")
        self.columns: list[tuple[ColumnProxy[Any], bool]] = []
        order: tuple[Any, ...] = query._order or ()
        for s in order:
            directed = s[0] in ("asc", "desc")
            down: bool = s[0] == "desc"
            bare: Any = s[1] if directed else s
            self.columns.append((self._column(bare), down))
        known = {c.name for c, _ in self.columns}
        last_down = self.columns[-1][1] if self.columns else False
        self.columns += [(self.entity.source.columns[n], last_down) for n in self.entity.pk_names if n not in known]
        for c, _ in self.columns:
            if c.nullable:
                raise ConfigurationError(f"paginate() cannot sort by {c.owner}, which may be NULL")

    def _column(self, s: Any) -> ColumnProxy[Any]:
        if type(s) is tuple and s[0] == "col" and s[2] in self.entity.source.columns:
            return self.entity.source.columns[s[2]]
        raise ConfigurationError("paginate() sorts by columns of the Table")

    def values(self, row: Any) -> list[Any]:
        """The sort keys of a row, as they go into a cursor."""
        return [row.__dict__[c.key] for c, _ in self.columns]

    def query(self, query: QueryBuilder[Any], values: list[Any] | None, *, backwards: bool) -> QueryBuilder[Any]:
        """The query in keyset order, behind `values`."""
        keys = [(c, down != backwards) for c, down in self.columns]
        made = query.order_by(None).order_by(*(c.desc() if down else c.asc() for c, down in keys))
        if values is None:
            return made
        bound = [c.bind(v) for (c, _), v in zip(keys, values, strict=True)]
        condition: Node[bool] | None = None
        for (c, down), v in reversed(list(zip(keys, bound, strict=True))):
            further = c < v if down else c > v
            condition = further if condition is None else further | ((c == v) & condition)
        return made if condition is None else made.find(condition)
