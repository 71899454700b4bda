"""ShapedQuery: what the rows of a query become instead of instances: dicts, tuples, values, other models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from data_bridge.core import LoadPlan
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.row_values import mixed_plans, plain_plans
from data_bridge.orm.queries.base import RowQuery
from data_bridge.orm.queries.chosen import Chosen
from data_bridge.orm.queries.optional import Optional_
from data_bridge.orm.registry import entity_if_table
from data_bridge.orm.relations.paths import LinkPath
from data_bridge.query import ColumnProxy, DocumentPath, Label, Node
from data_bridge.query.spi import Built, Columns, QuerySource, clauses, columns_of

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.queries.builder import QueryBuilder
    from data_bridge.query.spi import Source

T = TypeVar("T")
M = TypeVar("M")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

_DICTS = (LoadPlan.rows(dict), LoadPlan.rows(dict, many=False))
_TUPLES = (LoadPlan.rows(tuple), LoadPlan.rows(tuple, many=False))
_SCALARS = (LoadPlan.scalars(), LoadPlan.scalars(many=False))


class QueryPlan(str):
    """The text of a plan: a str, whose lines notebooks and shells show one below the other."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        escaped = self.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<pre>{escaped}</pre>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


class ShapedQuery(RowQuery[T], Generic[T]):
    """The shapes of a QueryBuilder."""

    __slots__ = ()

    def values(self, *columns: Any, **named: Any) -> QueryBuilder[dict[str, Any]]:
        """Rows as dicts: of these columns and labelled expressions, `name=expression` is one with a label; or of all columns."""
        columns = (*columns, *(self._named(e).label(n) for n, e in named.items()))
        chosen = columns or tuple(self._entity.source.columns[f.name] for f in self._entity.loaded)
        things = tuple(_by_field(self._named(c)) for c in chosen)
        return self._dicts(columns_of(things), things)

    def _dicts(self, chosen: Columns, things: tuple[Any, ...]) -> QueryBuilder[dict[str, Any]]:
        names = [name for name, _ in chosen.names]
        if len({*names}) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise ConfigurationError(
                f'two columns of the dicts are called {twice!r}: give one another name, .label("…") or name=column'
            )
        many, one = dicts_of(self._entity, things)
        return self._shaped(chosen, many, one, chosen=Chosen("values", things))

    @overload
    def tuples(self, a: type[A] | Node[A], /) -> QueryBuilder[tuple[A]]: ...
    @overload
    def tuples(self, a: type[A] | Node[A], b: type[B] | Node[B], /) -> QueryBuilder[tuple[A, B]]: ...
    @overload
    def tuples(
        self, a: type[A] | Node[A], b: type[B] | Node[B], c: type[C] | Node[C], /
    ) -> QueryBuilder[tuple[A, B, C]]: ...
    @overload
    def tuples(
        self, a: type[A] | Node[A], b: type[B] | Node[B], c: type[C] | Node[C], d: type[D] | Node[D], /
    ) -> QueryBuilder[tuple[A, B, C, D]]: ...
    @overload
    def tuples(self, *columns: Any) -> QueryBuilder[tuple[Any, ...]]: ...
    def tuples(self, *columns: Any) -> QueryBuilder[Any]:
        """Rows as tuples of columns, expressions and whole tables: `tuples(User, Order.total)`."""
        parts: list[tuple[Entity | None, int, bool]] = []
        things: list[Any] = []
        for c in columns:
            optional = isinstance(c, Optional_)
            table = c.table if isinstance(c, Optional_) else c
            entity = entity_if_table(table)
            if entity is None or isinstance(table, Node):
                parts.append((None, 1, False))
                things.append(self._named(c))
                continue
            source = table.__table_source__
            # A row has its key, so that one full of NULLs is the partner that an outer join did not find.
            parts.append((entity, len(entity.loaded), optional or bool(entity.pk_names)))
            things += [source.columns[f.name] for f in entity.loaded]
        if all(p[0] is None for p in parts):
            many, one = plain_plans(self._entity, tuple, things, _TUPLES)
        else:
            many, one = mixed_plans(self._entity, parts, things)
        return self._shaped(columns_of(tuple(things)), many, one, chosen=Chosen("tuples", columns))

    def scalars(self, column: type[A] | Node[A]) -> QueryBuilder[A]:
        """The values of one column or expression."""
        thing = (self._named(column),)
        many, one = plain_plans(self._entity, None, thing, _SCALARS)
        return self._shaped(columns_of(thing), many, one, chosen=Chosen("scalars", thing))

    def project(self, model: type[M]) -> QueryBuilder[M]:
        """Rows as instances of a Pydantic model; only its fields are selected, by name."""
        fields = getattr(model, "__pydantic_fields__", None)
        if fields is None:
            raise TypeError("project() takes a Pydantic model")
        things = tuple(
            self._entity.columns[k].label(k) if k in self._entity.columns else self._named(k) for k in fields
        )
        return self._shaped(columns_of(things), *_DICTS, model, chosen=Chosen("project", things))

    def _as_columns(self) -> QueryBuilder[Any]:
        """The query with a named column for each value of its rows, as a data frame has them.

        Raises:
            ConfigurationError: two columns have one name, or the query loads relations.
        """
        if self._links is not None:
            raise ConfigurationError(
                "fetch_links() loads rows of other tables, which a data frame has no place for: join() them"
            )
        chosen = self._chosen
        if chosen is None:
            of = cast("Source", clauses.source_of(self)).columns
            # DISTINCT of fewer columns would have fewer rows than the query returns as instances.
            said = None if clauses.has_clause(self, "distinct", "distinct_on") else self._said
            names = [name for name, _ in (said or clauses.result_of(self)).names]
            return self.values(*(of[name] for name in names))
        if chosen.by in {"values", "project"}:
            return self  # type: ignore[return-value]
        return self.values(*(c for thing in chosen.columns for c in _columns_in(thing)))

    def column_names(self) -> list[str]:
        """The names of the result's columns in their order: the loaded fields of instances, the keys of dicts.

        >>> def header(User) -> list[str]:
        ...     return User.find().values(User.id, User.name).column_names()
        """
        columns = self._entity.source.columns
        names = [name for name, _ in clauses.result_of(self).names]
        return names if self._chosen is not None else [columns[name].__column__.key for name in names]

    def _named(self, column: Any) -> Any:
        if isinstance(column, str):
            return self._entity.source.column(column)
        if isinstance(column, QuerySource) and column not in clauses.sources_of(self):
            return _scalar(column)
        return column

    if TYPE_CHECKING:

        def aggregate(self, **named: Any) -> QueryBuilder[dict[str, Any]]:
            """Rows as dicts with a key for each group and each of these expressions."""
            ...

        @overload
        def distinct(self) -> Self: ...
        @overload
        def distinct(self, column: type[A] | Node[A]) -> QueryBuilder[A]: ...
        @overload
        def distinct(self, column: str) -> QueryBuilder[Any]: ...
        def distinct(self, column: Any = None) -> Any:
            """SELECT DISTINCT; of a column, its different values."""
            ...

    else:

        def aggregate(self, *pipeline: Any, **named: Any) -> QueryBuilder[dict[str, Any]]:
            """Rows as dicts with a key for each group and each of these expressions."""
            if pipeline:
                raise TypeError(
                    "aggregate() takes named expressions, not a pipeline: group_by(T.kind).aggregate(n=func.count())"
                )
            groups = [_labelled(k) for k in self._grouped]
            things = (*groups, *(e.label(name) for name, e in named.items()))
            return self._dicts(columns_of(things), things)

        def distinct(self, column: Any = None) -> Any:
            """SELECT DISTINCT; of a column, its different values."""
            return super().distinct() if column is None else self.scalars(column).distinct()

    def group_by(self, *keys: Any, distinct: bool = False) -> Self:
        """Groups rows; aggregate() says what is wanted of each group."""
        nodes = tuple(self._named(c) for k in keys for c in (k._near_columns() if isinstance(k, LinkPath) else (k,)))
        new = super().group_by(*nodes, distinct=distinct)
        new._grouped = (*self._grouped, *nodes)
        return new


