"""Rows with their relations: to-one by a join, to-many by one more query for each relation, however many rows there are."""

# Structures are tuples of anything by nature: what is in them is checked by the core.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from data_bridge.core import begin_link, end_link, resolve
from data_bridge.core.errors import ColumnNotLoaded, ConfigurationError
from data_bridge.orm._events import loaded
from data_bridge.orm._state import Slots, links_of
from data_bridge.orm.relations.paths import LinkPath, Path, path_of
from data_bridge.query import ColumnProxy, Expr
from data_bridge.query.spi import Built, among, build, clauses, read, unnested
from data_bridge.query.types import Boolean

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.relation import Relation
    from data_bridge.orm.queries.builder import QueryBuilder


class Branch:
    """One relation to fetch, how, and what to fetch with its rows."""

    __slots__ = ("branches", "path", "query", "relation")

    def __init__(self, relation: Relation, path: Any = None) -> None:
        self.relation = relation
        self.path = path
        self.query: QueryBuilder[Any] | None = None
        self.branches: dict[str, Branch] = {}

    @property
    def is_joined(self) -> bool:
        """To one row, and nothing to refine."""
        return isinstance(self.path, LinkPath)


Tree = dict[str, Branch]
_PARENTS, _ROWS = "fetch.parents", "fetch.rows"
"""Names beside which no table of a user is called the same."""


def tree_of(entity: Entity, paths: Sequence[Any], depth: int, before: Tree | None = None) -> Tree:
    """What fetch_links() was told, by relation.

    Raises:
        AttributeError: for a name that is not a relation, with a near match.
        TypeError: for something that is not a path from this class.
    """
    tree: Tree = _copied(before) if before else {}
    if not paths:
        _everything(entity, tree, depth, None)
        return tree
    for given in paths:
        names: tuple[str, ...]
        query = None
        if isinstance(given, str):
            names = tuple(given.split("."))
        elif isinstance(given, Path):
            if given._root.source is not entity.source and given._root.cls not in entity.cls.__mro__:
                raise TypeError(f"{given!r} is not a relation of {entity.label}")
            names = tuple(r.name for r in given._chain)
            query = getattr(given, "_query", None)
        else:
            raise TypeError(
                f"fetch_links() takes relations such as {entity.label}.author, or their names, not {given!r}"
            )
        level, at, branch = tree, entity, None
        path: Any = None
        for name in names:
            relation = at.relation(name)
            # Rows behind many are loaded by a query of their own, in which the paths begin again.
            path = getattr(path, name) if isinstance(path, LinkPath) else path_of(at.cls, name)
            branch = level.setdefault(name, Branch(relation, path))
            level, at = branch.branches, relation.target
        assert branch is not None
        if query is not None:
            if branch.query is not None:
                raise ConfigurationError(
                    f"fetch_links() was given two queries for {entity.label}.{'.'.join(names)}, and one list holds the rows of one: "
                    "write one query with both conditions"
                )
            branch.query = query.of_entity(branch.relation.target)
            if query._links:
                for name, inner in query._links.items():
                    branch.branches.setdefault(name, inner)
    return tree


def _copied(tree: Tree) -> Tree:
    made: Tree = {}
    for name, branch in tree.items():
        new = made[name] = Branch(branch.relation, branch.path)
        new.query, new.branches = branch.query, _copied(branch.branches)
    return made


def _everything(entity: Entity, tree: Tree, depth: int, before: Any, path: Any = None) -> None:
    for name, relation in entity.relations.items():
        if (
            before is not None
            and relation.target is before.entity
            and relation.near == before.far
            and relation.far == before.near
        ):
            continue  # back to where we come from
        own = getattr(path, name) if isinstance(path, LinkPath) else path_of(entity.cls, name)
        branch = tree.setdefault(name, Branch(relation, own))
        if depth > 1:
            _everything(relation.target, branch.branches, depth - 1, relation, own)


# ---------------------------------------------------------------------------------------------------------- loading
async def load(query: QueryBuilder[Any], tree: Tree) -> list[Any]:
    """The rows of a query, with these relations."""
    rows, _ = await load_with(query, tree, ())
    return rows


def _executor(using: Any) -> Any:
    """Where statements run; for a stream, the connection of its cursor."""
    return using if hasattr(using, "run") else resolve(using)


