"""Paths: relations on the class, in filters (`Post.author.name == "x"`) and as what fetch_links() is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.subquery import correlated
from data_bridge.query import ColumnProxy, Expr, Node, TableSource, func, row
from data_bridge.query.spi import Built, build
from data_bridge.query.types import BigInt, Boolean

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.relation import Relation
    from data_bridge.orm.queries.aliases import AliasRoot
    from data_bridge.orm.queries.builder import QueryBuilder

M = TypeVar("M")


class Path:
    """A chain of relations from a class on."""

    __slots__ = ("_chain", "_members", "_root", "_table")

    _root: Entity | AliasRoot
    _chain: tuple[Relation, ...]
    _members: dict[str, Any]
    _table: TableSource | None

    @property
    def _last(self) -> Relation:
        return self._chain[-1]

    @property
    def _label(self) -> str:
        return ".".join([self._root.label, *(r.name for r in self._chain)])

    def _member(self, name: str) -> Any:
        relation = self._last.target.relations.get(name)
        if relation is None:
            return None
        found = self._members.get(name)
        if found is None:
            found = self._members[name] = path_from(self._root, (*self._chain, relation))
        return found

    def __repr__(self) -> str:
        return f"<{self._label}>"


class LinkPath(Path):
    """To one row: `Post.author`. Its attributes are columns of the other table, which a query joins when it meets them."""

    __slots__ = ()

    @property
    def __db__(self) -> Entity:
        return self._last.target

    @property
    def __link_name__(self) -> str | None:
        """The name of the link, when the path is no more than that."""
        return self._last.name if len(self._chain) == 1 else None

    @property
    def __table_source__(self) -> TableSource:
        if self._table is None:
            entity = self._last.target
            name = alias_of(self._root, self._chain)
            keys = {f.name: f.key for f in entity.fields}
            self._table = TableSource(entity.definition, name, owner=self._label, keys=keys)
            entity.complete(self._table)
            self._root.paths[name] = self
        return self._table

    def _near_columns(self) -> tuple[ColumnProxy[Any], ...]:
        """The columns before the join that hold the other row's key, or are held by it."""
        if len(self._chain) == 1:
            return tuple(self._root.columns[k] for k in self._last.near)
        before: Any = path_from(self._root, self._chain[:-1])
        source = before.__table_source__
        return tuple(source.columns[before._last.target.by_key[k].name] for k in self._last.near)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self._members.get(name)
        if found is None:
            found = self._member(name)
        if found is None:
            last = self._last
            if last.kind == "link" and name in last.far:  # the key is here already
                found = self._near_columns()[last.far.index(name)]
            else:
                found = self.__table_source__.column(name)
            self._members[name] = found
        return found

    @property
    def c(self) -> Any:
        """The columns by name."""
        return self.__table_source__.c

    # As type checkers see a class here, these serve those who write `Post.author == user` all the same.
    def __eq__(self, other: object) -> Any:
        if isinstance(other, Path):
            return self is other
        return self._compared(other)

    def __ne__(self, other: object) -> Any:
        return self is not other if isinstance(other, Path) else ~self._compared(other)

    def in_(self, rows: Iterable[Any]) -> Expr[bool]:
        """Whether the link is to one of these rows, or keys."""
        keys = [self._last.key_of(given) for given in rows]
        columns = self._near_columns()
        made: Any = columns[0].in_([k[0] for k in keys]) if len(columns) == 1 else row(*columns).in_(keys)
        return made  # type: ignore[no-any-return]

    def not_in(self, rows: Iterable[Any]) -> Expr[bool]:
        """Whether the link is to none of these rows, or keys."""
        return ~self.in_(rows)

    def is_null(self) -> Expr[bool]:
        """Whether the link is to no row."""
        return self._near_columns()[0].is_null()

    def is_not_null(self) -> Expr[bool]:
        """Whether the link is to a row."""
        return self._near_columns()[0].is_not_null()

    def _compared(self, other: Any) -> Expr[bool]:
        values = self._last.key_of(other)
        made: Any = None
        for column, value in zip(self._near_columns(), values, strict=True):
            condition: Any = column == value
            made = condition if made is None else made & condition
        return made  # type: ignore[no-any-return]

    __hash__ = object.__hash__


