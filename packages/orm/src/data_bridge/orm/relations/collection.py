"""Many: the rows on the other side of a many-to-many relation, of one row."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from data_bridge.core import LoadPlan, pg_transaction
from data_bridge.core.errors import LinkNotLoaded, NotSaved
from data_bridge.orm._state import forget, keep, links_of, state_of
from data_bridge.orm.persistence.bulk_insert import insert_many
from data_bridge.query import Expr
from data_bridge.query.spi import among

if TYPE_CHECKING:
    from data_bridge.orm.mapping.relation import Relation
    from data_bridge.orm.queries.builder import QueryBuilder

M = TypeVar("M")
_COUNT = LoadPlan.affected()


class Many(Generic[M]):
    """What an instance has for a ManyToMany: statements at once, a list once it was fetched.

    add(), remove(), set() and clear() change the table between, one statement each (set() is two), and the list with it.

    >>> async def tag(post, news, sport) -> int:
    ...     await post.tags.add(news, sport)
    ...     return await post.tags.count()
    """

    __slots__ = ("_relation", "_row")

    def __init__(self, row: Any, relation: Relation) -> None:
        self._row = row
        self._relation = relation

    # -------------------------------------------------------------------------------------------------- what was fetched
    @property
    def is_loaded(self) -> bool:
        """Whether the rows are here."""
        links = links_of(self._row)
        return links is not None and self._relation.name in links

    def _list(self) -> list[M]:
        if not self.is_loaded:
            relation = self._relation
            raise LinkNotLoaded(
                f"{relation.label} was not fetched: add .fetch_links({relation.label}) to the query, "
                f"or `await row.fetch({relation.name!r})`, or `await row.{relation.name}.find()`"
            )
        found: list[M] = links_of(self._row)[self._relation.name]  # type: ignore[index]  # pyright: ignore[reportOptionalSubscript]
        return found  # pyright: ignore[reportUnknownVariableType]

    def __len__(self) -> int:
        return len(self._list())

    def __iter__(self) -> Iterator[M]:
        # A generator, so that what was not fetched is an error of the first step: Pydantic reports that one with its text,
        # and takes an object whose iter() fails for no list.
        yield from self._list()

    def __copy__(self) -> Many[M]:
        return Many(self._row, self._relation)

    def __deepcopy__(self, memo: dict[int, Any]) -> Many[M]:
        return Many(copy.deepcopy(self._row, memo), self._relation)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._row, self._relation.name)

    @overload
    def __getitem__(self, index: int) -> M: ...
    @overload
    def __getitem__(self, index: slice) -> list[M]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._list()[index]  # pyright: ignore[reportUnknownVariableType]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Many):
            return self._list() == other._list()
        return self._list() == other

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return repr(self._list()) if self.is_loaded else f"<Many {self._relation.label}>"

    # ------------------------------------------------------------------------------------------------------- queries
    def _key(self) -> tuple[Any, ...]:
        if state_of(self._row) is None:
            raise NotSaved(f"{self._relation.label}: save the {self._relation.owner.__name__} first")
        return tuple(self._row.__dict__[k] for k in self._relation.near)

    def _of_this_row(self) -> list[Any]:
        """The conditions on the association table that it points to this row."""
        relation = self._relation
        columns = relation.through.columns
        return [columns[k] == v for k, v in zip(relation.through_near, self._key(), strict=True)]

    def find(self, *filters: Any, **equals: Any) -> QueryBuilder[M]:
        """A query for the rows on the other side."""
        relation = self._relation
        joined: Any = relation.target.query().join(relation.through.source, relation.through_conditions())
        query = joined.find(*self._of_this_row())
        return query.find(*filters, **equals) if filters or equals else query  # type: ignore[no-any-return]

    async def count(self, *filters: Any, **equals: Any) -> int:
        """The number of rows on the other side."""
        if filters or equals:
            return await self.find(*filters, **equals).count()
        return await self._links().count()

    async def has(self, row: M, /) -> bool:
        """Whether this row is on the other side."""
        return await self._links([row]).exists()

    def _links(self, rows: Sequence[Any] | None = None) -> QueryBuilder[Any]:
        """Rows of the table between: all of this row, or those to these others."""
        query: Any = self._relation.through.query().find(*self._of_this_row())
        if rows is None:
            return query  # type: ignore[no-any-return]
        return query.find(self._among(rows))  # type: ignore[no-any-return]

    def _among(self, rows: Sequence[Any]) -> Expr[bool]:
        """The condition on the association table that it points to one of these rows."""
        relation = self._relation
        columns = [relation.through.columns[k] for k in relation.through_far]
        return among(columns, [self._other(r) for r in rows])

    def _other(self, row: Any) -> tuple[Any, ...]:
        relation = self._relation
        row = relation.other_side(row)
        if not relation.target.holds(row):
            values = row if isinstance(row, tuple) else (row,)  # pyright: ignore[reportUnknownVariableType]
            return tuple(relation.target.columns[k].bind(v) for k, v in zip(relation.far, values, strict=True))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        values = tuple(row.__dict__.get(k) for k in relation.far)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportAttributeAccessIssue]
        if None in values:
            raise NotSaved(f"{relation.label}: save the {relation.cls.__name__} first")
        return values  # pyright: ignore[reportUnknownVariableType]

    # -------------------------------------------------------------------------------------------------------- changes
    def _restored_by(self, executor: Any) -> None:
        """Lets a rollback of the transaction that a change runs in bring back the list as it is now."""
        if not executor.is_transaction:
            return
        row, name = self._row, self._relation.name
        before: list[Any] | None = list(self._list()) if self.is_loaded else None

        def restore() -> None:
            if before is None:
                forget(row, name)
            else:
                keep(row, name, before)

        executor.on_rollback(restore)

    async def add(self, *rows: Any, tx: Any = None, **values: Any) -> int:
        """Adds rows (or their keys) that are not there yet; returns the number of new ones.

        Args:
            rows: rows of the other side, or their keys.
            tx: a transaction or database to run on.
            values: fields of a through model beside its links.

        Raises:
            NotSaved: this row or one of the others has no key.
            ForeignKeyViolation: a key is that of no row.
            TypeError: the through model has no such field.
        """
        if not rows:
            return 0
        relation = self._relation
        mine = self._key()
        _refuse_unknown(relation, values)
        keys = dict.fromkeys(self._other(r) for r in rows)
        near = dict(zip(relation.through_near, mine, strict=True))
        made = [
            relation.through.cls.model_validate(
                {**near, **dict(zip(relation.through_far, other, strict=True)), **values}
            )
            for other in keys
        ]
        self._restored_by(relation.through.executor(tx))
        count: int = await insert_many(relation.through, made, "nothing", None, False, tx, None)
        if self.is_loaded:
            known = {self._other(r) for r in self._list()}
            self._list().extend(r for r in rows if relation.target.holds(r) and self._other(r) not in known)
        return count

    async def remove(self, *rows: Any, tx: Any = None) -> int:
        """Removes rows (or their keys) from this side; the rows themselves stay. Returns the number of those that were there."""
        if not rows:
            return 0
        self._restored_by(self._relation.through.executor(tx))
        query = self._links(rows)
        count = await (query if tx is None else query.using(tx)).delete()
        gone = {self._other(r) for r in rows}
        if self.is_loaded:
            self._list()[:] = [r for r in self._list() if self._other(r) not in gone]
        return count

    async def clear(self, *, tx: Any = None) -> int:
        """Removes all rows from this side; returns their number."""
        self._restored_by(self._relation.through.executor(tx))
        query = self._links()
        count = await (query if tx is None else query.using(tx)).delete()
        if self.is_loaded:
            self._list().clear()
        return count

    async def set(self, rows: Sequence[Any], *, tx: Any = None) -> None:
        """Makes just these rows (or keys) the other side, in a transaction: one DELETE of the others, one INSERT."""

        relation = self._relation
        wanted = list(rows)
        self._restored_by(relation.through.executor(tx))
        async with pg_transaction(using=relation.through.executor(tx)) as inner:
            query = self._links()
            if wanted:
                query = query.find(~self._among(wanted))
            await query.using(inner).delete()
            await self.add(*wanted, tx=inner)
        if all(relation.target.holds(r) for r in wanted):
            keep(self._row, relation.name, wanted)
        else:
            forget(self._row, relation.name)


def _refuse_unknown(relation: Relation, values: Mapping[str, Any]) -> None:
    """Looks whether the through model has these fields; Pydantic would leave an unknown one out."""
    fields = relation.through.cls.__pydantic_fields__
    known = {*fields, *(f.alias for f in fields.values() if f.alias is not None)}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{relation.label}.add({name}=…): {relation.through.label} has no field {name!r}{hint}")
