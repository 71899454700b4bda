"""A Table class on another database."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")
_WITH_TX = {
    *("get", "get_or_none", "get_many", "find_one", "create", "insert_many", "bulk_update", "upsert", "upsert_many"),
    *("get_or_create", "update_or_create", "raw", "insert_from", "distinct"),
}
_WITH_USING = {"create_table", "drop_table", "check_schema"}


class UsingTable(Generic[T]):
    """A Table class on another database; rows are plain instances of the class."""

    __slots__ = ("_database", "_table")

    def __init__(self, table: type[T], database: Any) -> None:
        self._table = table
        self._database = database

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._table, name)

        def query(*a: Any, **k: Any) -> Any:
            return found(*a, **k).using(self._database)

        def statement(*a: Any, **k: Any) -> Any:
            return found(*a, **{"tx": self._database, **k})

        def figure(*a: Any, **k: Any) -> Any:
            return getattr(self._table.find(*a, **k).using(self._database), name)()  # type: ignore[attr-defined]

        if name in ("update_all", "delete_all"):
            return getattr(self._table.find_all().using(self._database), name.partition("_")[0])  # type: ignore[attr-defined]
        if name in _WITH_USING:
            return lambda *a, **k: found(*a, **{"using": self._database, **k})
        if name in ("find", "find_all", "all"):
            return query
        if name in ("count", "exists"):
            return figure
        return statement if name in _WITH_TX else found

    def __call__(self, **values: Any) -> T:
        """An instance with these values, as `Table(...)` makes it."""
        return self._table(**values)
