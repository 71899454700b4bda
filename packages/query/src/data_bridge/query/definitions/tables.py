"""Definitions of tables and what belongs to them: frozen data that the ORM makes, migrations read and people write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from .._names import digest, unknown
from ..expressions.node import Node
from ..expressions.sources import TableSource
from ..types.sql_types import SQLType
from .base import Definition, field

if TYPE_CHECKING:
    from ..expressions.order import Order

__all__ = [
    "ColumnDef",
    "ConstraintDef",
    "DomainDef",
    "EnumDef",
    "ExtensionDef",
    "FunctionDef",
    "GrantDef",
    "IndexDef",
    "PolicyDef",
    "SequenceDef",
    "TableDef",
    "TriggerDef",
    "Use",
    "ViewDef",
    "default_name",
]

Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
Kind = Literal["primary_key", "unique", "check", "foreign_key", "exclude"]
Deferrable = Literal["deferrable", "initially deferred"]


class ColumnDef(Definition):
    """One column of a table.

    >>> from data_bridge.query import ColumnDef, types
    >>> ColumnDef("id", types.BigInt, nullable=False, identity="by default").name
    'id'
    """

    name: str
    type: SQLType
    nullable: bool = field(default=True, kw_only=True)
    default: Node[Any] | None = field(default=None, kw_only=True)
    """A server default; ``sql("now()")`` for text."""
    identity: Literal["always", "by default", "serial"] | None = field(default=None, kw_only=True)
    """GENERATED … AS IDENTITY, or `serial`: a default from a sequence that the column owns."""
    generated: Node[Any] | None = field(default=None, kw_only=True)
    stored: bool = field(default=True, kw_only=True)
    collation: str | None = field(default=None, kw_only=True)
    comment: str | None = field(default=None, kw_only=True)
    renamed_from: str | None = field(default=None, kw_only=True)
    """What it was called before, for migrations; no part of equality."""
    _ignored: ClassVar[frozenset[str]] = frozenset({"renamed_from"})


class IndexDef(Definition):
    """An index over columns (names), expressions or sort keys.

    >>> from data_bridge.query import IndexDef
    >>> IndexDef(None, ("email",), unique=True).unique
    True
    """

    name: str | None
    columns: tuple[str | Node[Any] | Order, ...]
    unique: bool = field(default=False, kw_only=True)
    method: str | None = field(default=None, kw_only=True)
    include: tuple[str, ...] = field(default=(), kw_only=True)
    where: Node[Any] | None = field(default=None, kw_only=True)
    nulls_not_distinct: bool = field(default=False, kw_only=True)
    opclasses: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    """Operator classes by column name."""
    collations: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    with_: tuple[tuple[str, str | int], ...] = field(default=(), kw_only=True)
    comment: str | None = field(default=None, kw_only=True)
    valid: bool = field(default=True, kw_only=True)
    """False for the rest of a failed CREATE INDEX CONCURRENTLY; read from a live schema only."""


class ConstraintDef(Definition):
    """A constraint of a table; which fields count depends on `kind`.

    >>> from data_bridge.query import ConstraintDef
    >>> fk = ConstraintDef("foreign_key", columns=("author_id",), references=(None, "authors"), references_columns=("id",))
    >>> fk.references
    (None, 'authors')
    """

    kind: Kind
    name: str | None = None
    columns: tuple[str, ...] = ()
    check: Node[Any] | None = field(default=None, kw_only=True)
    references: tuple[str | None, str] | None = field(default=None, kw_only=True)
    """Schema (None: the search path decides) and table."""
    references_columns: tuple[str, ...] = field(default=(), kw_only=True)
    on_delete: Action | None = field(default=None, kw_only=True)
    on_update: Action | None = field(default=None, kw_only=True)
    deferrable: Deferrable | None = field(default=None, kw_only=True)
    nulls_not_distinct: bool = field(default=False, kw_only=True)
    include: tuple[str, ...] = field(default=(), kw_only=True)
    method: str | None = field(default=None, kw_only=True)
    elements: tuple[tuple[str | Node[Any], str], ...] = field(default=(), kw_only=True)
    """Of an exclusion: column or expression, and operator."""
    where: Node[Any] | None = field(default=None, kw_only=True)
    not_valid: bool = field(default=False, kw_only=True)
    comment: str | None = field(default=None, kw_only=True)


class TableDef(Definition):
    """A table: what the ORM makes of a class, and what a live schema reads as.

    >>> from data_bridge.query import ColumnDef, ConstraintDef, TableDef, types
    >>> users = TableDef("users", (ColumnDef("id", types.BigInt),), constraints=(ConstraintDef("primary_key", columns=("id",)),))
    >>> users.primary_key
    ('id',)
    """

    _ignored: ClassVar[frozenset[str]] = frozenset({"owner", "renamed_from"})
    name: str
    columns: tuple[ColumnDef, ...]
    schema: str | None = field(default=None, kw_only=True)
    constraints: tuple[ConstraintDef, ...] = field(default=(), kw_only=True)
    indexes: tuple[IndexDef, ...] = field(default=(), kw_only=True)
    comment: str | None = field(default=None, kw_only=True)
    triggers: tuple[TriggerDef, ...] = field(default=(), kw_only=True)
    policies: tuple[PolicyDef, ...] = field(default=(), kw_only=True)
    grants: tuple[GrantDef, ...] = field(default=(), kw_only=True)
    row_security: Literal["enabled", "forced"] | None = field(default=None, kw_only=True)
    """Whether policies decide which rows a role sees; `forced` holds for the owner of the table, too."""
    owner: str | None = field(default=None, kw_only=True)
    """The name of the class, for messages; no part of equality."""
    renamed_from: str | None = field(default=None, kw_only=True)
    """What it was called before, for migrations: `name`, or `schema.name`; no part of equality."""
    is_view: bool = field(default=False, kw_only=True)
    """Whether this describes the rows of a view: statements that write refuse it."""

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key; empty when there is none."""
        return next((c.columns for c in self.constraints if c.kind == "primary_key"), ())

    @cached_property
    def foreign_keys(self) -> tuple[tuple[tuple[str, ...], tuple[str | None, str], tuple[str, ...]], ...]:
        """Columns, table and columns there, of every foreign key."""
        return tuple(
            (c.columns, c.references, c.references_columns)
            for c in self.constraints
            if c.kind == "foreign_key" and c.references is not None
        )

    @cached_property
    def source(self) -> TableSource:
        """The table as something queries can select from; one object per definition."""
        return TableSource(self)

    def column(self, name: str) -> ColumnDef:
        """The column called `name`; LookupError with a near match when there is none."""
        for found in self.columns:
            if found.name == name:
                return found
        raise LookupError(unknown(name, "column", [c.name for c in self.columns], self.owner or self.name))


