"""The shapes of statements: one function for each, so that no other file knows which part stands where.

Structures are nested tuples without values; contract/ir.md describes them. The parameters go beside the structure, in the
order in which the places stand in it: the columns of the result, FROM, SET, WHERE, ORDER BY, and the clauses behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ..expressions.node import Structure

Clause = tuple[Any, ...]
"""A part of a statement that is more than an expression: ON CONFLICT, FROM, locking."""
Conditions = tuple[Structure, ...]
"""Conditions that AND joins."""
Assignments = Iterable[tuple[str, Structure]]
"""The names of columns and what they are set to."""
Strength = Literal["update", "no key update", "share", "key share"]

PLACE: Structure = "$"
"""The place of a parameter that takes its type from where it stands."""
NULL: Structure = ("null",)
CONFLICT_NOTHING: Clause = ("conflict", None, "nothing")
"""ON CONFLICT DO NOTHING, whatever the conflict is with."""


# --------------------------------------------------------------------------------------------------------- expressions
def place(type_name: str) -> Structure:
    """The place of a parameter of this type: ``$1::uuid``."""
    return ("$", type_name)


def column(table: str | None, name: str) -> Structure:
    """A column, qualified by the name of its table or not at all."""
    return ("col", table, name)


def columns(table: str | None, names: Iterable[str]) -> Structure:
    """Several columns of one table as a part of a result."""
    return ("cols", table, *names)


def excluded(name: str) -> Structure:
    """The proposed value of a column, in ON CONFLICT."""
    return ("col", "excluded", name)


def equal(left: Structure, right: Structure) -> Structure:
    """``left = right``."""
    return ("=", left, right)


def is_null(of: Structure) -> Structure:
    """``of IS NULL``."""
    return ("is", of, "null")


def is_not_null(of: Structure) -> Structure:
    """``of IS NOT NULL``."""
    return ("is", of, "not null")


def call(name: str, *arguments: Structure) -> Structure:
    """A function of these arguments."""
    return ("call", name, *arguments)


def if_else(condition: Structure, then: Structure, otherwise: Structure) -> Structure:
    """``CASE WHEN condition THEN then ELSE otherwise END``."""
    return ("case", None, ((condition, then),), otherwise)


def subquery(query: Structure) -> Structure:
    """A query as a value."""
    return ("query", query)


def exists(query: Structure) -> Structure:
    """``EXISTS (query)``."""
    return ("exists", query)


def in_query(left: Sequence[Structure], query: Structure) -> Structure:
    """``left IN (query)``; of several expressions ``(a, b) IN (query)``."""
    return ("in", left[0] if len(left) == 1 else ("row", *left), ("query", query))


def label(of: Structure, name: str) -> Structure:
    """``of AS name`` in a result."""
    return ("label", of, name)


WAS_INSERTED: Structure = ("=", ("raw", "xmax"), ("raw", "0"))
"""Whether RETURNING is of a row that the statement inserted: only a replaced row version has an xmax."""


def descending(of: Structure) -> Structure:
    """``of DESC``."""
    return ("desc", of)


# -------------------------------------------------------------------------------------------------------------- sources
def arrays(type_names: Iterable[str]) -> Structure:
    """``unnest()`` of one array parameter for each of these types."""
    return ("call", "unnest", *[("$", f"{name}[]") for name in type_names])


def table_of_arrays(type_names: Iterable[str], alias: str, names: tuple[str, ...]) -> Structure:
    """A table in FROM whose columns are array parameters of these types."""
    return ("func", arrays(type_names), alias, names, None)


def table_of_call(function: Structure, alias: str, names: tuple[str, ...]) -> Structure:
    """A table in FROM that a function makes."""
    return ("func", function, alias, names, None)


def table_of_rows(type_names: Iterable[str], count: int, alias: str, names: tuple[str, ...]) -> Structure:
    """A table in FROM of `count` rows, each of parameters of these types: for arrays, which unnest() takes apart."""
    line = tuple([("$", name) for name in type_names])
    return ("values", (line,) * count, alias, names)


def inner_join(source: Structure, on: Conditions) -> Structure:
    """``JOIN source ON …``."""
    return ("inner", source, on)


def left_join(source: Structure, on: Conditions) -> Structure:
    """``LEFT JOIN source ON …``."""
    return ("left", source, on)


# ----------------------------------------------------------------------------------------------------------- statements
def select(
    source: Structure, results: Iterable[Structure], where: Conditions = (), *, extras: tuple[Clause, ...] = ()
) -> Structure:
    """A SELECT without order and limits."""
    return ("select", source, tuple(results), where or None, None, None, None, extras or None)


def select_exists(query: Structure) -> Structure:
    """``SELECT EXISTS (query)``."""
    return ("select", None, (("exists", query),), None, None, None, None, None)


def insert(
    table: Structure,
    names: tuple[str, ...],
    rows: Structure,
    *,
    conflict: Clause | None = None,
    returning: tuple[Structure, ...] | None = None,
) -> Structure:
    """An INSERT of one of `one_row`, `several_rows`, `rows_of_arrays`."""
    return ("insert", table, names, rows, conflict, returning, None)


def one_row(names: Sequence[str]) -> Structure:
    """The row of an INSERT: a parameter for each column; without columns all defaults."""
    return "$" if names else None


def several_rows(count: int) -> Structure:
    """The rows of an INSERT: a parameter for each column of each row."""
    return ("rows", count)


def rows_of_arrays(type_names: Iterable[str]) -> Structure:
    """The rows of an INSERT: an array of these types for each column."""
    return ("unnest", *type_names)


def update(
    table: Structure,
    sets: Assignments,
    where: Conditions,
    *,
    returning: tuple[Structure, ...] | None = None,
    sources: tuple[Structure, ...] = (),
) -> Structure:
    """An UPDATE, with further tables in FROM."""
    return ("update", table, tuple(sets), where or None, returning, (("from", *sources),) if sources else None)


def delete(
    table: Structure,
    where: Conditions,
    *,
    returning: tuple[Structure, ...] | None = None,
    sources: tuple[Structure, ...] = (),
) -> Structure:
    """A DELETE, with further tables in USING."""
    return ("delete", table, where or None, returning, (("using", *sources),) if sources else None)


def text(sql: str) -> Structure:
    """A statement of trusted text."""
    return ("text", sql)


# -------------------------------------------------------------------------------------------------------------- clauses
def on_columns(names: Iterable[str], where: Conditions | None = None) -> Structure:
    """The target of ON CONFLICT: the columns of a unique index, a partial one with its condition."""
    return on_expressions([("col", None, name) for name in names], where)


def on_expressions(targets: Iterable[Structure], where: Conditions | None = None) -> Structure:
    """The target of ON CONFLICT: columns and expressions of a unique index."""
    return ("columns", tuple(targets), where)


def on_constraint(name: str) -> Structure:
    """The target of ON CONFLICT: a constraint by its name."""
    return ("constraint", name)


def conflict_nothing(target: Structure | None) -> Clause:
    """``ON CONFLICT target DO NOTHING``."""
    return ("conflict", target, "nothing")


def conflict_update(target: Structure | None, sets: Assignments, where: Conditions | None = None) -> Clause:
    """``ON CONFLICT target DO UPDATE``."""
    return ("conflict", target, ("update", tuple(sets), where))


def locking(strength: Strength = "update", wait: Literal["nowait", "skip locked"] | None = None) -> Clause:
    """``FOR UPDATE`` and its kin, of every table of a SELECT."""
    return ("locking", (strength, None, wait))


# ----------------------------------------------------------------------------------------------------- changed structures
def with_clauses(query: Structure, *extras: Clause) -> Structure:
    """A SELECT of `select` with these clauses behind it."""
    return (*query[:7], (*(query[7] or ()), *extras))


def with_conditions(query: Structure, conditions: Conditions) -> Structure:
    """A SELECT with conditions in front of its own. They have no parameters."""
    return (*query[:3], (*conditions, *(query[3] or ())), *query[4:])


def with_result(query: Structure, results: Iterable[Structure]) -> Structure:
    """A SELECT with another result."""
    return (*query[:2], tuple(results), *query[3:])


def with_conflict(statement: Structure, conflict: Clause) -> Structure:
    """An INSERT with another ON CONFLICT."""
    return (*statement[:4], conflict, *statement[5:])


def with_returning(statement: Structure, returning: tuple[Structure, ...] | None) -> Structure:
    """An INSERT, UPDATE or DELETE with another RETURNING."""
    return (*statement[:-2], returning, statement[-1])


def ordinals(count: int) -> list[Structure]:
    """The positions of a result, for ORDER BY."""
    return [("ordinal", i) for i in range(1, count + 1)]


def for_each(parents: Structure, keys: Structure, query: Structure, alias: str, names: Iterable[str]) -> Structure:
    """The rows of a query for each row of `parents`, which the query refers to, and the keys of that row behind them."""
    joined = ("joins", ("cross", ("subquery", query, alias, "lateral"), None))
    return ("select", parents, (("cols", alias, *names), keys), None, None, None, None, (joined,))
