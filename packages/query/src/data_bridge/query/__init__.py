"""Build PostgreSQL statements from typed Python expressions. The text is made in Rust; nothing here connects.

>>> from data_bridge.query import column, compile, select, table
>>> users = table("users", column("id", int, primary_key=True), column("age", int))
>>> compile(select(users.id).where(users.age > 25))
Compiled(sql='SELECT "users"."id" FROM "users" WHERE "users"."age" > $1', params=(25,))
"""
# The handshake comes before everything that relies on it.
# ruff: noqa: E402

from typing import TYPE_CHECKING, Any

from data_bridge import core

core.require(
    ir=1,
    features={
        "select",
        "insert",
        "update",
        "delete",
        "merge",
        "values",
        "compound",
        "raw",
        "truncate",
        "explain",
        "cte",
        "window",
        "grouping",
        "locking",
        "sample",
        "lateral",
        "rows_from",
        "conflict",
        "unnest",
        "styled",
        "same",
        "ordinal",
        "ddl",
    },
    package="data-bridge-query",
)

from data_bridge.core import Compiled, Statement

from . import types
from ._compile import compile
from .definitions.tables import (
    ColumnDef,
    ConstraintDef,
    DomainDef,
    EnumDef,
    ExtensionDef,
    FunctionDef,
    GrantDef,
    IndexDef,
    PolicyDef,
    SequenceDef,
    TableDef,
    TriggerDef,
    ViewDef,
    default_name,
)
from .expressions.casts import (
    all_,
    and_,
    any_,
    array,
    case,
    cast,
    exists,
    extract,
    literal,
    not_,
    null,
    or_,
    row,
    variadic,
)
from .expressions.column import ColumnProxy
from .expressions.document_path import DocumentColumn, DocumentPath
from .expressions.expr import Expr, Label
from .expressions.functions import Call, rows_from
from .expressions.namespace import FunctionNamespace, excluded, func, new, old
from .expressions.node import Node
from .expressions.order import Order
from .expressions.raw import RawStatement, Sql, raw, sql
from .expressions.sources import FunctionSource, QuerySource, Source, TableSource, source_of
from .expressions.window import Window, window
from .statements.base import Query
from .statements.compound import Compound, Values, values
from .statements.dml_base import default
from .statements.insert import Insert, insert
from .statements.merge import Merge, explain, merge, truncate
from .statements.select import Select, select
from .statements.table import QueryTable, aliased, column, table
from .statements.update import Delete, Update, delete, update
from .types.sql_types import SQLType
from .types.typemap import parse_type, type_of

if TYPE_CHECKING:
    from . import catalog, ddl

__all__ = [
    "Call",
    "ColumnDef",
    "ColumnProxy",
    "Compiled",
    "Compound",
    "ConstraintDef",
    "Delete",
    "DocumentColumn",
    "DocumentPath",
    "DomainDef",
    "EnumDef",
    "Expr",
    "ExtensionDef",
    "FunctionDef",
    "FunctionNamespace",
    "FunctionSource",
    "GrantDef",
    "IndexDef",
    "Insert",
    "Label",
    "Merge",
    "Node",
    "Order",
    "PolicyDef",
    "Query",
    "QuerySource",
    "QueryTable",
    "RawStatement",
    "SQLType",
    "Select",
    "SequenceDef",
    "Source",
    "Sql",
    "Statement",
    "TableDef",
    "TableSource",
    "TriggerDef",
    "Update",
    "Values",
    "ViewDef",
    "Window",
    "aliased",
    "all_",
    "and_",
    "any_",
    "array",
    "case",
    "cast",
    "catalog",
    "column",
    "compile",
    "ddl",
    "default",
    "default_name",
    "delete",
    "excluded",
    "exists",
    "explain",
    "extract",
    "func",
    "insert",
    "literal",
    "merge",
    "new",
    "not_",
    "null",
    "old",
    "or_",
    "parse_type",
    "raw",
    "row",
    "rows_from",
    "select",
    "source_of",
    "sql",
    "table",
    "truncate",
    "type_of",
    "types",
    "update",
    "values",
    "variadic",
    "window",
]


if not TYPE_CHECKING:
    # To checkers a module with __getattr__ has every name, also the misspelled ones.
    def __getattr__(name: str) -> Any:
        if name in ("catalog", "ddl"):
            # For start-up time: what a query never needs waits for its use.
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
