"""Table.merge(): MERGE from rows or a query."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.core import Compiled, LoadPlan, Statement
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.persistence.assignments import Assignment, assignments, stored, update_defaults
from data_bridge.orm.persistence.bulk_insert import as_row, columns_of
from data_bridge.orm.persistence.operators import Operator
from data_bridge.query import DocumentPath, Node, Query, Source, merge
from data_bridge.query.spi import Built, build, clauses

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_COUNT = LoadPlan.affected()
Condition = Node[bool] | Callable[[Any], Node[bool]] | None


class _Rows(Source):
    """Rows from Python as a table called "new"."""

    __slots__ = ()

    def __init__(self, entity: Entity, keys: Sequence[str], rows: list[Mapping[str, Any]]) -> None:
        fields = [entity.by_key[k] for k in keys]
        names = tuple(f.name for f in fields)
        types = [f.type.name for f in fields]
        if any(f.type.family in ("array", "vector") for f in fields):
            params = tuple(stored(entity, f, r[f.key]) for r in rows for f in fields)
            super().__init__("new", build.table_of_rows(types, len(rows), "new", names), params)
        else:
            lists = tuple(columns_of(entity, f, [r[f.key] for r in rows]) for f in fields)
            super().__init__("new", build.table_of_arrays(types, "new", names), lists)
        for f in fields:
            clauses.add_column(self, f.name, f.type, key=f.key)


class MergeQuery:
    """A MERGE that runs when it is awaited and returns the number of rows it touched. Immutable.

    >>> async def sync(Product, rows) -> int:
    ...     merged = Product.merge(rows, on=[Product.sku])
    ...     return await merged.when_matched(lambda new: Product.price != new.price).update().when_not_matched().insert()
    """

    __slots__ = ("_entity", "_incoming", "_merge", "_said", "_tx")

    def __init__(self, entity: Entity, statement: Any, source: Source, tx: Any, said: frozenset[str]) -> None:
        self._entity = entity
        self._said = said
        self._merge = statement
        self._incoming = source
        self._tx = tx

    @property
    def new(self) -> Any:
        """The columns of the rows that are merged, by name: `m.new.price`."""
        return self._incoming.c

    def when_matched(self, condition: Condition = None) -> MergeAction:
        """WHEN MATCHED [AND condition]; a function gets the rows' columns."""
        return MergeAction(self, self._merge.when_matched(self._condition(condition)))

    def when_not_matched(self, condition: Condition = None) -> MergeAction:
        """WHEN NOT MATCHED [AND condition]: rows that are not in the table."""
        return MergeAction(self, self._merge.when_not_matched(self._condition(condition)))

    def when_not_matched_by_source(self, condition: Condition = None) -> MergeAction:
        """WHEN NOT MATCHED BY SOURCE (PostgreSQL 17): rows of the table that are not merged."""
        return MergeAction(self, self._merge.when_not_matched_by_source(self._condition(condition)))

    def _condition(self, condition: Any) -> Any:
        return condition(self.new) if callable(condition) else condition

    def __statement__(self) -> Statement:
        statement: Statement = self._merge.__statement__()
        return statement

    def sql(self) -> Compiled:
        """Text and parameters, without a connection."""
        compiled: Compiled = self._merge.sql()
        return compiled

    async def _run(self) -> int:
        statement = self.__statement__()
        count: int = await self._entity.writer(self._tx).run(statement.ir, statement.params, _COUNT)
        return count

    def __await__(self) -> Generator[Any, Any, int]:
        return self._run().__await__()


