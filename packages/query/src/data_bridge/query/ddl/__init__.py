"""DDL operations as data: what migrations record, compare, invert and run, and what ``Table.ddl()`` prints.

Each is a frozen definition with ``__statement__()``. DDL takes no parameters, so values inside expressions become
literals, written by the one literal writer of the core.

>>> from data_bridge.query import ColumnDef, compile, ddl, types
>>> compile(ddl.AddColumn("users", ColumnDef("age", types.Integer))).sql
'ALTER TABLE "users" ADD COLUMN "age" integer'
"""

from __future__ import annotations

from ..definitions.tables import DomainDef, FunctionDef, IndexDef, TableDef, ViewDef, default_name
from ..types.sql_types import DeclaredEnum, SQLType
from .nodes import Path
from .objects import (
    AddEnumValue,
    AlterPolicy,
    AlterSequence,
    Comment,
    CreateDomain,
    CreateEnum,
    CreateExtension,
    CreateFunction,
    CreateIndex,
    CreatePolicy,
    CreateSchema,
    CreateSequence,
    CreateTrigger,
    CreateView,
    DropPolicy,
    DropTrigger,
    Grant,
    RenameEnumValue,
    Revoke,
    SetRowSecurity,
)
from .table_order import tables_in_order, views_in_order, without_later_keys
from .tables import (
    AddColumn,
    AddConstraint,
    AddConstraintUsingIndex,
    AddIdentity,
    AlterColumnType,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropDomain,
    DropEnum,
    DropExpression,
    DropExtension,
    DropFunction,
    DropIdentity,
    DropIndex,
    DropNotNull,
    DropSchema,
    DropSequence,
    DropTable,
    DropView,
    Operation,
    RawColumn,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    SetDefault,
    SetNotNull,
    SetSchema,
    ValidateConstraint,
)

__all__ = [
    "AddColumn",
    "AddConstraint",
    "AddConstraintUsingIndex",
    "AddEnumValue",
    "AddIdentity",
    "AlterColumnType",
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
    "CreateTable",
    "CreateTrigger",
    "CreateView",
    "DropColumn",
    "DropConstraint",
    "DropDefault",
    "DropDomain",
    "DropEnum",
    "DropExpression",
    "DropExtension",
    "DropFunction",
    "DropIdentity",
    "DropIndex",
    "DropNotNull",
    "DropPolicy",
    "DropSchema",
    "DropSequence",
    "DropTable",
    "DropTrigger",
    "DropView",
    "Grant",
    "Operation",
    "Path",
    "RawColumn",
    "RenameColumn",
    "RenameConstraint",
    "RenameEnumValue",
    "RenameIndex",
    "RenameTable",
    "Revoke",
    "SetDefault",
    "SetNotNull",
    "SetRowSecurity",
    "SetSchema",
    "ValidateConstraint",
    "create_function_operations",
    "create_grant_operations",
    "create_policy_operations",
    "create_table_operations",
    "create_trigger_operations",
    "create_type_operations",
    "create_view_operations",
    "functions_of",
    "privileges_of",
    "script",
    "tables_in_order",
    "views_in_order",
    "without_later_keys",
]


def create_table_operations(table: TableDef, *, if_not_exists: bool = False) -> list[Operation]:
    """Everything that makes a table of its definition: the table, its indexes, its comments.

    >>> from data_bridge.query import ColumnDef, IndexDef, TableDef, ddl, types
    >>> users = TableDef("users", (ColumnDef("email", types.Text),), indexes=(IndexDef(None, ("email",)),), comment="people")
    >>> print(*(type(o).__name__ for o in ddl.create_table_operations(users)))
    CreateTable CreateIndex Comment
    """
    operations: list[Operation] = [CreateTable(table, if_not_exists=if_not_exists)]
    operations += [CreateIndex(table, index, if_not_exists=if_not_exists) for index in table.indexes]
    if table.comment is not None:
        operations.append(Comment("table", table, table.comment))
    for column in table.columns:
        if column.comment is not None:
            operations.append(Comment("column", table, column.comment, column.name))
    operations += _index_comments(table.schema, table.name, table.indexes)
    for constraint in table.constraints:
        if constraint.comment is not None and constraint.name is not None:
            operations.append(Comment("constraint", table, constraint.comment, constraint.name))
    return operations


def create_function_operations(function: FunctionDef, *, or_replace: bool = False) -> list[Operation]:
    """The function, and its comment."""
    operations: list[Operation] = [CreateFunction(function, or_replace=or_replace)]
    if function.comment is not None:
        operations.append(Comment(function.kind, (function.schema, function.name), function.comment))
    return operations


def create_trigger_operations(table: TableDef) -> list[Operation]:
    """The triggers of a table, and their comments. They come behind their functions."""
    operations: list[Operation] = []
    for trigger in table.triggers:
        operations.append(CreateTrigger((table.schema, table.name), trigger))
        if trigger.comment is not None:
            operations.append(Comment("trigger", (table.schema, table.name), trigger.comment, trigger.name))
    return operations


