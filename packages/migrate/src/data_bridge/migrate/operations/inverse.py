"""Operations that undo operations."""

from __future__ import annotations

from typing import Any

from data_bridge.migrate.operations.declared import RunSQL
from data_bridge.query import ddl as o
from data_bridge.query import default_name
from data_bridge.query.spi import constraint_name, named


def _index_path(operation: o.CreateIndex) -> Any:
    columns = [c if isinstance(c, str) else "expr" for c in operation.index.columns]
    name = operation.index.name or default_name(named(operation.table), columns, "idx")
    table = operation.table
    schema = table[0] if isinstance(table, tuple) else getattr(table, "schema", None)
    return (schema, name) if schema else name


def inverse_of(operation: Any) -> Any:
    """The operation that undoes this one, or None when there is none (or data would be lost on the way)."""
    match operation:
        case o.CreateTable(table=table):
            return o.DropTable(table)
        case o.AddColumn(table=table, column=column):
            return o.DropColumn(table, column.name)
        case o.RenameColumn(table=table, name=name, to=to):
            return o.RenameColumn(table, to, name)
        case o.CreateIndex():
            return o.DropIndex(_index_path(operation), concurrently=operation.concurrently)
        case o.AddConstraint(table=table, constraint=constraint):
            return o.DropConstraint(table, constraint.name or constraint_name(named(table), constraint))
        case o.SetNotNull(table=table, name=name):
            return o.DropNotNull(table, name)
        case o.DropNotNull(table=table, name=name):
            return o.SetNotNull(table, name)
        case o.CreateEnum(name=name):
            return o.DropEnum(name)
        case o.RenameEnumValue(name=name, value=value, to=to):
            return o.RenameEnumValue(name, to, value)
        case o.CreateFunction(function=function, or_replace=False):
            return o.DropFunction((function.schema, function.name), kind=function.kind)
        case o.CreateTrigger(table=table, trigger=trigger, or_replace=False):
            return o.DropTrigger(table, trigger.name)
        case o.CreatePolicy(table=table, policy=policy):
            return o.DropPolicy(table, policy.name)
        case o.Grant(table=table, privileges=privileges, role=role):
            return o.Revoke(table, privileges, role)
        case o.CreateView(name=name, materialized=materialized, or_replace=False):
            return o.DropView(name, materialized=materialized)
        case o.CreateSequence(sequence=sequence):
            return o.DropSequence((sequence.schema, sequence.name))
        case o.CreateSchema(name=name):
            return o.DropSchema(name)
        case o.CreateExtension(name=name):
            return o.DropExtension(name)
        case o.ValidateConstraint():
            return ()
        case RunSQL(undo=str(undo)):
            return RunSQL(undo)
        case _:
            return None