async def load_with(query: QueryBuilder[Any], tree: Tree, extra: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Rows, and for each the values of the `extra` columns behind it, as the database has them."""
    entity = query._entity
    joined: list[tuple[Branch, int]] = []
    _joined(tree, joined, 0)
    executor = _executor(query._using)
    found: list[Any] = []
    if not joined and not extra:
        statement = query.__statement__()
        rows = await executor.run(statement.ir, statement.params, query._plan, timeout=query._timeout)
        values: list[Any] = []
    else:
        made, parts = _widened(query, [b for b, _ in joined], extra)
        statement = made.__statement__()
        plan = entity.mixed_with(query._plan, read.width_of(clauses.result_of(query).s), parts)
        found = await executor.run(statement.ir, statement.params, plan, timeout=query._timeout)
        rows = [t[0] for t in found]
        _attach(found, joined)
        width = 1 + len(joined)
        values = [t[width:] for t in found] if extra else []
    await loaded(entity, rows)
    for i, (branch, _) in enumerate(joined, 1):
        if branch.relation.target.has_load_hooks:
            await loaded(branch.relation.target, _unique(t[i] for t in found))
    await _deeper(rows, tree, query)
    return rows, values


def _joined(tree: Tree, found: list[tuple[Branch, int]], parent: int) -> None:
    """The branches that the same query brings, each with the position of the row that it belongs to."""
    for branch in tree.values():
        if branch.is_joined:
            found.append((branch, parent))
            _joined(branch.branches, found, len(found))


def _widened(query: QueryBuilder[Any], branches: list[Branch], extra: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The query with the columns of other tables behind its own."""
    structures: list[Any] = []
    params: tuple[Any, ...] = ()
    parts: list[Any] = []
    for branch in branches:
        target, source = branch.relation.target, branch.path.__table_source__
        structures.append(build.columns(source.name, (f.name for f in target.loaded)))
        parts.append((target, len(target.loaded), True))
    for column in extra:
        structures.append(column.s)
        params += column.p
        parts.append((None, 1, False))
    return clauses.with_more_results(query, structures, params), parts


def _attach(found: list[Any], joined: list[tuple[Branch, int]]) -> None:
    """Gives each row its others. Rows with the same key share one instance."""
    for position, (branch, parent) in enumerate(joined, 1):
        name = branch.relation.name
        key_of = _getter(branch.relation.target.pk_keys)
        seen: dict[Any, Any] = {}
        for t in found:
            row, other = t[parent], t[position]
            if row is None:
                continue
            if other is not None:
                other = seen.setdefault(key_of(other.__dict__), other)
            links = links_of(row)
            if links is None:
                Slots.set_links(row, {name: other})
            elif links.get(name) is None:
                links[name] = other


def _getter(keys: tuple[str, ...]) -> Any:
    # A row of a view without a key is told from others by itself.
    return itemgetter(*keys) if keys else id


def _unique(rows: Iterable[Any]) -> list[Any]:
    return list({id(r): r for r in rows if r is not None}.values())


async def _deeper(rows: list[Any], tree: Tree, query: QueryBuilder[Any]) -> None:
    """The relations that take queries of their own."""
    for branch in tree.values():
        name = branch.relation.name
        if branch.is_joined:
            if branch.branches:
                others = _unique(links_of(r).get(name) for r in rows)  # type: ignore[union-attr]
                await _deeper(others, branch.branches, query)
        else:
            await fill(branch, rows, query._using, query._timeout)


async def fill(branch: Branch, rows: list[Any], using: Any, timeout: float | None = None) -> None:
    """Gives rows that are here the other side of a relation: one query, and those of its branches."""
    relation = branch.relation
    key_of = _getter(relation.near)
    try:
        given = dict.fromkeys(key_of(r.__dict__) for r in rows)
    except KeyError as e:
        raise ColumnNotLoaded(
            f"{relation.label} needs {relation.entity.label}.{e.args[0]}, which was not loaded: add it to select()"
        ) from None
    keys = [k for k in given if k is not None and not (type(k) is tuple and None in k)]
    grouped: dict[Any, list[Any]] = {}
    if keys:
        query = branch.query if branch.query is not None else relation.target.query()
        query = query._copy()
        query._links = None
        query._using = using if using is not None else query._using
        query._timeout = timeout
        if relation.kind == "link":
            query = query.with_deleted()
        elif not clauses.order_of(query):
            query = query._ordered_by_key()  # a list has an order, as first() has
        for row, key in await _of_parents(query, branch, keys):
            grouped.setdefault(key, []).append(row)
    name, is_list = relation.name, relation.is_list
    for row in rows:
        found = grouped.get(key_of(row.__dict__))
        value = (list(found) if found else []) if is_list else found[0] if found else None
        links = links_of(row)
        if links is None:
            Slots.set_links(row, {name: value})
        else:
            links[name] = value


async def _of_parents(query: QueryBuilder[Any], branch: Branch, keys: list[Any]) -> Iterable[tuple[Any, Any]]:
    """The rows of a relation, each with the key of its parent."""
    relation, tree = branch.relation, branch.branches
    entity = relation.target
    if relation.kind == "many":
        through = relation.through
        query = query.join(through.source, relation.through_conditions())
        columns = [through.columns[k] for k in relation.through_near]
    else:
        columns = [entity.columns[k] for k in relation.far]
    if clauses.is_cut(query):
        return await _limited(query, tree, columns, keys)
    query = query.find(among(columns, keys))
    if relation.kind == "many":
        rows, values = await load_with(query, tree, columns)
        return _shared(rows, [v[0] if len(v) == 1 else v for v in values])
    rows, _ = await load_with(query, tree, ())
    key_of = _getter(relation.far)
    return [(r, key_of(r.__dict__)) for r in rows]


def _shared(rows: list[Any], keys: list[Any]) -> list[tuple[Any, Any]]:
    """A row that belongs to several parents is one instance."""
    if not rows:
        return []
    key_of = _getter(type(rows[0]).__db__.pk_keys)
    seen: dict[Any, Any] = {}
    return [(seen.setdefault(key_of(r.__dict__), r), k) for r, k in zip(rows, keys, strict=True)]


async def _limited(
    query: QueryBuilder[Any], tree: Tree, columns: Sequence[ColumnProxy[Any]], keys: list[Any]
) -> list[tuple[Any, Any]]:
    """At most n rows for each parent: a lateral subquery, which an index on the foreign key serves."""
    entity = query._entity
    joined: list[tuple[Branch, int]] = []
    _joined(tree, joined, 0)
    for i, column in enumerate(columns):
        condition: Expr[bool] = Built(build.equal(column.s, build.column(_PARENTS, f"k{i}")), (), Boolean)
        query = query.find(condition)
    made, parts = _widened(query, [b for b, _ in joined], ())
    statement = made.__statement__()
    labels = [f"c{i}" for i in range(read.width_of(read.result_of(statement.ir)))]
    single = read.single_columns(read.result_of(statement.ir))
    inner = build.with_result(statement.ir, [build.label(s, name) for s, name in zip(single, labels, strict=True)])
    call, params, names = unnested(columns, keys)
    parents = build.table_of_call(call, _PARENTS, names)
    outer = build.for_each(parents, build.columns(_PARENTS, names), inner, _ROWS, labels)
    parts += [(None, 1, False)] * len(columns)
    plan = entity.mixed_with(query._plan, read.width_of(clauses.result_of(query).s), parts)
    found = await _executor(query._using).run(outer, (*params, *statement.params), plan, timeout=query._timeout)
    _attach(found, joined)
    rows = [t[0] for t in found]
    await loaded(entity, rows)
    width = 1 + len(joined)
    await _deeper(rows, tree, query)
    return _shared(rows, [t[width] if len(columns) == 1 else t[width:] for t in found])


async def fetch(row: Any, paths: Sequence[Any], using: Any, depth: int = 1) -> None:
    """Gives one row, or several of a class, its relations; those that are here already are loaded again."""
    rows = row if isinstance(row, list) else [row]
    if not rows:
        return
    entity: Entity = type(rows[0]).__db__
    tree = tree_of(entity, paths, depth)
    for branch in tree.values():
        token = begin_link(branch.relation.label)
        try:
            await fill(branch, rows, using)
        finally:
            end_link(token)
