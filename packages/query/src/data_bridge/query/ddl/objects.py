"""DDL operations on what is not a table: indexes, enums, sequences, comments, extensions, schemas, views, domains."""

from __future__ import annotations

from typing import Any, Literal

from data_bridge.core import quote_identifier

from ..definitions.base import field
from ..definitions.tables import DomainDef, FunctionDef, IndexDef, PolicyDef, SequenceDef, TriggerDef, default_name
from .nodes import (
    Path,
    condition_text,
    flags,
    index_elements,
    index_extras,
    literal_statement,
    named,
    path_of,
    sequence_settings,
)
from .tables import Operation

__all__ = [
    "AddEnumValue",
    "AlterPolicy",
    "AlterSequence",
    "Comment",
    "CreateDomain",
    "CreateEnum",
    "CreateExtension",
    "CreateFunction",
    "CreateIndex",
    "CreatePolicy",
    "CreateSchema",
    "CreateSequence",
    "CreateTrigger",
    "CreateView",
    "DropPolicy",
    "DropTrigger",
    "Grant",
    "RenameEnumValue",
    "Revoke",
    "SetRowSecurity",
]


class CreateIndex(Operation):
    """CREATE INDEX; `concurrently` cannot run inside a transaction. Without a name it gets PostgreSQL's own.

    >>> from data_bridge.query import IndexDef, ddl
    >>> print(ddl.CreateIndex("users", IndexDef(None, ("email",), unique=True)))
    CREATE UNIQUE INDEX "users_email_idx" ON "users" ("email")
    """

    table: Path
    index: IndexDef
    concurrently: bool = field(default=False, kw_only=True)
    if_not_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        index = self.index
        columns = [c if isinstance(c, str) else "expr" for c in index.columns]
        name = index.name or default_name(named(self.table), columns, "idx")
        options = flags(
            unique=index.unique,
            concurrently=self.concurrently,
            if_not_exists=self.if_not_exists,
            nulls_not_distinct=index.nulls_not_distinct,
        )
        return ("create_index", name, path_of(self.table), index_elements(index), options, index_extras(index))


class CreateEnum(Operation):
    """CREATE TYPE … AS ENUM.

    >>> from data_bridge.query import ddl
    >>> print(ddl.CreateEnum("mood", ("sad", "it's ok")))
    CREATE TYPE "mood" AS ENUM ('sad', 'it''s ok')
    """

    name: Path
    values: tuple[str, ...]

    def _ir(self) -> tuple[Any, ...]:
        return ("create_enum", path_of(self.name), tuple(self.values) or None)


class AddEnumValue(Operation):
    """ALTER TYPE … ADD VALUE, before or after another one."""

    name: Path
    value: str
    before: str | None = field(default=None, kw_only=True)
    after: str | None = field(default=None, kw_only=True)
    if_not_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        place = ("before", self.before) if self.before else ("after", self.after) if self.after else None
        return ("add_enum_value", path_of(self.name), self.value, place, flags(if_not_exists=self.if_not_exists))


class RenameEnumValue(Operation):
    """ALTER TYPE … RENAME VALUE."""

    name: Path
    value: str
    to: str

    def _ir(self) -> tuple[Any, ...]:
        return ("rename_enum_value", path_of(self.name), self.value, self.to)


class CreateSequence(Operation):
    """CREATE SEQUENCE."""

    sequence: SequenceDef
    if_not_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        sequence = self.sequence
        settings = sequence_settings(sequence, SequenceDef(sequence.name))
        return (
            "create_sequence",
            path_of((sequence.schema, sequence.name)),
            flags(if_not_exists=self.if_not_exists),
            settings,
        )


class AlterSequence(Operation):
    """ALTER SEQUENCE: what differs between two definitions."""

    old: SequenceDef
    new: SequenceDef

    def _ir(self) -> tuple[Any, ...]:
        settings = sequence_settings(self.new, self.old)
        if not settings:
            raise ValueError(f"nothing differs in the sequence {self.old.name}")
        return ("alter_sequence", path_of((self.old.schema, self.old.name)), settings)


class Comment(Operation):
    """COMMENT ON; text None removes it. For a part of a table `of` names it, and `name` its table."""

    kind: Literal[
        "table",
        "view",
        "materialized view",
        "index",
        "sequence",
        "type",
        "domain",
        "schema",
        "extension",
        "function",
        "procedure",
        "column",
        "constraint",
        "trigger",
        "policy",
    ]
    name: Path
    text: str | None
    of: str | None = None

    def _ir(self) -> tuple[Any, ...]:
        return ("comment", self.kind, path_of(self.name), self.of, self.text)


