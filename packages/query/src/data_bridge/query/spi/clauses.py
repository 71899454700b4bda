"""The parts of a SELECT: read and replaced by name, for packages whose queries are Selects.

Structures and their parameters go together: what replaces the one replaces the other. Every function that begins with
`with` returns a new query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from data_bridge.core import Statement

from ..expressions.node import Params, Structure
from ..expressions.sources import QuerySource, Source
from ..statements.base import Query
from ..statements.compound import Compound
from ..statements.insert import Insert
from ..statements.parameter_sharing import marks
from ..statements.results import EMPTY, Columns
from ..statements.select import Select
from ..types.sql_types import SQLType

Q = TypeVar("Q", bound=Select[Any])


class Join(NamedTuple):
    """One JOIN of a query."""

    how: str
    source: Structure
    on: Any
    """Conditions that AND joins; for USING, NATURAL and CROSS something else."""

    @property
    def has_conditions(self) -> bool:
        """Whether the join is by conditions, which could stand in WHERE as well."""
        on = self.on
        return isinstance(on, tuple) and all(isinstance(c, tuple) for c in on)  # pyright: ignore[reportUnknownVariableType]

    @property
    def alias(self) -> str | None:
        """The alias of a joined table; None for a table without one, and for other sources."""
        found: str | None = self.source[3] if self.source[0] == "table" and len(self.source) == 4 else None
        return found


class Joins(NamedTuple):
    """The JOINs of a query, in their order."""

    joins: tuple[Join, ...] = ()
    params: Params = ()


# -------------------------------------------------------------------------------------------------------------- reading
def result_of(query: Select[Any]) -> Columns:
    """The columns of the result."""
    return query._columns


def source_of(query: Select[Any]) -> Source | None:
    """The first table."""
    return query._source


def sources_of(query: Select[Any]) -> tuple[Source, ...]:
    """All tables, in the order in which they were joined."""
    return query._sources


def is_of_one_table(query: Select[Any]) -> bool:
    """Whether nothing is joined."""
    return len(query._sources) == 1


def conditions_of(query: Select[Any]) -> tuple[tuple[Structure, ...], Params]:
    """The conditions that AND joins, and their parameters."""
    return query._where, query._where_p


def order_of(query: Query) -> tuple[Structure, ...]:
    """The sort keys."""
    return query._order or ()


def sort_keys_of(query: Query) -> list[tuple[Structure, Params]]:
    """The sort keys, each with its parameters."""
    found: list[tuple[Structure, Params]] = []
    at = 0
    for s in query._order or ():
        end = at + marks(s)
        found.append((s, query._order_p[at:end]))
        at = end
    return found


def limit_of(query: Query) -> int | None:
    """The most rows that the query returns."""
    return query._limit


def is_cut(query: Select[Any]) -> bool:
    """Whether the query has a limit or an offset."""
    return query._limit is not None or query._offset is not None


def is_sampled(query: Select[Any]) -> bool:
    """Whether the first table is a sample of its rows."""
    source = query._source
    return source is not None and source.s[0] == "sample"


def is_bare(query: Select[Any]) -> bool:
    """Whether the query has nothing but a table, its columns, conditions and an order."""
    source = query._source
    return (
        not (query._extras or query._ctes or query._groups)
        and query._limit is None
        and query._offset is None
        and len(query._sources) == 1
        and source is not None
        and source.s[0] == "table"
    )


def bare_statement(query: Select[Any], columns: tuple[Structure, ...]) -> Statement:
    """A query that is_bare(), with these columns instead of its own and without its order, as a statement.

    The columns have no parameters.
    """
    source: Any = query._source
    ir = ("select", source.s, columns, query._where or None, None, None, None, None)
    return Statement(ir, source.p + query._where_p)


def has_clause(query: Select[Any], *tags: str) -> bool:
    """Whether the query has one of these clauses: distinct, distinct_on, group, having, locking, windows, ties."""
    extras = query._extras
    return extras is not None and any(tag in extras for tag in tags)


def joins_of(query: Select[Any]) -> Joins:
    """The joins, and their parameters."""
    found = (query._extras or {}).get("joins")
    return Joins() if found is None else Joins(tuple([Join(*join) for join in found[0][1:]]), found[1])


def structures_of(query: Select[Any]) -> Iterator[Structure]:
    """Everything that may mention a column."""
    yield query._columns.s
    yield query._where
    yield query._order
    for s, _ in (query._extras or {}).values():
        yield s


def statement_inside(query: Select[Any]) -> Statement:
    """The query as a part of another statement."""
    return query._part()


def add_column(source: Source, name: str, of: SQLType | None, *, nullable: bool = True, key: str | None = None) -> None:
    """Gives a source that is being made a further column."""
    source._add(name, of, nullable=nullable, key=key)


# ------------------------------------------------------------------------------------------------------------ replacing
def made(cls: type[Q], columns: Columns, source: Source, conditions: tuple[Structure, ...]) -> Q:
    """A query of a subclass of Select, without its own slots. The conditions have no parameters."""
    new = object.__new__(cls)
    new._order = new._limit = new._offset = new._extras = None
    new._order_p = new._ctes = new._where_p = new._groups = new._keys = ()
    new._where = conditions
    new._source = source
    new._sources = (source,)
    new._columns = columns
    return new


def parts_of(compound: Compound) -> tuple[Query, ...]:
    """The queries of a set operation."""
    return compound._parts


def operation_of(compound: Compound) -> str:
    """The words of a set operation: union, union all, intersect, …"""
    return compound._op


def names_of(query: Query) -> list[str]:
    """The names of a result's columns, where they have names."""
    return [name for name, _ in query._names()]


