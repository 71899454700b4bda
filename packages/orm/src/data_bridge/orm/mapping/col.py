"""`Col[T]`: the annotation of a column.

In a module of its own that imports no table: mypy must know it before it looks at the first class that uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from data_bridge.query import ColumnProxy, DocumentColumn

T = TypeVar("T")

if TYPE_CHECKING:
    T_co = TypeVar("T_co", covariant=True)

    class Held(Generic[T_co]):
        """What a column holds: covariant, so that one overload serves a model and a model or None."""

    class Col(Held[T], Generic[T]):
        """`age: Col[int]`: an instance has an int, the class a ColumnProxy[int]; of a Pydantic model, or a list or dict of
        models, a DocumentColumn, whose attributes are the fields of the model.
        """

        @overload
        def __get__(
            self: Held[BaseModel | Sequence[BaseModel] | Mapping[str, BaseModel] | None], instance: None, owner: Any
        ) -> DocumentColumn[T]: ...
        @overload
        def __get__(self, instance: None, owner: Any) -> ColumnProxy[T]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> T: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: T) -> None: ...

else:

    class Col:
        """`age: Col[int]` is `age: int` to Pydantic; type checkers see the types of class and instance access."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return annotation