class Use(NamedTuple):
    """An object that another one needs: while it is needed, PostgreSQL refuses to drop or to change it."""

    kind: Literal["relation", "column", "constraint", "type", "function"]
    schema: str | None
    name: str
    """Of a column or a constraint, its table or view."""
    part: str | None = None
    """The column or the constraint."""


class ViewDef(Definition):
    """A view, or a materialized view.

    >>> from data_bridge.query import ViewDef
    >>> ViewDef("adults", "SELECT id, name FROM users WHERE age >= 18").materialized
    False
    """

    _ignored: ClassVar[frozenset[str]] = frozenset({"columns", "uses", "owner"})
    name: str
    query: Any
    """A query, whose values become literals, or trusted SQL text."""
    schema: str | None = field(default=None, kw_only=True)
    columns: tuple[ColumnDef, ...] = field(default=(), kw_only=True)
    """What the query returns, for statements that read the view; no part of equality."""
    materialized: bool = field(default=False, kw_only=True)
    security_barrier: bool = field(default=False, kw_only=True)
    """Whether conditions of the view run before those of a query that may leak rows."""
    security_invoker: bool = field(default=False, kw_only=True)
    """Whether the role that reads the view needs the privileges, and is under the policies, of its tables (PostgreSQL 15)."""
    check_option: Literal["local", "cascaded"] | None = field(default=None, kw_only=True)
    indexes: tuple[IndexDef, ...] = field(default=(), kw_only=True)
    """Of a materialized view."""
    grants: tuple[GrantDef, ...] = field(default=(), kw_only=True)
    comment: str | None = field(default=None, kw_only=True)
    uses: tuple[Use, ...] = field(default=(), kw_only=True)
    """What the query needs; read from a live schema only, and no part of equality."""
    owner: str | None = field(default=None, kw_only=True)
    """The name of the class, for messages; no part of equality."""

    @cached_property
    def source(self) -> TableSource:
        """The view as something queries can select from; statements that write refuse it."""
        return TableSource(TableDef(self.name, self.columns, schema=self.schema, is_view=True, owner=self.owner))


