"""Keyset pagination: the rows behind given sort keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretBytes, SecretStr

from data_bridge.core.errors import ConfigurationError, EncodeError, InvalidCursor
from data_bridge.orm.queries.cursor import cursor_of, fingerprint, values_of
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
        return behind | column.is_null() if column.__column__.nullable and self.nulls_last else behind


class Keyset:
    """The sort keys of a query, with the primary key behind them.

    Raises:
        ConfigurationError: for rows that are not those of one Table, and sort keys that a cursor cannot carry.
    """

    def __init__(self, query: QueryBuilder[Any]) -> None:
        self.entity = query._entity
        if clauses.source_of(query) is not self.entity.source or not self.entity.pk_names:
            raise ConfigurationError("paginate() needs a query over one Table with a primary key")
        if query._grouped or clauses.has_clause(query, "distinct") or clauses.has_clause(query, "distinct_on"):
            raise ConfigurationError("paginate() goes by the key of a row; use page() for groups and distinct rows")
        if clauses.is_cut(query):
            raise ConfigurationError("paginate() sets the limit itself: the query has a limit or an offset of its own")
        self.keys: list[Key] = []
        for said in map(read.sort_key, clauses.order_of(query)):
            down = said.is_descending
            nulls_last = not down if said.nulls is None else said.nulls == "last"
            self.keys.append(Key(self._column(said.expression), down, nulls_last))
        known = {k.column.__column__.name for k in self.keys}
        last_down = self.keys[-1].down if self.keys else False
        for name in self.entity.pk_names:
            if name not in known:
                self.keys.append(Key(self.entity.source.columns[name], last_down, not last_down))
        for key in self.keys:
            annotation = self.entity.by_key[key.column.__column__.key].annotation
            if isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes)):
                raise ConfigurationError(
                    f"paginate() cannot sort by {self.entity.cls.__name__}.{key.column.__column__.key}: the cursor would show the secret"
                )
        ordered = query.order_by(None).order_by(*(k.order() for k in self.keys))
        compiled = ordered.sql()
        self._query = ordered
        self._fingerprint = fingerprint(compiled.sql, compiled.params)

    def _column(self, s: Any) -> ColumnProxy[Any]:
        column = self.entity.source.columns.get(read.column_name(s) or "")
        if column is not None and column.s == s:  # a joined table may have a column of the same name
            return column
        raise ConfigurationError("paginate() sorts by columns of the Table")

    @property
    def columns(self) -> list[ColumnProxy[Any]]:
        """The columns of the sort keys."""
        return [k.column for k in self.keys]

    def cursor(self, values: list[Any]) -> str:
        """The cursor of the row with these sort keys."""
        return cursor_of(values, self._fingerprint)

    def query(self, cursor: str | None, *, backwards: bool) -> QueryBuilder[Any]:
        """The query in keyset order, behind the row of `cursor`.

        Raises:
            InvalidCursor: for a text that is not a cursor of this query.
        """
        if cursor is None and not backwards:
            return self._query
        keys = [k.turned() if backwards else k for k in self.keys]
        made = self._query.order_by(None).order_by(*(k.order() for k in keys))
        if cursor is None:
            return made
        condition: Node[bool] | None = None
        for key, value in reversed(list(zip(keys, self._bound(cursor), strict=True))):
            further = key.further(value)
            condition = further if condition is None else further | ((key.column == value) & condition)
        return made if condition is None else made.find(condition)

    def _bound(self, cursor: str) -> list[Any]:
        values = values_of(cursor, self._fingerprint, len(self.keys))
        try:
            return [None if v is None else k.column.bind(v) for k, v in zip(self.keys, values, strict=True)]
        except EncodeError as e:
            raise InvalidCursor("this cursor holds a value that its column does not take") from e
