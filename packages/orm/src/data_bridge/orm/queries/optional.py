"""A table behind a left join."""

from __future__ import annotations

from typing import Any, TypeVar

M = TypeVar("M")


class Optional_:  # noqa: N801 - only seen through optional()
    """A table whose columns may all be NULL, as behind a left join."""

    __slots__ = ("table",)

    def __init__(self, table: Any) -> None:
        self.table = table


def optional(table: type[M]) -> type[M | None]:
    """In tuples() over a left join: None where there is no row. `tuples(User, optional(Order))`."""
    made: Any = Optional_(table)
    return made  # type: ignore[no-any-return]
