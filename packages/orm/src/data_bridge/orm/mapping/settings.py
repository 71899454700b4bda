"""`class Settings` of a Table: read over the inheritance, checked."""

from __future__ import annotations

import copy
import difflib
import re
from typing import TYPE_CHECKING, Any, Literal

from data_bridge.core import quote_identifier
from data_bridge.core.errors import ConfigurationError
from data_bridge.query import GrantDef, Node, PolicyDef, SQLType, TableDef, TriggerDef, ViewDef, sql

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

KEYS = frozenset(
    {
        "name", "schema", "primary_key", "indexes", "constraints", "abstract", "using", "use_revision", "validate_on_save",
        "validate_on_load", "comment", "grants", "policies", "renamed_from", "row_security",
        "triggers", "view",
    }
)  # fmt: skip
ALIASES = {"table_name": "name", "database": "using"}
_LENGTH = re.compile(r"\([0-9, -]+\)")
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
        "grants",
        "indexes",
        "name",
        "policies",
        "primary_key",
        "renamed_from",
        "row_security",
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
        self.grants: tuple[GrantDef, ...] = tuple(values.get("grants") or ())
        unknown = next((g for g in self.grants if not isinstance(g, GrantDef)), None)  # pyright: ignore[reportUnnecessaryIsInstance]
        if unknown is not None:
            raise ConfigurationError(f"{cls.__name__}.Settings.grants takes Grant(…), got {type(unknown).__name__}")
        self.policies: tuple[PolicyDef | RowPolicy, ...] = tuple(values.get("policies") or ())
        other = next((p for p in self.policies if not isinstance(p, (PolicyDef, RowPolicy))), None)  # pyright: ignore[reportUnnecessaryIsInstance]
        if other is not None:
            raise ConfigurationError(
                f"{cls.__name__}.Settings.policies takes Policy(…) and RowPolicy(…), got {type(other).__name__}"
            )
        # Without FORCE the owner of the table, as whom many applications connect, would see all rows.
        self.row_security: Any = values.get("row_security", "forced" if self.policies else None)
        if self.row_security not in (None, "enabled", "forced") or (self.policies and self.row_security is None):
            raise ConfigurationError(
                f"{cls.__name__}.Settings.row_security is 'enabled' or 'forced', and without policies it may be None"
            )
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
                raise ConfigurationError(f"{base.__name__}.Settings has {key} and {own}, which are the same setting")
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
    unusable = [name for name in ("constraints", "triggers", "policies", "row_security") if getattr(settings, name)]
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
        grants=settings.grants,
        owner=rows.owner,
    )


class RowPolicy:
    """The short form of a policy: a role sees and writes the rows whose column has the value of a setting of the session.

    Where the setting is not set, or is empty, no row can be read or written.

    >>> from data_bridge.postgres import Col, IdMixin, RowPolicy
    >>> class Invoice(IdMixin):
    ...     class Settings:
    ...         policies = [RowPolicy("tenant", "app.tenant")]
    ...     tenant: Col[str]
    >>> print(Invoice.ddl().splitlines()[-2])
    CREATE POLICY "invoice_tenant" ON "invoice" FOR ALL TO PUBLIC USING ("tenant" = NULLIF(current_setting('app.tenant', true), ''));
    """

    __slots__ = ("column", "name", "roles", "setting")

    def __init__(
        self, column: str, setting: str = "app.tenant", *, name: str | None = None, roles: tuple[str, ...] = ()
    ) -> None:
        """Describes the policy.

        Args:
            column: a field of the class.
            setting: the name of the setting, with a dot; by default that of tenant().
            name: of the policy; by default the names of the table and the column.
            roles: the roles that it holds for; by default all.

        Raises:
            ConfigurationError: the setting has no dot, so that it would be one of PostgreSQL's own.
        """
        if not re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", setting):
            raise ConfigurationError(
                f"RowPolicy({column!r}, {setting!r}): a setting of an application is written app.name"
            )
        self.column = column
        self.setting = setting
        self.name = name
        self.roles = roles


def _cast_to(of: SQLType) -> str:
    """The cast of a setting to the type of a column, without a length, which would cut a value to the length of another tenant's."""
    if of.family == "text":
        return ""
    return "::varbit" if of.family == "bit" else f"::{_LENGTH.sub('', of.name)}"


def policies_of(entity: Entity) -> tuple[PolicyDef, ...]:
    """The policies of a table.

    Raises:
        ConfigurationError: a RowPolicy names what is not a field, or two policies have one name.
    """
    made: list[PolicyDef] = []
    for policy in entity.settings.policies:
        if isinstance(policy, RowPolicy):
            field = entity.by_key.get(policy.column)
            if field is None:
                raise ConfigurationError(
                    f"{entity.label}.Settings.policies: {policy.column!r} is not a field; fields are {', '.join(entity.keys)}"
                )
            value = f"NULLIF(current_setting('{policy.setting}', true), '')"
            rows: Node[Any] = sql(f"{quote_identifier(field.name)} = {value}{_cast_to(field.type)}")
            name = policy.name or f"{entity.settings.name}_{field.name}"[:63]
            policy = PolicyDef(name, using=rows, roles=tuple(policy.roles))
        made.append(policy)
    twice = next((p.name for i, p in enumerate(made) if p.name in {other.name for other in made[:i]}), None)
    if twice is not None:
        raise ConfigurationError(f"{entity.label} has two policies called {twice!r}")
    return tuple(made)
