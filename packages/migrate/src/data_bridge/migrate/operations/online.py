"""Changes of tables in use, in steps that do not block other sessions for long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from data_bridge.core.lint import facts
from data_bridge.migrate._sql_lexer import tokens
from data_bridge.migrate._sql_names import quote_identifier
from data_bridge.migrate.operations.inverse import inverse_of
from data_bridge.query import ConstraintDef, IndexDef, Node, compile, default_name, sql
from data_bridge.query import ddl as o
from data_bridge.query.spi import constraint_name, named


@dataclass(frozen=True, slots=True)
class OnlineStep:
    """An operation with what undoes it, or a commit.

    Attributes:
        operation: what is done; None is a commit.
        inverse: what undoes it; an empty tuple where an earlier step's inverse does.
    """

    operation: Any
    inverse: Any = ()


COMMIT = OnlineStep(None)
"""What stands before is committed: its locks are let go."""


def constraint(path: Any, c: ConstraintDef) -> list[OnlineStep] | None:
    """A constraint whose rows are checked without blocking writes; None where PostgreSQL cannot do that."""
    name = c.name or constraint_name(named(path), c)
    back = o.DropConstraint(path, name)
    if c.kind in ("check", "foreign_key"):
        return [
            OnlineStep(o.AddConstraint(path, c, not_valid=True), back),
            COMMIT,
            OnlineStep(o.ValidateConstraint(path, name)),
        ]
    if c.kind in ("unique", "primary_key") and c.deferrable is None:
        index = IndexDef(
            name, tuple(c.columns), unique=True, include=tuple(c.include), nulls_not_distinct=c.nulls_not_distinct
        )
        kind: Any = "unique" if c.kind == "unique" else "primary key"
        steps = (
            [step for column in c.columns for step in not_null(path, column, stays=True)]
            if c.kind == "primary_key"
            else []
        )
        return [
            *steps,
            OnlineStep(o.CreateIndex(path, index, concurrently=True)),
            OnlineStep(o.AddConstraintUsingIndex(path, name, kind, name), back),
        ]
    return None


def instead_of(operation: Any) -> list[OnlineStep] | None:
    """The steps for an operation on a table in use; None where it is harmless as it is, or there is no other way.

    >>> [str(s.operation) for s in instead_of(o.SetNotNull("t", "a")) if s is not COMMIT][-1]
    'ALTER TABLE "t" DROP CONSTRAINT "t_a_present_check"'
    """
    match operation:
        case o.CreateIndex(concurrently=False):
            made = operation.replace(concurrently=True)
            return [OnlineStep(made, inverse_of(made))]
        case o.DropIndex(concurrently=False, cascade=False):
            return [OnlineStep(operation.replace(concurrently=True), None)]
        case o.AddConstraint(table=path, constraint=c, not_valid=False):
            return constraint(path, c)
        case o.SetNotNull(table=path, name=column):
            return not_null(path, column)
        case _:
            return None


def not_null(path: Any, column: str, *, stays: bool = False) -> list[OnlineStep]:
    """NOT NULL by a validated check: PostgreSQL then believes it without reading the table.

    `stays`: whether it was NOT NULL before is not known, so that undoing it leaves it, as dropping a primary key does.
    """
    name = default_name(named(path), (column, "present"), "check")
    check = ConstraintDef("check", name, (), check=sql(f"{quote_identifier(column)} IS NOT NULL"))
    return [
        OnlineStep(o.AddConstraint(path, check, not_valid=True)),
        COMMIT,
        OnlineStep(o.ValidateConstraint(path, name)),
        COMMIT,
        OnlineStep(o.SetNotNull(path, column), () if stays else o.DropNotNull(path, column)),
        OnlineStep(o.DropConstraint(path, name)),
    ]


_BEHIND = {
    "not",
    "null",
    "constraint",
    "check",
    "unique",
    "primary",
    "references",
    "collate",
    "generated",
    "deferrable",
    "initially",
}


def without_default(column: Any) -> tuple[Any, Node[Any], bool] | None:
    """A column apart from its default: the nullable rest, the default, and whether it is NOT NULL; None where it has none.

    >>> rest, default, required = without_default(o.RawColumn("k", "uuid DEFAULT gen_random_uuid() NOT NULL"))
    >>> rest.definition, required
    ('uuid', True)
    """
    if not isinstance(column, o.RawColumn):
        if column.default is None or column.identity is not None:
            return None
        return column.replace(default=None, nullable=True), column.default, not column.nullable
    text, start, end, depth = column.definition, -1, -1, 0
    for kind, token, at in tokens(text):
        depth += {"(": 1, ")": -1}.get(token, 0) if kind == "symbol" else 0
        word = token.lower() if kind == "word" and depth == 0 else ""
        if start < 0 and word == "default":
            start = at
        elif start >= 0 and word in _BEHIND:
            end = at
            break
    if start < 0:
        return None
    end = len(text) if end < 0 else end
    rest = f"{text[:start].rstrip()} {text[end:].strip()}".strip()
    required = _NOT_NULL.search(rest) is not None
    default: Node[Any] = sql(text[start + len("default") : end].strip())
    return o.RawColumn(column.name, _NOT_NULL.sub("", rest).strip()), default, required


_NOT_NULL = re.compile(r"\bnot\s+null\b", re.IGNORECASE)


def rewrites(operation: Any) -> bool:
    """Whether an operation writes its table again."""
    return any(f.rewrites for f in facts([compile(operation).sql]))
