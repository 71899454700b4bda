"""`Link[T]`, `BackLink[L]` and `ManyToMany[T]`: how a class body says what belongs to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from uuid import UUID

if TYPE_CHECKING:
    from data_bridge.orm.relations.collection import Many
    from data_bridge.orm.relations.paths import ManyPath
    from data_bridge.orm.relations.reference import Linked

M = TypeVar("M")
N = TypeVar("N")
L = TypeVar("L")


class RelationAnnotation:
    """What `Link[User]` is at run time. Not a tuple, which `Optional[…]` and `list[…]` would take apart."""

    __slots__ = ("argument", "is_optional", "kind")

    def __init__(self, kind: str, argument: Any, *, is_optional: bool = False) -> None:
        self.kind = kind
        self.argument = argument
        self.is_optional = is_optional

    def __or__(self, other: Any) -> RelationAnnotation:
        """`Link[User] | None` is `Link[User | None]`."""
        if other is not None and other is not type(None):
            raise TypeError(f"{self!r} | {other!r}: a relation is to one class, or to one class or None")
        return RelationAnnotation(self.kind, self.argument, is_optional=True)

    __ror__ = __or__

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Typing takes just what can be called for a type."""
        raise TypeError(f"{self!r} is an annotation")

    def __repr__(self) -> str:
        name = {"link": "Link", "back": "BackLink", "many": "ManyToMany"}[self.kind]
        return f"{name}[{getattr(self.argument, '__name__', self.argument)}]"


if TYPE_CHECKING:

    class Link(Generic[M]):
        """A foreign key and the row it points to: `author: Link[User] = Column(on_delete="CASCADE")` makes the column `author_id`.

        The class has the other table's columns (`Post.author.name == "x"` joins it), an instance a Linked. Of
        `Link[User | None]` an instance may have None.
        """

        @overload
        def __get__(self: Link[N | None], instance: None, owner: Any) -> type[N]: ...  # type: ignore[overload-overlap, unused-ignore]
        @overload
        def __get__(self, instance: None, owner: Any) -> type[M]: ...
        @overload
        def __get__(self: Link[N | None], instance: object, owner: Any) -> Linked[N] | None: ...  # type: ignore[overload-overlap, unused-ignore]
        @overload
        def __get__(self, instance: object, owner: Any) -> Linked[M]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        # None for every link: checkers take one signature for the constructor, whatever the link's argument is.
        def __set__(self, instance: Any, value: M | Linked[Any] | int | str | UUID | None) -> None: ...

    class BackLink(Generic[L]):
        """The rows that point here: `books: BackLink[list[Book]] = BackLink("author")`; `BackLink[Profile]` for at most one.

        The class has any(), none(), count() and the like, an instance the list once it was fetched.
        """

        def __init__(self, field: str | None = None) -> None: ...
        @overload
        def __get__(self: BackLink[list[M]], instance: None, owner: Any) -> ManyPath[M]: ...
        @overload
        def __get__(self: BackLink[M | None], instance: None, owner: Any) -> type[M]: ...
        @overload
        def __get__(self, instance: None, owner: Any) -> type[L]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> L: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: L) -> None: ...

    class ManyToMany(Generic[M]):
        """Rows on both sides of a table between: `tags: ManyToMany[Tag] = ManyToMany(through="post_tags")`.

        `through` is the name of a table that is made with the others, or a Table with a link to either side. The class
        has any(), none(), count(), an instance add(), remove(), clear(), set(), has(), count(), find(), and the rows once
        they were fetched.
        """

        def __init__(self, *, through: Any, near: str | None = None, far: str | None = None) -> None: ...
        @overload
        def __get__(self, instance: None, owner: Any) -> ManyPath[M]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> Many[M]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: Sequence[M] | Many[M]) -> None: ...

else:

    class Link:
        """A foreign key and the row it points to: `author: Link[User] = Column(on_delete="CASCADE")` makes the column `author_id`.

        >>> from data_bridge.orm import BackLink, Column, IdMixin, Link
        >>> class Author(IdMixin):
        ...     name: str
        ...     books: BackLink[list["Book"]] = BackLink("author")
        >>> class Book(IdMixin):
        ...     title: str
        ...     author: Link[Author] = Column(on_delete="CASCADE")
        >>> Book.find(Book.author.name == "Ann").sql().sql
        'SELECT "book"."id", "book"."title", "book"."author_id" FROM "book" JOIN "author" AS "book.author" ON "book.author"."id" = "book"."author_id" WHERE "book.author"."name" = $1'
        """  # noqa: E501

        def __class_getitem__(cls, argument: Any) -> RelationAnnotation:
            return RelationAnnotation("link", argument)

    class BackLink:
        """The rows that point here: `books: BackLink[list[Book]] = BackLink("author")`; `BackLink[Profile]` for at most one.

        `field` names the Link (or the foreign key) there; without it, the only one that points here is taken.
        """

        def __init__(self, field: str | None = None) -> None:
            self.field = field

        def __class_getitem__(cls, argument: Any) -> RelationAnnotation:
            return RelationAnnotation("back", argument)

    class ManyToMany:
        """Rows on both sides of a table between: `tags: ManyToMany[Tag] = ManyToMany(through="post_tags")`.

        Args:
            through: the name of a table that create_all() makes with the others, or a Table with a link to either side.
            near: the column (or link) there that points here; by default the class's name, `post_id`.
            far: the one that points to the other side.
        """

        def __init__(self, *, through: Any, near: str | None = None, far: str | None = None) -> None:
            self.through = through
            self.near = near
            self.far = far

        def __class_getitem__(cls, argument: Any) -> RelationAnnotation:
            return RelationAnnotation("many", argument)


__all__ = ["BackLink", "Link", "ManyToMany", "RelationAnnotation"]
