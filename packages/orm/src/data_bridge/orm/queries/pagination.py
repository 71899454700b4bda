"""PagedQuery: rows of a query one by one, in batches, in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_bridge.core import RowStream, resolve
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm._events import loaded
from data_bridge.orm._page import Page
from data_bridge.orm.mapping.entity_keys import need_key
from data_bridge.orm.queries.keyset import Keyset, check_page, keyset_of, page_by_key
from data_bridge.orm.queries.result_types import ShapedQuery
from data_bridge.orm.queries.total_order import in_total_order
from data_bridge.orm.relations.loading import fill, load_with
from data_bridge.query import func, literal
from data_bridge.query.spi import clauses

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


class PagedQuery(ShapedQuery[T], Generic[T]):
    """The streams and pages of a QueryBuilder."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _ordered_by_key(self) -> Self: ...
        async def to_list(self) -> list[T]: ...  # noqa: D102
        async def count(self) -> int: ...  # noqa: D102

    # ------------------------------------------------------------------------------------------------------- streams
    def stream(self, batch: int = 1000) -> RowStream[T]:
        """Rows by a cursor on the server, in bounded memory; as a block, it returns the connection at its end."""
        self._instances()
        model = self._model

        def validated(rows: list[Any]) -> list[Any]:
            return [model.model_validate(r) for r in rows]

        convert = None if model is None else validated
        compiled = self.sql()
        return RowStream(resolve(self._using), compiled.sql, compiled.params, self._plan, batch, convert)

    def __aiter__(self) -> AsyncIterator[T]:
        if self._links is not None or self._hooked():
            return self._one_by_one()
        return self.stream().__aiter__()

    def _hooked(self) -> bool:
        return self._entity.has_load_hooks and self._plan in self._entity.instance_plans

    async def _one_by_one(self) -> AsyncIterator[T]:
        async for batch in self.batches(1000):
            for row in batch:
                yield row

    async def batches(self, size: int) -> AsyncIterator[list[T]]:
        """Lists of at most `size` rows, by a cursor on the server; relations are fetched for each list."""
        tree = self._links
        is_hooked = self._hooked()
        async with self.stream(size) as rows:
            async for batch in _cut(rows, size):
                if is_hooked:
                    await loaded(self._entity, batch)
                for branch in (tree or {}).values():
                    await fill(branch, batch, rows._lease or self._using, self._timeout)
                yield batch

    async def by_pk_batches(self, size: int) -> AsyncIterator[list[T]]:
        """Lists of at most `size` rows in the order of the key, each a query of its own behind the key of the last row.

        For long jobs: no cursor and no transaction stays open, and rows may be changed or deleted meanwhile.

        Raises:
            ConfigurationError: for a query with an order, a limit or an offset of its own.

        >>> async def clean(User) -> None:
        ...     async for users in User.find(User.email.is_null()).by_pk_batches(1000):
        ...         await User.bulk_update(users)
        """
        if clauses.order_of(self) or clauses.is_cut(self):
            raise ConfigurationError("by_pk_batches() goes by key: the query has an order, a limit or an offset")
        if size < 1:
            raise ConfigurationError(f"by_pk_batches({size}): a batch has at least one row")
        need_key(self._entity, "by_pk_batches()")
        keys = self._entity.pk_keys
        columns = [self._entity.columns[k] for k in keys]
        query: Any = self.order_by(*columns).limit(size)
        after: Any = None
        while True:
            rows = await (query if after is None else query.find(after)).to_list()
            is_last = len(rows) < size
            last = [rows[-1].__dict__[k] for k in keys] if rows else []
            if rows:
                yield rows  # the caller may empty the list
            if is_last:
                return
            left: Any = columns[0] if len(columns) == 1 else func.row(*columns)
            right: Any = (
                last[0]
                if len(columns) == 1
                else func.row(*(literal(c.bind(v), c.t) for c, v in zip(columns, last, strict=True)))
            )
            after = left > right

    # --------------------------------------------------------------------------------------------------------- pages
    async def page(self, number: int, size: int, *, total: bool = True) -> Page[T]:
        """Page `number` (from 1) of `size` rows, by the stated order and then by key.

        Rows that are equal by the stated order stand in the order of the key (groups in that of the group, distinct rows in that
        of their columns): without it a row could be on two pages, and another one on none.
        """
        if number < 1 or size < 1:
            raise ConfigurationError(f"page({number}, {size}): pages are counted from 1 and have at least one row")
        items = await in_total_order(self).limit(size).offset((number - 1) * size).to_list()
        counted = await self.count() if total else None
        return Page[Any].model_construct(items=items, next=None, prev=None, total=counted)

    async def paginate(self, size: int, *, after: str | None = None, before: str | None = None) -> Page[T]:
        """A page by the values of its sort keys instead of an offset: equally fast at any depth.

        The key breaks ties, NULLs stand where the order puts them. Sort keys are columns of the table and parts of its JSON
        columns (`Product.address.city`). A cursor belongs to its query: to the order, the filters and their values.

        Args:
            size: the number of rows of a page.
            after: the `next` of the page before.
            before: the `prev` of the page behind.

        Raises:
            InvalidCursor: for a text that is not a cursor of this query, as a client may send it.
            ConfigurationError: for sort keys that are not columns or that a cursor cannot carry.

        >>> async def two_pages(User) -> None:
        ...     first = await User.find().order_by(User.name).paginate(20)
        ...     second = await User.find().order_by(User.name).paginate(20, after=first.next)
        """
        self._instances()
        check_page(size, after, before)
        this: Any = self
        keyset = keyset_of(this)

        async def fetch(query: Any) -> tuple[list[Any], list[list[Any]]]:
            return await _with_keys(query, keyset)

        return await page_by_key(keyset, fetch, size, after, before)


async def _with_keys(query: Any, keyset: Keyset) -> tuple[list[Any], list[list[Any]]]:
    """The rows of a query and the sort keys of each."""
    columns = keyset.columns
    if query._chosen is None:
        fields = [key.field for key in keyset.keys]
        wanted = {field for field in fields if field is not None}
        loaded = [keyset.entity.source.columns[name].__column__.key for name, _ in clauses.result_of(query).names]
        if not wanted.issubset(loaded):
            query = query._partial(tuple(k for k in keyset.entity.keys if k in wanted or k in loaded))
        if query._hooked() or None in fields:
            # A Load event may change a sort key, and a part of a document is not a field.
            return await load_with(query, query._links or {}, columns)
        rows = await query.to_list()
        return rows, [[row.__dict__[field] for field in fields] for row in rows]
    kind, chosen = query._chosen
    model = query._model
    found = await query.tuples(*chosen, *columns).to_list()
    width = len(found[0]) - len(columns) if found else 0
    rows = [row[:width] for row in found]
    if kind == "values" or model is not None:
        names = [name for name, _ in clauses.result_of(query).names]
        rows = [dict(zip(names, row, strict=True)) for row in rows]
        if model is not None:
            rows = [model.model_validate(row) for row in rows]
    elif kind == "scalars":
        rows = [row[0] for row in rows]
    return rows, [list(row[width:]) for row in found]


async def _cut(rows: Any, size: int) -> AsyncIterator[list[Any]]:
    batch: list[Any] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
