"""RowQuery: the rows of a Table class: which of them, where they are asked for, what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from typing_extensions import deprecated

from data_bridge.core import LoadPlan, Statement
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.queries.aliases import AliasSource
from data_bridge.orm.queries.borrowed_names import KEYWORDS, lend_names
from data_bridge.orm.queries.chosen import Chosen
from data_bridge.orm.queries.projection import chosen_columns, loaded_columns
from data_bridge.orm.queries.with_home import WithHome
from data_bridge.orm.registry import entity_if_table
from data_bridge.orm.relations.loading import tree_of
from data_bridge.orm.relations.paths import LinkPath, path_from
from data_bridge.query import ColumnProxy, Node, Order, Select
from data_bridge.query.spi import Columns, build, clauses, sampled
from data_bridge.query.spi.table_names import mentioned

if TYPE_CHECKING:
    from typing import Self

    from data_bridge.core import Database, Transaction
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.queries.builder import QueryBuilder
    from data_bridge.orm.queries.union import UnionQuery
    from data_bridge.orm.relations.loading import Tree
    from data_bridge.query.spi import How

T = TypeVar("T")
PLAIN = "annotate the column as Col[...], or write col(User.age): this comparison is a bool to the type checker"
_statement: Callable[[Any], Statement] = cast(Any, Select).__statement__
_order_by: Callable[..., Any] = cast(Any, Select).order_by


class RowQuery(WithHome, Select[T], Generic[T]):
    """What every query of a Table has; see QueryBuilder."""

    __slots__ = (
        "_chosen",
        "_entity",
        "_grouped",
        "_hard",
        "_keeps",
        "_links",
        "_model",
        "_one",
        "_plan",
        "_said",
        "_skip",
        "_timeout",
        "_unfiltered",
        "_using",
    )

    _entity: Entity
    _plan: LoadPlan
    _one: LoadPlan | None
    _said: Columns | None
    """Of select(): the columns that were named, in their order; what instances need is not among them."""
    _model: Any
    _chosen: Chosen | None
    """Which method chose the columns of the result, and these columns; None for instances."""
    _using: Any
    _timeout: float | None
    _unfiltered: bool
    _grouped: tuple[Any, ...]
    _links: Tree | None
    _hard: bool
    _keeps: str | None
    """The kind of a join that keeps rows without a row of this table."""
    _skip: Any

    @classmethod
    def of(cls, entity: Entity, source: Any = None) -> QueryBuilder[Any]:
        """All rows of a table; of one with soft deletion, those that were not deleted."""
        chosen = entity.source if source is None else source
        new: Any = clauses.made(cls, loaded_columns(entity, chosen), chosen, entity.present)
        new._entity = entity
        new._plan = entity.plan()
        new._one = None
        new._said = None
        new._model = None
        new._chosen = None
        new._using = entity.settings.using
        new._timeout = None
        new._unfiltered = False
        new._grouped = ()
        new._links = None
        new._hard = False
        new._keeps = None
        new._skip = ()
        return new  # type: ignore[no-any-return]

    def _copy(self) -> Self:
        new = super()._copy()
        new._entity = self._entity
        new._plan = self._plan
        new._one = self._one
        new._said = self._said
        new._model = self._model
        new._chosen = self._chosen
        new._using = self._using
        new._timeout = self._timeout
        new._unfiltered = self._unfiltered
        new._grouped = self._grouped
        new._links = self._links
        new._hard = self._hard
        new._keeps = self._keeps
        new._skip = self._skip
        return new

    def of_entity(self, entity: Entity) -> Self:
        """The same query for rows of a class that stands for the same table on another database."""
        if self._entity is entity or self._entity.source is not entity.source:
            return self
        new = self._copy()
        is_whole = new._plan is new._entity.plan()
        new._entity = entity
        if is_whole:
            new._plan = entity.plan()
        return new

    def _shaped(
        self,
        columns: Columns,
        plan: LoadPlan,
        one: LoadPlan | None = None,
        model: Any = None,
        chosen: Chosen | None = None,
    ) -> QueryBuilder[Any]:
        new: Any = clauses.with_result(self, columns)
        new._plan, new._one, new._model = plan, one, model
        new._chosen = chosen
        new._said = None
        new._links = None
        return new  # type: ignore[no-any-return]

    if not TYPE_CHECKING:

        def join(self, table: Any, on: Any = None, *, how: Any = "inner", using: Any = None) -> Self:
            """Joins a table; without `on` by the only foreign key between it and the tables before.

            Of a table with soft deletion, only rows that were not deleted are joined.
            """
            new = super().join(table, on, how=how, using=using)
            if how in ("right", "full"):
                new._keeps = how
            entity = entity_if_table(table)
            if entity is None or entity.soft is None:
                return new
            there = clauses.sources_of(new)[-1].columns
            return clauses.with_last_join_narrowed(new, (build.is_null(there[entity.soft.name].s),))

        def order_by(self, *keys):
            """Adds sort keys; a link sorts by the key that it holds."""
            if LinkPath in map(type, keys):
                keys = [c for k in keys for c in (k._near_columns() if type(k) is LinkPath else (k,))]
            return _order_by(self, *keys)

    if TYPE_CHECKING:

        def union(self, *others: Any, all: bool = False) -> UnionQuery[T]: ...  # noqa: A002, D102
        def union_all(self, *others: Any) -> UnionQuery[T]: ...  # noqa: D102
        def intersect(self, *others: Any, all: bool = False) -> UnionQuery[T]: ...  # noqa: A002, D102
        def except_(self, *others: Any, all: bool = False) -> UnionQuery[T]: ...  # noqa: A002, D102
        @overload
        def order_by(self, *keys: Node[Any] | Order | str | None) -> Self: ...
        @overload
        @deprecated(PLAIN)
        def order_by(self, *keys: Any) -> Self: ...
        def order_by(self, *keys: Any) -> Self: ...  # noqa: D102
        @overload
        def having(self, *conditions: Node[bool]) -> Self: ...
        @overload
        @deprecated(PLAIN)
        def having(self, *conditions: Node[bool] | bool) -> Self: ...
        def having(self, *conditions: Any) -> Self: ...  # noqa: D102
        @overload
        def join(
            self,
            table: Any,
            on: Node[bool] | Sequence[Node[bool]] | None = None,
            *,
            how: How = "inner",
            using: Sequence[str] | str | None = None,
        ) -> Self: ...
        @overload
        @deprecated(PLAIN)
        def join(
            self, table: Any, on: bool, *, how: How = "inner", using: Sequence[str] | str | None = None
        ) -> Self: ...
        def join(self, table: Any, on: Any = None, *, how: How = "inner", using: Any = None) -> Self:
            """Joins a table; without `on` by the only foreign key between it and the tables before.

            Of a table with soft deletion, only rows that were not deleted are joined.
            """
            ...

    def _instances(self) -> None:
        """Looks whether every row of the result has a row of this table.

        Raises:
            ConfigurationError: a right or full join keeps rows that have none.
        """
        if self._keeps is not None and self._chosen is None:
            what = f'join(how="{self._keeps}") keeps rows that have no {(label := self._entity.label)}, which find() cannot return'
            raise ConfigurationError(f"{what}: add .tuples(optional({label}), …), which returns None for them")

    # ------------------------------------------------------------------------------------------------- where it runs
    def using(self, database: str | Database | Transaction) -> Self:
        """Runs on another database: an alias, a Database or a Transaction."""
        new = self._copy()
        new._using = database
        return new

    def timeout(self, seconds: float) -> Self:
        """Cancels the statement on the server after this time."""
        new = self._copy()
        new._timeout = seconds
        return new

    # ------------------------------------------------------------------------------------------------------- which rows
    def where(self, *conditions: Any, **equals: Any) -> Self:
        """Adds conditions, joined by AND: expressions, mappings, name=value; a Link equals a row or its key.

        >>> def of_ann(Post, ann):
        ...     return Post.find(Post.title.startswith("A"), author=ann)
        """
        return self._copy()._narrow(conditions, equals)

    def _narrow(self, conditions: tuple[Any, ...], equals: Mapping[str, Any]) -> Self:
        if self._entity.relations and (equals or any(isinstance(c, Mapping) for c in conditions)):
            conditions, equals = self._with_links(conditions, equals)
        try:
            return super()._narrow(conditions, equals)
        except AttributeError:
            borrowed = next((k for k in equals if k in KEYWORDS and k not in self._entity.by_key), None)
            if borrowed is None:
                raise
        label, spelling = self._entity.label, KEYWORDS[borrowed]
        raise AttributeError(
            f"{label} has no column {borrowed!r}: for find({borrowed}=…) write {spelling.format(T=label)}"
        )

    find = where

    def _with_links(
        self, conditions: tuple[Any, ...], equals: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Conditions in which `author=user` became a condition on the key."""
        relations = self._entity.relations
        made: list[Any] = []

        def take(given: Mapping[Any, Any]) -> dict[Any, Any]:
            rest: dict[Any, Any] = {}
            for key, value in given.items():
                name = getattr(key, "__link_name__", key)
                relation = relations.get(name) if isinstance(name, str) else None
                if relation is not None and relation.kind == "link":
                    path: Any = getattr(self._entity.cls, relation.name)
                    made.append(path._compared(value))
                else:
                    rest[key] = value
            return rest

        for c in conditions:
            if isinstance(c, Mapping):
                rest = take(dict[Any, Any](c))  # pyright: ignore[reportUnknownArgumentType]
                if rest:
                    made.append(rest)
            else:
                made.append(c)
        rest_of_equals = take(equals)
        return tuple(made), rest_of_equals

    def _only_as(self, present: tuple[Any, ...]) -> Self:
        entity = self._entity
        where, _ = clauses.conditions_of(self)
        kept = (c for c in where if c not in entity.present and c not in entity.deleted)
        return clauses.with_conditions(self, (*present, *kept))

    def with_deleted(self) -> Self:
        """Also rows that were deleted softly."""
        return self._only_as(()) if self._entity.present else self

    def only_deleted(self) -> Self:
        """Only rows that were deleted softly.

        Raises:
            TypeError: for a table without soft deletion.
        """
        if not self._entity.deleted:
            raise TypeError(f"{self._entity.label} has no soft deletion: inherit SoftDeleteMixin")
        return self._only_as(self._entity.deleted)

    def skip_events(self, *events: Any) -> Self:
        """update() and delete() without the functions that wait for these events (or have these names), or for any."""
        new = self._copy()
        new._skip = events or True
        return new

    def tablesample(self, percent: float, *, method: str = "bernoulli", seed: float | None = None) -> Self:
        """A random part of the table's rows (or pages, with method="system"), before any condition.

        >>> def some(User):
        ...     return User.find().tablesample(1, seed=42)
        """
        return clauses.with_source(self, sampled(self._entity.source, percent, method, seed))

    # -------------------------------------------------------------------------------------------------- results
    def select(self, *columns: Any) -> Self:
        """Partial instances: only these columns are loaded, and the key; another one raises ColumnNotLoaded.

        As a part of another statement (in_(), exists(), subquery(), union(), insert_from()) the query has just the
        columns that are named here, in this order.

        Raises:
            TypeError: for an expression; values() and tuples() take those.
        """
        entity = self._entity
        said: list[str] = []
        for c in columns:
            if isinstance(c, LinkPath) and c._root.source is entity.source and len(c._chain) == 1:
                found = c._last.near
            elif isinstance(c, (str, ColumnProxy)):
                name = c if isinstance(c, str) else None
                found = entity.relations[name].near if name in entity.relations else (entity.field(c).key,)
            else:
                raise TypeError("select() loads columns into instances; expressions go into values() or tuples()")
            said += found
        wanted = {*entity.pk_keys, *said}
        new = self._partial(tuple(k for k in entity.keys if k in wanted))
        if said:
            new._said = chosen_columns([entity.by_key[k] for k in said], clauses.source_of(self))
        return new

    only = select

    def defer(self, *columns: Any) -> Self:
        """Partial instances without these columns."""
        out = {self._entity.field(c).key for c in columns} - set(self._entity.pk_keys)
        return self._partial(tuple(f.key for f in self._entity.loaded if f.key not in out))

    def _partial(self, keys: tuple[str, ...]) -> Self:
        entity = self._entity
        new = clauses.with_result(self, chosen_columns([entity.by_key[k] for k in keys], clauses.source_of(self)))
        new._said = None
        new._plan, new._one = entity.plan(keys), entity.plan(keys, many=False)
        return new

    def fetch_links(self, *paths: Any, depth: int = 1) -> Self:
        """Loads relations with the rows: of one row by a join, of many by one more query for each relation.

        Args:
            paths: relations (`Post.author`, `Post.comments.author`, `Author.books.order_by(-Book.year).limit(3)`) or
                their names; none means all of them.
            depth: how many levels, when no paths are given.

        Raises:
            AttributeError: for a name that is not a relation.
            TypeError: for a query whose rows are no instances.

        >>> async def feed(Post) -> list:
        ...     return await Post.find().order_by(-Post.id).limit(20).fetch_links(Post.author, Post.comments.author)
        """
        if self._model is not None or self._plan not in self._entity.instance_plans:
            raise TypeError("fetch_links() needs instances: values(), tuples() and project() have no relations")
        new = self._copy()
        new._links = tree_of(self._entity, paths, depth, self._links)
        return new

    # ----------------------------------------------------------------------------------------------------- statement
    def _with_paths(self) -> Self:
        """The query with the tables joined that paths in it mention."""
        known: dict[str, Any] = self._entity.paths
        sources = {s.name: s for s in clauses.sources_of(self)}
        aliases: dict[str, Any] = {
            s.name: s.paths for s in clauses.sources_of(self)[1:] if isinstance(s, AliasSource) and s.paths
        }
        for paths in aliases.values():
            known = {**known, **paths}
        if not known:
            return self
        found: set[str] = set()
        for s in clauses.structures_of(self):
            mentioned(s, known, found)
        found -= sources.keys()
        if not found:
            return self
        joins: list[Any] = []
        behind: list[Any] = []
        added: dict[str, Any] = {}
        # What an outer join may leave empty must not lose its row to an inner join behind it.
        outer = {join.alias for join in clauses.joins_of(self).joins if join.how != "inner"}
        for name in sorted(found):
            path = known[name]
            of = path._root.source.name
            if of in aliases:
                self._add_join(path, behind, sources, added, of in outer)
            else:
                self._add_join(path, joins, sources, added)
        made = clauses.with_joins_around(self, joins, behind, tuple(added.values()))
        # Rows of joined tables are not what the caller means to lock.
        return clauses.with_locks_on(made, self._entity.source.name)

    def _add_join(
        self, path: Any, joins: list[Any], known: Mapping[str, Any], added: dict[str, Any], is_outer: bool = False
    ) -> None:
        chain = path._chain
        if len(chain) > 1:
            self._add_join(path_from(path._root, chain[:-1]), joins, known, added, is_outer)
        source = path.__table_source__
        if source.name in known or source.name in added:
            return
        relation, there = path._last, path._last.target
        on = tuple(
            build.equal(build.column(source.name, there.by_key[far].name), near.s)
            for far, near in zip(relation.far, path._near_columns(), strict=True)
        )
        if relation.kind == "back" and there.soft is not None:
            on += (build.is_null(build.column(source.name, there.soft.name)),)
        join = build.left_join if is_outer or any(r.is_optional for r in chain) else build.inner_join
        joins.append(join(source.s, on))
        added[source.name] = source

    def columns(self, *columns: Any) -> Self:
        """The same query with other result columns; see Select.columns()."""
        new: Any = super().columns(*columns)
        new._said = None
        return new  # type: ignore[no-any-return]

    def _inside(self) -> Self:
        if self._said is None:
            return self
        new = clauses.with_result(self, self._said)
        new._said = None
        return new

    def __statement__(self) -> Statement:
        if not self._entity.paths and clauses.is_of_one_table(self):
            return _statement(self)
        return super(RowQuery, self._with_paths()).__statement__()


lend_names(RowQuery)
