"""Linked: the row a link points to, as far as it is known."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_bridge.core.errors import LinkNotLoaded
from data_bridge.orm._called import refuse_call
from data_bridge.orm._state import links_of
from data_bridge.orm.mapping.relation import Reference, Relation
from data_bridge.orm.relations.batching import load

M = TypeVar("M")


class Linked(Reference, Generic[M]):
    """What an instance has for a Link: the key at once, the row's attributes once it was fetched.

    `await post.author` loads it; what several tasks await at once is one query. Nothing is loaded by itself: reading an
    attribute before raises LinkNotLoaded, which says how to fetch it.

    >>> async def name_of(post) -> str:
    ...     return (await post.author).name
    """

    __slots__ = ()

    def __init__(self, row: Any, relation: Relation) -> None:
        object.__setattr__(self, "_row", row)
        object.__setattr__(self, "_relation", relation)

    def _loaded(self) -> Any:
        links = links_of(self._row)
        found = None if links is None else links.get(self._relation.name)
        if found is not None:
            mine, theirs = self._row.__dict__, found.__dict__
            for near, far in zip(self._relation.near, self._relation.far, strict=True):
                # A key that was assigned since points to another row; one that is missing is set when both are saved.
                if mine[near] is not None and mine[near] != theirs.get(far):
                    return None
        return found

    @property
    def pk(self) -> Any:
        """The key of the other row, which this row holds; a tuple for several columns."""
        values = tuple(self._row.__dict__[k] for k in self._relation.near)
        return values[0] if len(values) == 1 else values

    @property
    def is_loaded(self) -> bool:
        """Whether the row is here, so that its attributes can be read."""
        refuse_call(self._relation.label, "is_loaded")
        return self._loaded() is not None

    def get(self) -> M:
        """The row itself.

        Raises:
            LinkNotLoaded: it was not fetched.
        """
        found: M | None = self._loaded()
        if found is None:
            raise self._missing("")
        return found

    def __await__(self) -> Generator[Any, Any, M]:
        return self._load().__await__()

    async def _load(self) -> M:
        found: M | None = self._loaded()
        return await load(self._row, self._relation) if found is None else found

    def _missing(self, name: str) -> LinkNotLoaded:
        label = self._relation.label
        return LinkNotLoaded(
            f"{label}{name} needs the row, which was not fetched: add .fetch_links({label}) to the query, "
            f"or `await row.{self._relation.name}`"
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") and name.endswith("__"):
                raise AttributeError(name)
            found = self._loaded()
            if found is None:
                raise self._missing(f".{name}")
            return getattr(found, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self.get(), name, value)
    else:

        def __getattr__(self, name: str) -> Any: ...

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Linked):
            return self._relation.target.table == other._relation.target.table and bool(self.pk == other.pk)
        if self._relation.target.holds(other):
            found = self._loaded()
            if found is not None:
                return found is other or bool(found == other)
            key = tuple(other.__dict__.get(k) for k in self._relation.far)
            return bool(key == tuple(self._row.__dict__[k] for k in self._relation.near))
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._relation.target.table, self.pk))

    def __copy__(self) -> Linked[M]:
        return Linked(self._row, self._relation)

    def __deepcopy__(self, memo: dict[int, Any]) -> Linked[M]:
        return Linked(copy.deepcopy(self._row, memo), self._relation)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._row, self._relation.name)

    def __repr__(self) -> str:
        found = self._loaded()
        return f"<Linked {self._relation.cls.__name__} {self.pk!r}>" if found is None else f"<Linked {found!r}>"
