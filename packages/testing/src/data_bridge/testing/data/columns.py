"""What a Table class asks of its values, read from its fields and its table definition."""

from __future__ import annotations

import types as python_types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from data_bridge.testing.data.checks import checks_of, narrowed
from data_bridge.testing.data.limits import Limits

__all__ = ["ModelColumn", "model_columns", "model_links"]


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """One field of a Table class.

    Attributes:
        key: name of the field.
        name: name of the column.
        annotation: its Python type, without None.
        optional: whether the database takes NULL.
        filled: whether it may be left out: a default, a key the database makes, a generated column.
        unique: whether two rows may not share the value.
        varied: whether rows should differ in the value where they can: it belongs to a unique constraint of several columns.
        parents: the classes that map the table a single-column foreign key points to, each with its field there.
    """

    key: str
    name: str
    annotation: Any
    optional: bool
    filled: bool
    unique: bool
    limits: Limits
    parents: tuple[tuple[Any, str], ...] = ()
    varied: bool = False

    def key_in(self, model: Any) -> str | None:
        """The field of a parent class that the foreign key holds; None for another class."""
        return next((key for parent, key in self.parents if issubclass(model, parent)), None)


INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def model_columns(model: Any) -> dict[str, ModelColumn]:
    """The columns of a Table class by field."""
    definition = model.__table_def__
    keys = {proxy.__column__.name: key for key, proxy in _proxies(model)}
    unique = {constraint.columns[0] for constraint in definition.constraints if _alone(constraint)}
    unique |= {index.columns[0] for index in definition.indexes if index.unique and len(index.columns) == 1}
    together = {name for one in definition.constraints if one.kind in ("primary_key", "unique") for name in one.columns}
    together |= {str(name) for index in definition.indexes if index.unique for name in index.columns}
    checks = checks_of(definition)
    foreign = {columns[0]: (table, there) for columns, table, there in definition.foreign_keys if len(columns) == 1}
    found: dict[str, ModelColumn] = {}
    for column in definition.columns:
        key = keys.get(column.name)
        info = model.model_fields.get(key)
        if key is None or info is None:
            continue
        annotation, optional = _without_none(info.annotation)
        limits, required = narrowed(_limits(info, column.type.name), column.name, checks)
        made = column.identity is not None or column.default is not None or column.generated is not None
        found[key] = ModelColumn(
            key=key,
            name=column.name,
            annotation=annotation,
            optional=(column.nullable or optional) and not required,
            filled=made or (not info.is_required() and not (required and info.default is None)),
            unique=column.name in unique,
            limits=limits,
            parents=tuple(_parents(*foreign[column.name])) if column.name in foreign else (),
            varied=column.name in together,
        )
    return found


def model_links(model: Any) -> dict[str, tuple[Any, tuple[str, ...], bool]]:
    """The Link fields of a Table class: the class on the other side, the fields of the foreign key, and whether it may be NULL."""
    from data_bridge.orm.registry import entity_of

    return {link.name: (link.cls, link.near, link.is_optional) for link in entity_of(model).links}


def _proxies(model: Any) -> Iterator[tuple[str, Any]]:
    for proxy in model.__table_source__.columns.values():
        yield proxy.__column__.key, proxy


def _alone(constraint: Any) -> bool:
    return constraint.kind in ("primary_key", "unique") and len(constraint.columns) == 1


def _parents(table: tuple[str | None, str], columns: tuple[str, ...]) -> list[tuple[Any, str]]:
    from data_bridge.orm.registry import all_tables

    models = list(all_tables())
    exact = [model for model in models if (model.__table_def__.schema, model.__table_def__.name) == table]
    if not exact and table[0] is None:
        exact = [model for model in models if model.__table_def__.name == table[1]]
    found: list[tuple[Any, str]] = []
    for model in exact:
        name = columns[0] if columns else model.__table_def__.primary_key[0]
        found += [(model, key) for key, proxy in _proxies(model) if proxy.__column__.name == name]
    return found


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, python_types.UnionType):
        rest = [part for part in typing.get_args(annotation) if part is not type(None)]
        optional = len(rest) < len(typing.get_args(annotation))
        return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), optional  # noqa: UP007 - made at run time
    return annotation, False


def _limits(info: Any, sql_type: str) -> Limits:
    low: Any = None
    high: Any = None
    facts: dict[str, Any] = {}
    base, _, arguments = sql_type.partition("(")
    numbers = [int(part) for part in arguments.rstrip(")").split(",") if part.strip().isdigit()]
    if base in INTEGERS:
        low, high = -INTEGERS[base], INTEGERS[base] - 1
    elif base == "numeric" and numbers:
        facts["digits"], facts["places"] = numbers[0], numbers[1] if len(numbers) > 1 else 0
    elif numbers and base in ("character varying", "varchar", "character", "char"):
        facts["max_length"] = numbers[0]
    for constraint in _flat(info.metadata):
        for name, field in (("ge", "low"), ("gt", "low"), ("le", "high"), ("lt", "high")):
            bound = getattr(constraint, name, None)
            if bound is None:
                continue
            if field == "low" and (low is None or bound >= low):
                low, facts["open_low"] = bound, name == "gt"
            elif field == "high" and (high is None or bound <= high):
                high, facts["open_high"] = bound, name == "lt"
        for name, field in (("multiple_of", "multiple"), ("pattern", "pattern"), ("decimal_places", "places")):
            if getattr(constraint, name, None) is not None:
                facts[field] = getattr(constraint, name)
        if getattr(constraint, "min_length", None) is not None:
            facts["min_length"] = constraint.min_length
        if getattr(constraint, "max_digits", None) is not None:
            facts["digits"] = constraint.max_digits
        if getattr(constraint, "max_length", None) is not None:
            facts["max_length"] = min(constraint.max_length, facts.get("max_length") or constraint.max_length)
    return Limits(low=low, high=high, **facts)


def _flat(metadata: Any) -> Iterator[Any]:
    for constraint in metadata:
        yield constraint
        # Interval and Len of annotated-types stand for several.
        if hasattr(constraint, "__iter__"):
            yield from constraint