class CreateExtension(Operation):
    """CREATE EXTENSION."""

    name: str
    if_not_exists: bool = field(default=False, kw_only=True)
    schema: str | None = field(default=None, kw_only=True)
    version: str | None = field(default=None, kw_only=True)
    cascade: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        options = flags(if_not_exists=self.if_not_exists, cascade=self.cascade)
        return ("create_extension", self.name, options, self.schema, self.version)


class CreateSchema(Operation):
    """CREATE SCHEMA."""

    name: str
    if_not_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        return ("create_schema", self.name, flags(if_not_exists=self.if_not_exists))


class CreateView(Operation):
    """CREATE VIEW of a query, whose values become literals, or of trusted SQL text.

    >>> from data_bridge.query import ddl
    >>> print(ddl.CreateView("adults", "SELECT id FROM users WHERE age >= 18", security_barrier=True))
    CREATE VIEW "adults" WITH (security_barrier = true) AS SELECT id FROM users WHERE age >= 18
    """

    name: Path
    query: Any
    columns: tuple[str, ...] = field(default=(), kw_only=True)
    or_replace: bool = field(default=False, kw_only=True)
    materialized: bool = field(default=False, kw_only=True)
    if_not_exists: bool = field(default=False, kw_only=True)
    with_no_data: bool = field(default=False, kw_only=True)
    security_barrier: bool = field(default=False, kw_only=True)
    security_invoker: bool = field(default=False, kw_only=True)
    check_option: Literal["local", "cascaded"] | None = field(default=None, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        options = flags(
            or_replace=self.or_replace,
            materialized=self.materialized,
            if_not_exists=self.if_not_exists,
            with_no_data=self.with_no_data,
            security_barrier=self.security_barrier,
            security_invoker=self.security_invoker,
            local_check_option=self.check_option == "local",
            cascaded_check_option=self.check_option == "cascaded",
        )
        query = ("raw", self.query) if isinstance(self.query, str) else literal_statement(self.query)
        return ("create_view", path_of(self.name), self.columns or None, query, options)


class CreateFunction(Operation):
    """CREATE FUNCTION, or CREATE PROCEDURE.

    >>> from data_bridge.query import FunctionDef, ddl
    >>> print(ddl.CreateFunction(FunctionDef("create function one() returns int return 1"), or_replace=True))
    CREATE OR REPLACE FUNCTION "one"() returns int return 1
    """

    function: FunctionDef
    or_replace: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        function = self.function
        head = f"CREATE {'OR REPLACE ' if self.or_replace else ''}{function.kind.upper()}"
        return ("raw", f"{head} {_path((function.schema, function.name))}{function.definition}")


class CreateTrigger(Operation):
    """CREATE TRIGGER; a constraint trigger cannot be replaced.

    >>> from data_bridge.query import TriggerDef, ddl
    >>> trigger = TriggerDef("touch", "BEFORE UPDATE", "FOR EACH ROW EXECUTE FUNCTION touch()")
    >>> print(ddl.CreateTrigger("users", trigger))
    CREATE TRIGGER "touch" BEFORE UPDATE ON "users" FOR EACH ROW EXECUTE FUNCTION touch()
    """

    table: Path
    trigger: TriggerDef
    or_replace: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        trigger = self.trigger
        head = f"CREATE {'OR REPLACE ' if self.or_replace else ''}{'CONSTRAINT ' if trigger.constraint else ''}TRIGGER"
        name, action = quote_identifier(trigger.name), action_of(trigger)
        return ("raw", f"{head} {name} {trigger.event} ON {_path(path_of(self.table))} {action}")


class DropTrigger(Operation):
    """DROP TRIGGER."""

    table: Path
    name: str
    if_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        head = f"DROP TRIGGER {'IF EXISTS ' if self.if_exists else ''}{quote_identifier(self.name)}"
        return ("raw", f"{head} ON {_path(path_of(self.table))}")


class CreatePolicy(Operation):
    """CREATE POLICY.

    >>> from data_bridge.query import PolicyDef, ddl, sql
    >>> print(ddl.CreatePolicy("users", PolicyDef("own", command="select", using=sql("name = current_user"), roles=("app",))))
    CREATE POLICY "own" ON "users" FOR SELECT TO "app" USING (name = current_user)
    """

    table: Path
    policy: PolicyDef

    def _ir(self) -> tuple[Any, ...]:
        policy = self.policy
        head = f"CREATE POLICY {quote_identifier(policy.name)} ON {_path(path_of(self.table))}"
        kind = f"{' AS RESTRICTIVE' if policy.restrictive else ''} FOR {policy.command.upper()}"
        return _conditions(f"{head}{kind}", policy)


class AlterPolicy(Operation):
    """ALTER POLICY: other roles, or other conditions in the place of those that are there."""

    table: Path
    policy: PolicyDef

    def _ir(self) -> tuple[Any, ...]:
        head = f"ALTER POLICY {quote_identifier(self.policy.name)} ON {_path(path_of(self.table))}"
        return _conditions(head, self.policy)


class DropPolicy(Operation):
    """DROP POLICY."""

    table: Path
    name: str
    if_exists: bool = field(default=False, kw_only=True)

    def _ir(self) -> tuple[Any, ...]:
        head = f"DROP POLICY {'IF EXISTS ' if self.if_exists else ''}{quote_identifier(self.name)}"
        return ("raw", f"{head} ON {_path(path_of(self.table))}")


class SetRowSecurity(Operation):
    """ALTER TABLE … ENABLE, FORCE or DISABLE ROW LEVEL SECURITY; None disables it.

    >>> from data_bridge.query import ddl
    >>> print(ddl.SetRowSecurity("users", "forced"))
    ALTER TABLE "users" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
    """

    table: Path
    to: Literal["enabled", "forced"] | None

    def _ir(self) -> tuple[Any, ...]:
        words = ("DISABLE" if self.to is None else "ENABLE", "FORCE" if self.to == "forced" else "NO FORCE")
        actions = tuple(("sql", f"{word} ROW LEVEL SECURITY") for word in words)
        return ("alter_table", path_of(self.table), actions)


class Grant(Operation):
    """GRANT on a table or a view.

    >>> from data_bridge.query import ddl
    >>> print(ddl.Grant("users", ("SELECT", "INSERT"), "web"))
    GRANT SELECT, INSERT ON "users" TO "web"
    """

    table: Path
    privileges: tuple[str, ...]
    role: str

    def _ir(self) -> tuple[Any, ...]:
        return ("raw", f"GRANT {', '.join(self.privileges)} ON {_path(path_of(self.table))} TO {_role(self.role)}")


class Revoke(Operation):
    """REVOKE on a table or a view."""

    table: Path
    privileges: tuple[str, ...]
    role: str

    def _ir(self) -> tuple[Any, ...]:
        return ("raw", f"REVOKE {', '.join(self.privileges)} ON {_path(path_of(self.table))} FROM {_role(self.role)}")


def _role(name: str) -> str:
    return "PUBLIC" if name.lower() == "public" else quote_identifier(name)


def _conditions(head: str, policy: PolicyDef) -> tuple[Any, ...]:
    roles = ", ".join(map(_role, policy.roles))
    said = f"{head} TO {roles or 'PUBLIC'}"
    for word, condition in (("USING", policy.using), ("WITH CHECK", policy.check)):
        if condition is not None:
            said += f" {word} {condition_text(condition)}"
    return ("raw", said)


def action_of(trigger: TriggerDef) -> str:
    """What stands behind the table in CREATE TRIGGER."""
    if isinstance(trigger.action, str):
        return trigger.action
    return f"FOR EACH ROW EXECUTE FUNCTION {_path((trigger.action.schema, trigger.action.name))}()"


def _path(path: Any) -> str:
    parts: tuple[str | None, ...] = (path,) if isinstance(path, str) else path
    return ".".join(quote_identifier(part) for part in parts if part is not None)


class CreateDomain(Operation):
    """CREATE DOMAIN; default and checks are SQL text, with VALUE for the value."""

    domain: DomainDef

    def _ir(self) -> tuple[Any, ...]:
        domain = self.domain
        default = None if domain.default is None else ("raw", domain.default)
        checks = tuple((name, ("raw", text)) for name, text in domain.checks) or None
        return (
            "create_domain",
            path_of((domain.schema, domain.name)),
            domain.base,
            default,
            "not null" if domain.not_null else None,
            checks,
        )
