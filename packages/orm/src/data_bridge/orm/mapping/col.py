"""`Col[T]`: the annotation of a column.

In a module of its own that imports no table: mypy must know it before it looks at the first class that uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from data_bridge.query import ColumnProxy

T = TypeVar("T")

if TYPE_CHECKING:

    class Col(Generic[T]):
        """`age: Col[int]`: an instance has an int, the class a ColumnProxy[int]."""

        @overload
        def __get__(self, instance: None, owner: Any) -> ColumnProxy[T]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> T: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: T) -> None: ...

else:

    class Col:
        """`age: Col[int]` is `age: int` to Pydantic; checkers see what class and instance access give."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return annotation
