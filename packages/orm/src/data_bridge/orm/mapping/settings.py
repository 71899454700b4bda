"""`class Settings` of a Table: read over the inheritance, checked."""

from __future__ import annotations

import copy
import difflib
import re
from typing import Any

from data_bridge.core.errors import ConfigurationError

KEYS = frozenset(
    {
        "name", "schema", "primary_key", "indexes", "constraints", "abstract", "using", "use_revision", "validate_on_save",
        "validate_on_load", "comment", "renamed_from",
    }
)  # fmt: skip
ALIASES = {"table_name": "name", "database": "using"}
BORROWED = {
    "table": "name",
    "tablename": "name",
    "db_table": "name",
    "index": "indexes",
    "unique_together": "constraints",
}
"""What other libraries call these settings."""
NOT_INHERITED = frozenset({"name", "abstract", "comment", "renamed_from"})


def snake_case(name: str) -> str:
    """The table's name for a class's.

    >>> snake_case("OrderLine"), snake_case("HTTPLog")
    ('order_line', 'http_log')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class Settings:
    """What the classes of a Table say, the nearest first."""

    __slots__ = (
        "abstract",
        "comment",
        "constraints",
        "indexes",
        "name",
        "primary_key",
        "renamed_from",
        "schema",
        "use_revision",
        "using",
        "validate_on_load",
        "validate_on_save",
    )

    def __init__(self, cls: type) -> None:
        values = _merged(cls)
        self.name: str = values.get("name") or snake_case(cls.__name__.partition("[")[0])
        self.schema: str | None = values.get("schema")
        key = values.get("primary_key")
        self.primary_key: tuple[str, ...] = () if key is None else (key,) if isinstance(key, str) else tuple(key)
        self.indexes: list[Any] = list(values.get("indexes") or ())
        self.constraints: list[Any] = list(values.get("constraints") or ())
        generic: dict[str, Any] = cls.__dict__.get("__pydantic_generic_metadata__") or {}
        origin: Any = generic.get("origin")
        # What is made of an abstract generic by its parameters is a base as well, and not a table beside its subclasses.
        self.abstract: bool = bool(values.get("abstract", False)) or (origin is not None and Settings(origin).abstract)
        self.using: Any = values.get("using")
        self.use_revision: bool | str = values.get("use_revision", False)
        self.validate_on_save: bool = bool(values.get("validate_on_save", False))
        self.validate_on_load: bool = bool(values.get("validate_on_load", False))
        self.comment: str | None = values.get("comment")
        self.renamed_from: str | None = values.get("renamed_from")
        if len(self.name.encode()) > 63:
            raise ConfigurationError(
                f"{cls.__name__}.Settings.name has {len(self.name.encode())} bytes, PostgreSQL takes 63"
            )

    def on(self, database: Any) -> Settings:
        """The same settings with another database."""
        made = copy.copy(self)
        made.using = database
        return made


def _merged(cls: type) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        inner: Any = base.__dict__.get("Settings")
        if inner is None:
            continue
        given: dict[str, Any] = {k: v for k, v in vars(inner).items() if not k.startswith("__")}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        named: dict[str, Any] = {}
        for key, value in given.items():
            own = ALIASES.get(key, key)
            if own in named or (own != key and own in given):
                raise ConfigurationError(f"{base.__name__}.Settings gives {key} and {own}, which are the same")
            if own not in KEYS:
                wrong = difflib.get_close_matches(key, [*KEYS, *ALIASES, *BORROWED], n=1)
                near = [BORROWED.get(name, name) for name in wrong]
                hint = f": did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(KEYS))}"
                raise ConfigurationError(f"{base.__name__}.Settings has no setting {key!r}{hint}")
            named[own] = value
        if base is not cls:
            named = {k: v for k, v in named.items() if k not in NOT_INHERITED}
        values.update(named)
    # A parametrised generic is made without a namespace of its own: the table is that of its origin.
    origin = getattr(cls, "__pydantic_generic_metadata__", {}).get("origin")
    if origin is not None:
        own = origin.__dict__.get("Settings")
        if own is not None and hasattr(own, "name"):
            values.setdefault("name", own.name)
        values.setdefault("name", snake_case(origin.__name__))
    return values