class MergeAction:
    """What a WHEN does."""

    __slots__ = ("_of", "_when")

    def __init__(self, of: MergeQuery, when: Any) -> None:
        self._of = of
        self._when = when

    def _then(self, statement: Any) -> MergeQuery:
        return MergeQuery(self._of._entity, statement, self._of._incoming, self._of._tx, self._of._said)

    def _values(self, given: Any, operators: Sequence[Any], keys: Iterable[str]) -> list[Assignment]:
        """What an action sets: by the names of columns that the rows have, by a mapping, by operators."""
        entity, source = self._of._entity, self._of._incoming
        if callable(given):
            given = given(source.c)
        if given is None and not operators:
            given = list(keys)
        if given is not None and not isinstance(given, Mapping | Operator):
            given = {k: source.column(entity.by_key[k].name) for k in (self._column(c) for c in given)}
        return assignments(entity, given, operators, {}, defaults=False)

    def _column(self, column: Any) -> str:
        if isinstance(column, DocumentPath):
            raise TypeError(
                f"merge() cannot tell the part {column.__owner__} of the new rows by its path: write a mapping, "
                "{path: value}, or a function of the new rows that returns one"
            )
        return self._of._entity.field(column).key

    def _given(self) -> list[str]:
        entity, source = self._of._entity, self._of._incoming
        return [f.key for f in entity.fields if f.name in source.columns and not f.spec.computed]

    def update(self, values: Any = None, /, *operators: Any) -> MergeQuery:
        """THEN UPDATE: of all columns that the rows say and that are not compared by, of those in a list, or by what update()
        takes: a mapping, also of parts of documents, operators, or a function of the rows' columns that returns a mapping.

        >>> def rename(Product, rows):
        ...     merged = Product.merge(rows, on=[Product.sku]).when_matched()
        ...     return merged.update(lambda new: {Product.category.name: new.name})
        """
        entity = self._of._entity
        keys = [k for k in self._given() if k in self._of._said and k not in entity.pk_keys]
        made = self._values(values, operators, keys)
        made += update_defaults(entity, {f.key for f, _, _ in made})
        return self._then(self._when.update(_by_name(made)))

    def insert(self, values: Any = None, /) -> MergeQuery:
        """THEN INSERT of all columns of the rows, of those in a list, or by a mapping or a function.

        Raises:
            TypeError: for a part of a document, as a new row has no document that it could be a part of.
        """
        given: Any = values(self._of._incoming.c) if callable(values) else values
        for key in dict[Any, Any](given) if isinstance(given, Mapping) else ():  # pyright: ignore[reportUnknownArgumentType]
            if isinstance(key, DocumentPath):
                raise TypeError(
                    f"{key.__owner__} is a part of a document, and a new row has none yet: insert the whole document, "
                    f"{{{key.__owner__.rsplit('.', 1)[0]}: …}}"
                )
        return self._then(self._when.insert(_by_name(self._values(given, (), self._given()))))

    def delete(self) -> MergeQuery:
        """THEN DELETE."""
        return self._then(self._when.delete())

    def do_nothing(self) -> MergeQuery:
        """THEN DO NOTHING."""
        return self._then(self._when.do_nothing())


def _by_name(made: Iterable[Assignment]) -> dict[Any, Any]:
    return {f.name: p[0] if s == build.PLACE else Built(s, p, None) for f, s, p in made}


def merge_into(entity: Entity, given: Any, on: Sequence[Any], tx: Any) -> MergeQuery:
    """The beginning of a MERGE.

    Raises:
        ConfigurationError: without rows, or without columns to compare by.
    """
    if not on:
        raise ConfigurationError("merge() needs the columns by which rows are the same: on=[…]")
    source: Source
    for c in on:
        if isinstance(c, DocumentPath):
            raise TypeError(
                f"merge() compares rows by whole columns, not by {c.__owner__}: use a column, or a query as the rows and a "
                "condition of when_matched()"
            )
    fields = [entity.field(c) for c in on]
    if isinstance(given, (Query, Source)):
        source = given if isinstance(given, Source) else given.subquery("new")
        said = {f.key for f in entity.fields if f.name in source.columns}
    else:
        rows: list[Mapping[str, Any]] = []
        said = set[str]()
        for r in given:
            made = as_row(entity, r)
            values = made.__dict__
            said |= made.model_fields_set
            # None in a key means that it is left out.
            nullable = said.difference(entity.pk_keys)
            rows.append({k: values[k] for k in entity.keys if k in values and (k in nullable or values[k] is not None)})
        if not rows:
            raise ConfigurationError("merge() needs at least one row")
        keys = tuple(k for k in entity.keys if k in rows[0])
        if any(r.keys() != rows[0].keys() for r in rows):
            raise ConfigurationError("merge() needs rows that set the same fields")
        source = _Rows(entity, keys, rows)
    conditions: list[Any] = [entity.columns[f.key] == source.column(f.name) for f in fields]
    statement = merge(entity.source).using(source, conditions)
    return MergeQuery(entity, statement, source, tx, frozenset(said - {f.key for f in fields}))
