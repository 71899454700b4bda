"""Keyset pagination: the rows behind given sort keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pydantic import SecretBytes, SecretStr

from data_bridge.core.errors import ConfigurationError, EncodeError, InvalidCursor
from data_bridge.orm._page import Page
from data_bridge.orm.queries.cursor import cursor_of, fingerprint, values_of
from data_bridge.query import ColumnProxy, Expr, Node, Order, TableSource, or_
from data_bridge.query.spi import Built, clauses, read

Params: TypeAlias = tuple[Any, ...]

if TYPE_CHECKING:
    from data_bridge.orm.queries.builder import QueryBuilder


class Key(NamedTuple):
    """One sort key."""

    column: Expr[Any]
    """A column, or a part of a JSON column."""
    down: bool
    nulls_last: bool
    nullable: bool = True
    field: str | None = None
    """The field that has the value in instances; None where the query has to bring it."""

    def turned(self) -> Key:
        """The same key the other way round."""
        return self._replace(down=not self.down, nulls_last=not self.nulls_last)

    def order(self) -> Order:
        """As it stands in ORDER BY."""
        made = self.column.desc() if self.down else self.column.asc()
        if self.nulls_last == (not self.down):  # as PostgreSQL has it
            return made
        return made.nulls_last() if self.nulls_last else made.nulls_first()

    def further(self, value: Any) -> Node[bool]:
        """Which rows stand behind this value."""
        column: Any = self.column
        if value is None:
            return or_() if self.nulls_last else column.is_not_null()
        behind: Node[bool] = column < value if self.down else column > value
        return behind | column.is_null() if self.nullable and self.nulls_last else behind


def key_of(column: ColumnProxy[Any], *, down: bool = False, nulls_last: bool | None = None) -> Key:
    """A column as a sort key."""
    info = column.__column__
    return Key(column, down, not down if nulls_last is None else nulls_last, info.nullable, info.key)


def sorted_by(query: Any, found: Callable[[Any, Params], Key]) -> list[Key]:
    """The sort keys of a query; `found` makes a key of the expression and its parameters."""
    keys: list[Key] = []
    for s, p in clauses.sort_keys_of(query):
        said = read.sort_key(s)
        down = said.is_descending
        keys.append(
            found(said.expression, p)._replace(
                down=down, nulls_last=not down if said.nulls is None else said.nulls == "last"
            )
        )
    return keys


def keyset_of(query: QueryBuilder[Any]) -> Keyset:
    """The sort keys of a query over a Table, with the primary key behind them.

    Raises:
        ConfigurationError: for rows that are not those of one Table, and sort keys that a cursor cannot carry.
    """
    entity = query._entity
    if clauses.source_of(query) is not entity.source or not entity.pk_names:
        raise ConfigurationError(
            "paginate() needs a query over one Table with a primary key: page(number, size) pages any other query"
        )
    if query._grouped or clauses.has_clause(query, "distinct") or clauses.has_clause(query, "distinct_on"):
        raise ConfigurationError("paginate() goes by the key of a row; use page() for groups and distinct rows")
    if clauses.is_cut(query):
        raise ConfigurationError("paginate() sets the limit itself: the query has a limit or an offset of its own")

    source: Any = entity.source

    def found(s: Any, p: Params) -> Key:
        column = source.columns.get(read.column_name(s) or "")
        if column is not None and column.s == s:  # a joined table may have a column of the same name
            return key_of(column)
        member = read.member_of(s)
        column = None if member is None else source.columns.get(read.column_name(member.column) or "")
        if member is None or column is None or column.s != member.column:
            raise ConfigurationError("paginate() sorts by columns of the Table, and by parts of its JSON columns")
        if member.type.family == "json":
            raise ConfigurationError(
                f"paginate() cannot sort by an object or a list in {entity.label}.{column.__column__.key}: sort by a part of it "
                "that is text, a number or a moment, or use page()"
            )
        part: Built[Any] = Built(s, p, member.type)
        return Key(part, down=False, nulls_last=True)

    keys = sorted_by(query, found)
    known = {k.field for k in keys}
    last_down = keys[-1].down if keys else False
    for name in entity.pk_names:
        if source.columns[name].__column__.key not in known:
            keys.append(key_of(source.columns[name], down=last_down))
    # A row of the Table stands there once for each of its partners.
    for other in clauses.sources_of(query):
        if other is not source and isinstance(other, TableSource):
            for name in other.__table_def__.primary_key:
                keys.append(key_of(other.columns[name], down=last_down)._replace(nullable=True, field=None))
    for key in keys:
        annotation = entity.by_key[key.field].annotation if key.field is not None else None
        if isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes)):
            raise ConfigurationError(
                f"paginate() cannot sort by {entity.cls.__name__}.{key.field}: the cursor would show the secret"
            )
    return Keyset(query, keys)


class Keyset:
    """A query in the order of sort keys that tell its rows apart."""

    def __init__(self, query: QueryBuilder[Any], keys: list[Key]) -> None:
        self.entity = query._entity
        self.keys = keys
        ordered = query.order_by(None).order_by(*(k.order() for k in keys))
        compiled = ordered.sql()
        self._query = ordered
        self._fingerprint = fingerprint(compiled.sql, compiled.params)

    @property
    def columns(self) -> list[Node[Any]]:
        """The expressions of the sort keys."""
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
            same: Any = key.column == value
            condition = further if condition is None else further | (same & condition)
        return made if condition is None else made.find(condition)

    def _bound(self, cursor: str) -> list[Any]:
        values = values_of(cursor, self._fingerprint, len(self.keys))
        try:
            return [None if v is None else _bound(k.column, v) for k, v in zip(self.keys, values, strict=True)]
        except EncodeError as e:
            raise InvalidCursor("this cursor holds a value that its column does not take") from e


def _bound(column: Node[Any], value: Any) -> Any:
    """A value as it is compared with a sort key."""
    if isinstance(column, ColumnProxy):
        return column.bind(value)
    return value if column.t is None else column.t.bind(value)


Fetch: TypeAlias = Callable[[Any], Awaitable[tuple[list[Any], list[list[Any]]]]]
"""The rows of a query, and the sort keys of each."""


async def page_by_key(keyset: Keyset, fetch: Fetch, size: int, after: str | None, before: str | None) -> Page[Any]:
    """The page behind `after` or in front of `before`; see QueryBuilder.paginate()."""
    cursor = after if after is not None else before
    query = keyset.query(cursor, backwards=before is not None)
    try:
        rows, keys = await fetch(query.limit(size + 1))
    except EncodeError as e:
        if cursor is None:
            raise
        raise InvalidCursor("this cursor holds a value that its column does not take") from e
    more = len(rows) > size
    items, ends = rows[:size], keys[:size]
    if before is not None:
        items.reverse()
        ends.reverse()
    first, last = (keyset.cursor(values) for values in (ends[0], ends[-1])) if ends else (None, None)
    has_next = more if before is None else True
    has_prev = more if before is not None else after is not None
    return Page[Any].model_construct(
        items=items, next=last if has_next else None, prev=first if has_prev else None, total=None
    )


def check_page(size: int, after: str | None, before: str | None) -> None:
    """Refuses arguments of paginate() that say nothing or too much.

    Raises:
        ConfigurationError: naming the argument.
    """
    if after is not None and before is not None:
        raise ConfigurationError("paginate() takes after= or before=, not both")
    if size < 1:
        raise ConfigurationError(f"paginate({size}): a page has at least one row")