def create_policy_operations(table: TableDef) -> list[Operation]:
    """The policies of a table, their comments, and then row-level security, so that no role is without its policy."""
    path = (table.schema, table.name)
    operations: list[Operation] = []
    for policy in table.policies:
        operations.append(CreatePolicy(path, policy))
        if policy.comment is not None:
            operations.append(Comment("policy", path, policy.comment, policy.name))
    if table.row_security is not None:
        operations.append(SetRowSecurity(path, table.row_security))
    return operations


def privileges_of(definition: TableDef | ViewDef) -> dict[str, tuple[str, ...]]:
    """The privileges of every role, in the order of their names.

    >>> from data_bridge.query import GrantDef, ViewDef, ddl
    >>> ddl.privileges_of(ViewDef("v", "SELECT 1", grants=(GrantDef("select", "web"), GrantDef(("INSERT",), "web"))))
    {'web': ('INSERT', 'SELECT')}
    """
    made: dict[str, set[str]] = {}
    for grant in definition.grants:
        given = (grant.privileges,) if isinstance(grant.privileges, str) else grant.privileges
        made.setdefault(grant.role, set()).update(word.upper() for word in given)
    return {role: tuple(sorted(made[role])) for role in sorted(made)}


def create_grant_operations(definition: TableDef | ViewDef) -> list[Operation]:
    """The privileges on a table or a view."""
    path = (definition.schema, definition.name)
    return [Grant(path, privileges, role) for role, privileges in privileges_of(definition).items()]


def functions_of(*tables: TableDef) -> list[FunctionDef]:
    """The functions that triggers of these tables bring, each once."""
    found = [t.action for table in tables for t in table.triggers if isinstance(t.action, FunctionDef)]
    return list({(f.schema, f.name): f for f in found}.values())


def create_view_operations(view: ViewDef, *, or_replace: bool = False, if_not_exists: bool = False) -> list[Operation]:
    """Everything that makes a view of its definition: the view, its indexes, its comments.

    >>> from data_bridge.query import ViewDef, ddl
    >>> for operation in ddl.create_view_operations(ViewDef("one", "SELECT 1 AS n", comment="one row")):
    ...     print(operation)
    CREATE VIEW "one" AS SELECT 1 AS n
    COMMENT ON VIEW "one" IS 'one row'
    """
    path = (view.schema, view.name)
    operations: list[Operation] = [
        CreateView(
            path,
            view.query,
            or_replace=or_replace,
            if_not_exists=if_not_exists,
            materialized=view.materialized,
            security_barrier=view.security_barrier,
            security_invoker=view.security_invoker,
            check_option=view.check_option,
        )
    ]
    operations += [CreateIndex(path, index, if_not_exists=if_not_exists) for index in view.indexes]
    if view.comment is not None:
        operations.append(Comment("materialized view" if view.materialized else "view", path, view.comment))
    for column in view.columns:
        if column.comment is not None:
            operations.append(Comment("column", path, column.comment, column.name))
    return [*operations, *_index_comments(*path, view.indexes), *create_grant_operations(view)]


def _index_comments(schema: str | None, of: str, indexes: tuple[IndexDef, ...]) -> list[Operation]:
    made: list[Operation] = []
    for index in indexes:
        if index.comment is not None:
            names = [c if isinstance(c, str) else "expr" for c in index.columns]
            made.append(Comment("index", (schema, index.name or default_name(of, names, "idx")), index.comment))
    return made


def create_type_operations(*tables: TableDef) -> list[Operation]:
    """The enums and domains that columns of these tables have, each once, in the order of the columns.

    >>> from data_bridge.query import ColumnDef, TableDef, ddl, types
    >>> print(*ddl.create_type_operations(TableDef("t", (ColumnDef("mood", types.Enum("mood", "sad", "ok")),))))
    CREATE TYPE "mood" AS ENUM ('sad', 'ok')
    """
    made: dict[str, Operation] = {}
    for column in (column for table in tables for column in table.columns):
        of: SQLType | None = column.type
        while of is not None:
            declared = of.declared
            if isinstance(declared, DeclaredEnum):
                made.setdefault(of.name, CreateEnum((declared.schema, declared.name), declared.labels))
            elif declared is not None:
                checks = ((None, declared.check),) if declared.check else ()
                domain = DomainDef(
                    declared.name, declared.base, schema=declared.schema, not_null=declared.not_null, checks=checks
                )
                made.setdefault(of.name, CreateDomain(domain))
            of = of.of
    return list(made.values())


def script(table: TableDef) -> str:
    """The DDL of a table as text, one statement after the other.

    >>> from data_bridge.query import ColumnDef, TableDef, ddl, types
    >>> print(ddl.script(TableDef("t", (ColumnDef("id", types.BigInt, nullable=False),))))
    CREATE TABLE "t" (
        "id" bigint NOT NULL
    );
    """
    operations = [*create_type_operations(table), *create_table_operations(table)]
    for function in functions_of(table):
        operations += create_function_operations(function)
    operations += [*create_trigger_operations(table), *create_policy_operations(table)]
    operations += create_grant_operations(table)
    return "\n".join(f"{operation};" for operation in operations)
