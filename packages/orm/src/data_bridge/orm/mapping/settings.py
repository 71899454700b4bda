"""`class Settings` of a Table: read over the inheritance, checked."""

from __future__ import annotations

import copy
import difflib
import re
from typing import Any, Literal

from data_bridge.core.errors import ConfigurationError
from data_bridge.query import TableDef, TriggerDef, ViewDef

KEYS = frozenset(
    {
        "name", "schema", "primary_key", "indexes", "constraints", "abstract", "using", "use_revision", "validate_on_save",
        "validate_on_load", "comment", "renamed_from", "triggers", "view",
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
NOT_INHERITED = frozenset({"name", "abstract", "comment", "renamed_from", "view"})


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
        "triggers",
        "use_revision",
        "using",
        "validate_on_load",
        "validate_on_save",
        "view",
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
        self.triggers: tuple[TriggerDef, ...] = tuple(values.get("triggers") or ())
        wrong = next((t for t in self.triggers if not isinstance(t, TriggerDef)), None)  # pyright: ignore[reportUnnecessaryIsInstance]
        if wrong is not None:
            raise ConfigurationError(f"{cls.__name__}.Settings.triggers takes Trigger(…), got {type(wrong).__name__}")
        self.view: Any = values.get("view")
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


class View:
    """The query of a view, with its options, for `Settings.view` of a class whose rows are only read.

    >>> from data_bridge.postgres import Col, IdMixin, Table, View
    >>> class Account(IdMixin):
    ...     name: Col[str]
    ...     balance: Col[int]
    >>> class Debtor(Table):
    ...     class Settings:
    ...         view = View(Account.find(Account.balance < 0).select(Account.id, Account.name), security_barrier=True)
    ...     id: Col[int]
    ...     name: Col[str]
    """

    __slots__ = ("check_option", "materialized", "query", "security_barrier", "security_invoker")

    def __init__(
        self,
        query: Any,
        *,
        materialized: bool = False,
        security_barrier: bool = False,
        security_invoker: bool = False,
        check_option: Literal["local", "cascaded"] | None = None,
    ) -> None:
        """Describes a view.

        Args:
            query: a query, whose values become literals, or trusted SQL text. Its columns have the names of the fields.
            materialized: whether the rows are stored until REFRESH MATERIALIZED VIEW.
            security_barrier: whether conditions of the view run before those of a query that may leak rows.
            security_invoker: whether the role that reads the view needs the privileges of its tables (PostgreSQL 15).
            check_option: what rows a statement outside of this class may write through the view.

        Raises:
            ConfigurationError: the query is neither a query nor text, or a materialized view has options of a view.
        """
        if not isinstance(query, str) and not hasattr(query, "__statement__"):
            raise ConfigurationError(f"a view needs a query or SQL text, got {type(query).__name__}")
        if materialized and (security_barrier or security_invoker or check_option is not None):
            raise ConfigurationError(
                "a materialized view has no security_barrier, no security_invoker and no check_option"
            )
        self.query = query
        self.materialized = materialized
        self.security_barrier = security_barrier
        self.security_invoker = security_invoker
        self.check_option: Literal["local", "cascaded"] | None = check_option


def view_of(settings: Settings, rows: TableDef) -> ViewDef | None:
    """The definition of the view that a class reads; None for a class of a table.

    Raises:
        ConfigurationError: the settings say what a view cannot have; the message names the class.
    """
    if settings.view is None:
        return None
    given = settings.view if isinstance(settings.view, View) else View(settings.view)
    unusable = [name for name in ("constraints", "triggers") if getattr(settings, name)]
    unusable += ["indexes"] if settings.indexes and not given.materialized else []
    unusable += ["use_revision"] if settings.use_revision else []
    if unusable:
        hint = "; a View(…, materialized=True) may have them" if unusable == ["indexes"] else ""
        raise ConfigurationError(f"{rows.owner}.Settings.{unusable[0]}: a view has no {unusable[0]}{hint}")
    return ViewDef(
        rows.name,
        given.query,
        schema=rows.schema,
        columns=rows.columns,
        materialized=given.materialized,
        security_barrier=given.security_barrier,
        security_invoker=given.security_invoker,
        check_option=given.check_option,
        indexes=rows.indexes if given.materialized else (),
        comment=rows.comment,
        owner=rows.owner,
    )