def _scalar(source: QuerySource) -> Any:
    """A subquery as a value, called like its only column."""
    columns = list(source.columns.values())
    if len(columns) != 1:
        raise TypeError(
            f"the subquery {source.label!r} has {len(columns)} columns: as a value it has one; to use it as a table, join() it first"
        )
    s, p = source.__operand__()
    value: Built[Any] = Built(s, p, columns[0].t)
    return value.label(columns[0].__column__.name)


def dicts_of(entity: Entity, things: tuple[Any, ...]) -> tuple[LoadPlan, LoadPlan]:
    """The plans of dicts of these columns: of all rows, and of one."""
    return plain_plans(entity, dict, things, _DICTS)


def _columns_in(thing: Any) -> tuple[Any, ...]:
    """The columns of a whole table, or the column itself."""
    table: Any = thing.table if isinstance(thing, Optional_) else thing
    entity = entity_if_table(table)
    if entity is None or isinstance(table, Node):
        return (thing,)
    return tuple(table.__table_source__.columns[f.name] for f in entity.loaded)


def _labelled(key: Any) -> Any:
    return _by_field(key) if isinstance(key, ColumnProxy | Label | DocumentPath) else key.label("group")


def _by_field(column: Any) -> Any:
    """A column under the name of its field, where the database has another one."""
    info = column.__column__ if type(column) is ColumnProxy else None  # pyright: ignore[reportUnknownVariableType]
    return column if info is None or info.key == info.name else column.label(info.key)  # pyright: ignore[reportUnknownVariableType]
