"""Shape: what is known of a JSON document, or of a part of one. The ORM makes shapes of Pydantic models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from .sql_types import SQLType

__all__ = ["Member", "Shape"]


class Member(NamedTuple):
    """A field of an object."""

    key: str
    """Its name in the document."""
    type: SQLType
    """Its type; one of a family other than json is read as text and cast."""


class Shape(Protocol):
    """What is known of a document."""

    label: str
    """How messages call it: "Category"."""
    nullable: bool
    """Whether the value may be None, which is JSON's null."""
    columns: dict[type[Any], type[Any]]
    """The classes of columns of this shape, which the columns themselves keep here."""

    @property
    def load(self) -> Callable[[Any], Any] | None:
        """Turns the decoded value into the Python value, where they differ."""
        ...

    def names(self) -> Iterable[str]:
        """The fields of an object by their Python names; none for anything else."""
        ...

    def member(self, name: str) -> Member | None:
        """The field with this Python name, or with this name in the document."""
        ...

    def item(self) -> SQLType | None:
        """The type of the elements of a list."""
        ...

    def value(self) -> SQLType | None:
        """The type of the values of an object whose keys are data."""
        ...

    def key(self, key: Any, owner: str | None) -> Any:
        """A key as it stands in the document: a position in a list, the name of a member; EncodeError, naming `owner`, for a
        key that the mapping cannot have.
        """
        ...

    def is_open(self) -> bool:
        """Whether an object may have fields that are not known."""
        ...

    def dump(self, value: Any) -> Any:
        """The value as it stands in the document; ValueError for one that does not fit."""
        ...