def derived_from(cls: type[Q], source: Source, columns: Columns) -> Q:
    """A query of a subclass of Select over any source, with the common table expressions that the source needs."""
    new = made(cls, columns, source, ())
    if isinstance(source, QuerySource):
        new._ctes = source.ctes
    return new


def with_result(query: Q, columns: Columns) -> Q:
    """The query with another result."""
    new = query._copy()
    new._columns = columns
    return new


def with_more_results(query: Q, structures: Iterable[Structure], params: Params = ()) -> Q:
    """The query with these behind the columns of its result, which have no names any more."""
    before = query._columns
    return with_result(query, Columns((*before.s, *structures), before.p + params, before.source, ()))


def without_result(query: Q) -> Q:
    """The query whose rows have no columns: they are there, or they are not."""
    return with_result(query, EMPTY)


def with_source(query: Q, source: Source) -> Q:
    """The query with another first table, whose columns are called the same."""
    new = query._copy()
    new._source = source
    new._sources = (source, *query._sources[1:])
    return new


def with_conditions(query: Q, conditions: tuple[Structure, ...]) -> Q:
    """The query with these conditions, which take the same parameters as those before."""
    new = query._copy()
    new._where = conditions
    return new


def with_order(query: Q, keys: Sequence[Structure]) -> Q:
    """The query with these sort keys, which take the same parameters as those before."""
    new = query._copy()
    new._order = tuple(keys) or None
    return new


def with_order_and_limit(query: Q, keys: Sequence[Structure] | None, limit: int) -> Q:
    """The query with this limit, and with these sort keys, which have no parameters, in the place of none."""
    new = query._copy()
    new._limit = limit
    if keys:
        new._order, new._order_p = tuple(keys), ()
    return new


def without_order(query: Q) -> Q:
    """The query without its sort keys."""
    new = query._copy()
    new._order, new._order_p = None, ()
    return new


def with_last_join_narrowed(query: Q, conditions: tuple[Structure, ...]) -> Q:
    """The query with further conditions, without parameters, in the ON of its last join; one by USING stays as it is."""
    s, p = (query._extras or {})["joins"]
    last = Join(*s[-1])
    if not last.has_conditions:
        return query
    new = query._copy()
    new._extras = {**(query._extras or {}), "joins": ((*s[:-1], (last.how, last.source, (*last.on, *conditions))), p)}
    return new


def with_joins_around(
    query: Q, before: Sequence[Structure], behind: Sequence[Structure], sources: Sequence[Source]
) -> Q:
    """The query with joins before and behind its own. They have no parameters; `sources` are their tables."""
    new = query._copy()
    extras = query._extras or {}
    given, p = extras.get("joins", (("joins",), ()))
    new._extras = {**extras, "joins": (("joins", *before, *given[1:], *behind), p)}
    new._sources = (*query._sources, *sources)
    return new


def with_locks_on(query: Q, name: str) -> Q:
    """The query whose locking clauses are about this table, where they name none."""
    extras = query._extras or {}
    if "locking" not in extras:
        return query
    s, p = extras["locking"]
    new = query._copy()
    locks = [(strength, names or (name,), wait) for strength, names, wait in s[1:]]
    new._extras = {**extras, "locking": (("locking", *locks), p)}
    return new


def with_conflict(statement: Insert[Any], conflict: Structure, params: Params) -> Insert[Any]:
    """An INSERT with this ON CONFLICT of `data_bridge.query.spi.build`."""
    return statement._with(_conflict=conflict, _conflict_p=params)