_NAME = r'(?:[^\W\d][\w$]*|"(?:[^"]|"")+")'
_ROUTINE = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*CREATE\s+(?:OR\s+REPLACE\s+)?(?P<kind>FUNCTION|PROCEDURE)\s+"
    rf"(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})\s*(?P<definition>\(.*)",
    re.IGNORECASE | re.DOTALL,
)


class FunctionDef(Definition):
    """A function or a procedure, as one CREATE statement of trusted SQL says it.

    A schema has one function of a name: overloads are not modelled.

    >>> from data_bridge.query import FunctionDef
    >>> one = FunctionDef("CREATE FUNCTION shop.one() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    >>> one.kind, one.schema, one.name
    ('function', 'shop', 'one')
    """

    _ignored: ClassVar[frozenset[str]] = frozenset({"uses", "serves_tables"})
    sql: str
    comment: str | None = field(default=None, kw_only=True)
    uses: tuple[Use, ...] = field(default=(), kw_only=True)
    """What it needs, as far as PostgreSQL knows; read from a live schema only, and no part of equality."""
    serves_tables: bool = field(default=False, kw_only=True)
    """Whether a default, a constraint or an index calls it; read from a live schema only, and no part of equality."""

    def __init__(self, *values: Any, **named: Any) -> None:
        """Makes the definition.

        Raises:
            ValueError: the text is not one CREATE FUNCTION or CREATE PROCEDURE.
        """
        super().__init__(*values, **named)
        found = _ROUTINE.fullmatch(self.sql)
        if found is None:
            raise ValueError("a FunctionDef needs one statement, CREATE FUNCTION … or CREATE PROCEDURE …")
        self.__dict__["_parts"] = found.groupdict()

    @property
    def kind(self) -> Literal["function", "procedure"]:
        """What it is."""
        return "function" if self.__dict__["_parts"]["kind"].lower() == "function" else "procedure"

    @property
    def schema(self) -> str | None:
        """Its schema; None where the statement names none."""
        schema = self.__dict__["_parts"]["schema"]
        return None if schema is None else _folded(schema)

    @property
    def name(self) -> str:
        """Its name."""
        return _folded(self.__dict__["_parts"]["name"])

    @property
    def definition(self) -> str:
        """The statement from the arguments on."""
        text: str = self.__dict__["_parts"]["definition"]
        return text.strip().rstrip(";").rstrip()


