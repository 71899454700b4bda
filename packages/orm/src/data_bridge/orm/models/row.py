"""Row: what an instance of a Table does with its row in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from data_bridge.core import LoadPlan
from data_bridge.core.errors import ConfigurationError, RowNotFound
from data_bridge.orm.mapping.named_rows import instances, row_plan
from data_bridge.orm.models import lifecycle
from data_bridge.orm.models.instance import TrackedModel
from data_bridge.orm.persistence import deletion, refresh, single_row
from data_bridge.orm.registry import entity_of
from data_bridge.orm.relations.loading import fetch
from data_bridge.query.spi import build

if TYPE_CHECKING:
    from data_bridge.orm._events import Skip


class Row(TrackedModel):
    """The operations of an instance; see Table."""

    __slots__ = ()

    # ---------------------------------------------------------------------------------------------- one instance
    async def save(
        self,
        *,
        only: Sequence[Any] | None = None,
        force: bool = False,
        link_rule: Any = None,
        skip_events: Skip = (),
        tx: Any = None,
    ) -> Self:
        """Writes the row: INSERT when new, upsert when new with a key, UPDATE of what changed when loaded.

        Args:
            only: write no other fields than these.
            force: write every field.
            link_rule: "write" also saves the rows in its relations that are new or changed, in one transaction.
            skip_events: events, or names of functions, that do not run; True for all.
            tx: a transaction or database to run on.

        Raises:
            RowNotFound: the loaded row is no longer there.
            IntegrityError: a constraint refuses it.
        """
        entity = entity_of(type(self))
        if entity.hooks is None and link_rule is None:
            return await single_row.save(entity, self, only, force, tx)  # type: ignore[no-any-return]
        return await lifecycle.save(entity, self, only, force, link_rule, skip_events, tx)  # type: ignore[no-any-return]

    async def save_changes(self, *, skip_events: Skip = (), tx: Any = None) -> Self:
        """The same as save()."""
        return await self.save(skip_events=skip_events, tx=tx)

    async def insert(self, *, link_rule: Any = None, skip_events: Skip = (), tx: Any = None) -> Self:
        """Plain INSERT; UniqueViolation when the row is there. `User.insert(email=…)` makes and inserts one."""
        entity = entity_of(type(self))
        if entity.hooks is None and link_rule is None:
            return await single_row.insert(entity, self, tx)  # type: ignore[no-any-return]
        return await lifecycle.insert(entity, self, link_rule, skip_events, tx)  # type: ignore[no-any-return]

    async def update(
        self,
        values: Mapping[Any, Any] | None = None,
        /,
        *operators: Any,
        skip_events: Skip = (),
        tx: Any = None,
        **kw: Any,
    ) -> Self:
        """One UPDATE of these fields by key; the row's other changes stay unsaved.

        Raises:
            RowNotFound: the row is no longer there.
            NotSaved: the instance is not in the database.
        """
        entity = entity_of(type(self))
        if entity.hooks is None:
            return await single_row.update(entity, self, values, operators, kw, tx)  # type: ignore[no-any-return]
        return await lifecycle.update(entity, self, values, operators, kw, skip_events, tx)  # type: ignore[no-any-return]

    async def replace(self, *, skip_events: Skip = (), tx: Any = None) -> Self:
        """UPDATE of every column by key.

        Raises:
            RowNotFound: there is no such row.
        """
        entity = entity_of(type(self))
        if entity.hooks is None:
            return await single_row.replace(entity, self, tx)  # type: ignore[no-any-return]
        return await lifecycle.replace(entity, self, skip_events, tx)  # type: ignore[no-any-return]

    async def delete(self, *, link_rule: Any = None, skip_events: Skip = (), tx: Any = None) -> bool:
        """DELETE by key; False when the row was gone already.

        Args:
            link_rule: "delete_links" also deletes the rows in its relations, in one transaction; what the database does by
                itself (`on_delete`) needs no rule.
            skip_events: events, or names of functions, that do not run; True for all.
            tx: a transaction or database to run on.

        Raises:
            NotSaved: the instance is not in the database.
        """
        entity = entity_of(type(self))
        if entity.hooks is None and link_rule is None:
            return await deletion.delete(entity, self, tx)
        return await lifecycle.delete(entity, self, link_rule, skip_events, tx)  # type: ignore[no-any-return]

    async def refresh(
        self, *columns: Any, keep_changes: bool = False, for_update: bool = False, tx: Any = None
    ) -> Self:
        """Loads the row again, or these columns of it, by one statement.

        A link whose key has changed is forgotten. Other relations that were fetched stay as they are, because they would take
        statements of their own: `fetch()` loads them again.

        Raises:
            RowNotFound: the row is no longer there.
        """
        locking = build.locking() if for_update else None
        return await refresh.refresh(entity_of(type(self)), self, columns, keep_changes, locking, tx)  # type: ignore[no-any-return]

    async def lock(self, *, nowait: bool = False, skip_locked: bool = False, tx: Any = None) -> Self:
        """SELECT … FOR UPDATE of the row, which is loaded again. Only inside a transaction.

        Raises:
            ConfigurationError: outside a transaction.
            LockNotAvailable: with nowait, when another transaction has locked it.
            RowNotFound: the row is gone, or with skip_locked another transaction has locked it.
        """
        entity = entity_of(type(self))
        if not entity.executor(tx).is_transaction:
            raise ConfigurationError("lock() outside a transaction would be released at once: use pg_transaction()")
        locking = build.locking(wait="nowait" if nowait else "skip locked" if skip_locked else None)
        try:
            return await refresh.refresh(entity, self, (), False, locking, tx)  # type: ignore[no-any-return]
        except RowNotFound as e:
            if not skip_locked:
                raise
            raise RowNotFound(f"{e}, or another transaction has locked it") from None

    async def fetch(self, *paths: Any, tx: Any = None) -> Self:
        """Loads these relations (`"author"`, `Post.comments.author`): one query for each, which the row has from then on.

        Raises:
            AttributeError: for a name that is not a relation, with a near match.

        >>> async def author_of(post) -> str:
        ...     return (await post.fetch("author")).author.name
        """
        if paths:
            await fetch(self, paths, tx)
        return self

    async def fetch_all_links(self, *, depth: int = 1, tx: Any = None) -> Self:
        """Loads all relations, to `depth` levels."""
        await fetch(self, (), tx, depth)
        return self

    @classmethod
    def __row_plan__(cls, many: bool) -> LoadPlan:
        """How `fetch(…, as_=User)` reads its rows; see Table.raw()."""
        return row_plan(entity_of(cls), many=many)

    @classmethod
    def __from_rows__(cls, rows: Sequence[Mapping[str, Any]]) -> list[Self]:
        """What `fetch(…, as_=User)` makes of its rows; see Table.raw()."""
        return instances(entity_of(cls), rows)

    def is_same_row(self, other: object) -> bool:
        """Whether this is the same row of the same table, whatever their values are."""
        if not isinstance(other, Row):
            return False
        mine, theirs = entity_of(type(self)), entity_of(type(other))
        return mine.table == theirs.table and bool(mine.pk_keys) and self.pk is not None and bool(self.pk == other.pk)