class ManyPath(Path, Generic[M]):
    """To several rows: `User.posts`. In filters any(), none(), all() and count(); what fetch_links() brings is refined by the rest.

    >>> def busy(User, Post):
    ...     return User.find(User.posts.any(Post.title == "x"), User.posts.count() > 3).order_by(-User.posts.count())
    """

    __slots__ = ("_query",)

    _query: QueryBuilder[Any] | None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
    else:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            found = self._member(name)
            if found is None:
                label = self._label
                raise AttributeError(
                    f"{label} has no relation {name!r}; conditions on its rows go into {label}.any({self._last.target.label}.{name} …)"
                )
            return found

    # ------------------------------------------------------------------------------------------------------ conditions
    def any(self, *filters: Any, **equals: Any) -> Expr[bool]:
        """Whether there is such a row."""
        s, p = self._related(filters, equals)
        return Built(build.exists(s), p, Boolean)

    def none(self, *filters: Any, **equals: Any) -> Expr[bool]:
        """Whether there is no such row."""
        return ~self.any(*filters, **equals)

    def all(self, *filters: Any, **equals: Any) -> Expr[bool]:
        """Whether every row is such a one; true without rows."""
        made: Any = None
        for f in [*filters, *([self._last.target.columns[k] == v for k, v in equals.items()])]:
            made = f if made is None else made & f
        # A condition that is NULL for a row is not fulfilled.
        return self.none(func.coalesce(~made, True) if made is not None else Built(("false",), (), Boolean))

    def count(self, *filters: Any, **equals: Any) -> Expr[int]:
        """The number of such rows."""
        s, p = self._related(filters, equals, func.count())
        return Built(build.subquery(s), p, BigInt)

    def _aggregated(self, call: Any) -> Expr[Any]:
        s, p = self._related((), {}, call)
        return Built(build.subquery(s), p, call.t)

    def sum(self, column: Node[Any]) -> Expr[Any]:
        """The sum over the rows, NULL without one."""
        return self._aggregated(func.sum(column))

    def min(self, column: Node[Any]) -> Expr[Any]:
        """The least value, NULL without rows."""
        return self._aggregated(func.min(column))

    def max(self, column: Node[Any]) -> Expr[Any]:
        """The greatest value, NULL without rows."""
        return self._aggregated(func.max(column))

    def _related(self, filters: tuple[Any, ...], equals: dict[str, Any], *columns: Any) -> tuple[Any, tuple[Any, ...]]:
        """The correlated query: its structure and parameters."""
        relation = self._last
        query = self._query if self._query is not None else relation.target.query()
        if filters or equals:
            query = query.find(*filters, **equals)
        return correlated(query, columns, relation, self._near_columns(), self._names())

    def _near_columns(self) -> tuple[ColumnProxy[Any], ...]:
        if len(self._chain) == 1:
            return tuple(self._root.columns[k] for k in self._last.near)
        before = path_from(self._root, self._chain[:-1])
        if not isinstance(before, LinkPath):
            raise TypeError(f"{self._label} goes through many rows: nest any(), {before!r}.any(….any(…))")
        source = before.__table_source__
        return tuple(source.columns[before._last.target.by_key[k].name] for k in self._last.near)

    def _names(self) -> set[str]:
        """The names of tables around the correlated query that its own must not hide."""
        return {self._root.source.name, *(r.target.source.name for r in self._chain[:-1])}

    # ------------------------------------------------------------------------------------------------------ refinement
    def _refined(self, query: QueryBuilder[Any]) -> Self:
        made = object.__new__(type(self))
        made._root, made._chain, made._table, made._query = self._root, self._chain, None, query
        made._members = {}
        return made

    def _base(self) -> QueryBuilder[Any]:
        return self._last.target.query() if self._query is None else self._query

    def find(self, *filters: Any, **equals: Any) -> Self:
        """For fetch_links(): only such rows."""
        return self._refined(self._base().find(*filters, **equals))

    where = find

    def order_by(self, *columns: Any) -> Self:
        """For fetch_links(): the rows in this order."""
        return self._refined(self._base().order_by(*columns))

    def limit(self, n: int | None) -> Self:
        """For fetch_links(): at most n rows for each parent."""
        return self._refined(self._base().limit(n))

    def offset(self, n: int | None) -> Self:
        """For fetch_links(): without the first n rows of each parent."""
        return self._refined(self._base().offset(n))

    def fetch_links(self, *paths: Any, depth: int = 1) -> Self:
        """For fetch_links(): with these relations of the rows."""
        return self._refined(self._base().fetch_links(*paths, depth=depth))


def alias_of(root: Entity | AliasRoot, chain: tuple[Relation, ...]) -> str:
    """The alias of a joined table: "post.author", which no table and no alias of a user looks like."""
    name = ".".join([root.source.name, *(r.name for r in chain)])
    if len(name.encode()) > 63:
        name = (
            name.encode()[:48].decode(errors="ignore")
            + "."
            + hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:12]
        )
    return name


def path_from(root: Entity | AliasRoot, chain: tuple[Relation, ...]) -> Any:
    """The path along these relations from a class, or from an alias of one."""
    made: Any
    last = chain[-1]
    many = last.kind == "many" or (last.kind == "back" and last.is_list)
    if any(r.is_list or r.kind == "many" for r in chain[:-1]) and not many:
        made = object.__new__(FarPath)
    elif many:
        made = object.__new__(ManyPath)  # pyright: ignore[reportUnknownVariableType]
        made._query = None
    else:
        made = object.__new__(LinkPath)
    made._root, made._chain, made._members, made._table = root, chain, {}, None
    return made


class FarPath(Path):
    """To one row behind several: `Post.comments.author`, for fetch_links() only."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self._member(name)
        if found is None:
            raise AttributeError(f"{self._label} is behind many rows: write conditions on it inside any()")
        return found


def path_of(cls: Any, name: str) -> Any:
    """The path of a relation of a class; one object per class and relation."""
    entity = entity_of(cls)
    found = entity.link_paths.get(name)
    if found is None:
        found = entity.link_paths[name] = path_from(entity, (entity.relations[name],))
    return found