def _folded(name: str) -> str:
    """A name as PostgreSQL understands it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


class TriggerDef(Definition):
    """A trigger of a table.

    >>> from data_bridge.query import TriggerDef
    >>> TriggerDef("touch", "BEFORE UPDATE OF price", "FOR EACH ROW EXECUTE FUNCTION touch()").event
    'BEFORE UPDATE OF price'
    """

    name: str
    event: str
    """What stands before ON in CREATE TRIGGER."""
    action: str | FunctionDef
    """What stands behind the table, or a function that is called for each row."""
    constraint: bool = field(default=False, kw_only=True)
    """Whether it is a constraint trigger, which may be deferred."""
    comment: str | None = field(default=None, kw_only=True)


class PolicyDef(Definition):
    """A policy of row-level security: which rows of a table some roles see and write.

    >>> from data_bridge.query import PolicyDef, sql
    >>> PolicyDef("own", using=sql("owner = current_user")).command
    'all'
    """

    name: str
    command: Literal["all", "select", "insert", "update", "delete"] = field(default="all", kw_only=True)
    using: Node[Any] | None = field(default=None, kw_only=True)
    """The rows that are there."""
    check: Node[Any] | None = field(default=None, kw_only=True)
    """The rows that are written; without it, `using` decides."""
    roles: tuple[str, ...] = field(default=(), kw_only=True)
    """Empty for all roles."""
    restrictive: bool = field(default=False, kw_only=True)
    """Whether it takes rows away from what other policies allow."""
    comment: str | None = field(default=None, kw_only=True)


class GrantDef(Definition):
    """Privileges on a table or a view that one role has.

    >>> from data_bridge.query import GrantDef
    >>> GrantDef(("SELECT", "INSERT"), "web").role
    'web'
    """

    privileges: tuple[str, ...] | str
    """`SELECT`, `INSERT` and so on; one may stand for itself, and `ALL` for all."""
    role: str
    """`public` is every role."""


class EnumDef(Definition):
    """A native enum type."""

    name: str
    values: tuple[str, ...]
    schema: str | None = field(default=None, kw_only=True)
    comment: str | None = field(default=None, kw_only=True)


class SequenceDef(Definition):
    """A sequence that no identity column owns."""

    name: str
    schema: str | None = field(default=None, kw_only=True)
    type: str = field(default="bigint", kw_only=True)
    start: int = field(default=1, kw_only=True)
    increment: int = field(default=1, kw_only=True)
    minimum: int | None = field(default=None, kw_only=True)
    maximum: int | None = field(default=None, kw_only=True)
    cache: int = field(default=1, kw_only=True)
    cycle: bool = field(default=False, kw_only=True)
    owned_by: tuple[str, str] | None = field(default=None, kw_only=True)
    """Table and column it goes with."""


class DomainDef(Definition):
    """A domain: a type with constraints."""

    name: str
    base: str
    schema: str | None = field(default=None, kw_only=True)
    default: str | None = field(default=None, kw_only=True)
    not_null: bool = field(default=False, kw_only=True)
    checks: tuple[tuple[str | None, str], ...] = field(default=(), kw_only=True)


class ExtensionDef(Definition):
    """An installed extension."""

    name: str
    version: str | None = field(default=None, kw_only=True)
    schema: str | None = field(default=None, kw_only=True)


def default_name(
    table: str, columns: Iterable[str], suffix: Literal["pkey", "key", "idx", "fkey", "check", "excl", "seq"]
) -> str:
    """The name PostgreSQL itself would give. One that would be longer than 63 bytes is cut, with a hash of the whole before the
    suffix, so that two long names differ where PostgreSQL would cut both to the same.

    >>> from data_bridge.query import default_name
    >>> default_name("users", ["email"], "key")
    'users_email_key'
    >>> default_name("a" * 40, ["b" * 40], "idx")
    'aaaaaaaaaaaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbb_0365e0f6_idx'
    """
    first, second = table.encode(), b"" if suffix == "pkey" else "_".join(columns).encode()
    ends: list[str] = [suffix]
    room = 63 - len(suffix) - (2 if second else 1)
    if len(first) + len(second) > room:
        whole = digest(first + b"\0" + second, "sha256")[:8]
        ends, room = [whole, suffix], room - 9
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [part.decode(errors="ignore") for part in (first, second) if part]
    return "_".join([*parts, *ends])
