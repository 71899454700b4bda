"""Rows of SQL text as instances: each column goes to the field that it names, wherever it stands."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import PydanticUndefined

from data_bridge.core import LoadPlan
from data_bridge.core.errors import DecodeError
from data_bridge.orm._events import loaded
from data_bridge.orm._state import CLEAN, Slots
from data_bridge.orm.mapping.column_fit import misfit_of
from data_bridge.orm.mapping.field import factory, validated_name

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.field import Field

_set = object.__setattr__


class _Place(NamedTuple):
    column: str
    field: Field
    converter: Any


def instances(entity: Entity, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Loaded instances from rows as dicts of `row_plan()`, whose keys are names of columns or of fields.

    Raises:
        DecodeError: a column is missing, names no field, or has a value that the field does not accept.
    """
    if not rows:
        return []
    places = _places(entity, tuple(rows[0]))
    make = _Maker(entity, [p.field for p in places])
    made: list[Any] = []
    for row in rows:
        values: dict[str, Any] = {}
        for column, field, converter in places:
            value = row[column]
            if value is not None and converter is not None:
                value = _converted(entity, field, converter, value)
            values[field.key] = value
        made.append(make(values))
    return made


def row_plan(entity: Entity, *, many: bool) -> LoadPlan:
    """How rows of SQL text become the dicts of instances(): a column that does not hold its field's type is a DecodeError."""
    at = ("rows by name", many)
    plan: LoadPlan | None = entity.shapes.get(at)
    if plan is None:
        fields = entity.by_key | {f.name: f for f in entity.fields}
        plan = entity.shapes[at] = LoadPlan.rows(dict, many=many, misfit=misfit_of(entity, fields, converts_later=True))
    return plan


async def raw(entity: Entity, sql: str, params: tuple[Any, ...], tx: Any) -> list[Any]:
    """Instances from a statement in SQL; see Table.raw()."""
    rows: list[Any] = await entity.executor(tx).fetch(sql, *params, as_=entity.cls)
    await loaded(entity, rows)
    return rows


def _places(entity: Entity, columns: tuple[str, ...]) -> list[_Place]:
    """Where each column goes, in the order of the fields; found once for each list of columns."""
    at = ("by name", *columns)
    found: list[_Place] | None = entity.shapes.get(at)
    if found is None:
        if len(entity.shapes) > 4096:  # texts are of the user, and may be without number
            entity.shapes.clear()
        found = entity.shapes[at] = _find_places(entity, columns)
    return found


def _find_places(entity: Entity, columns: Iterable[str]) -> list[_Place]:
    by_column = {f.name: f for f in entity.fields}
    columns_of: dict[str, str] = {}
    for column in columns:
        field = by_column.get(column) or entity.by_key.get(column)
        if field is None:
            raise DecodeError(
                f"the result has a column {column!r}, which is not a field of {entity.label}: leave it out, or fetch "
                "as_=dict or as a model that has it"
            )
        if field.key in columns_of:
            raise DecodeError(
                f"the result has two columns for {entity.label}.{field.key}: {columns_of[field.key]!r} and {column!r}"
            )
        columns_of[field.key] = column
    missing = [f.name for f in entity.loaded if f.key not in columns_of]
    if missing:
        key = entity.source.columns[missing[0]].__column__.key
        raise DecodeError(
            f"the result has no column {', '.join(map(repr, missing))} for {entity.label}.{key}: "
            f"select every column of the table, or load partial rows with {entity.label}.find().select(…)"
        )
    cls = entity.cls
    return [_Place(columns_of[f.key], f, f.converter(cls)) for f in entity.fields if f.key in columns_of]


def _converted(entity: Entity, field: Field, converter: Any, value: Any) -> Any:
    try:
        return converter(value)
    except (ValueError, TypeError, KeyError) as e:
        raise DecodeError(f"{entity.label}.{field.key}: a stored value is not accepted by the field's type") from e


class _Maker:
    """Makes instances of the same fields, as a load plan does."""

    def __init__(self, entity: Entity, fields: Sequence[Field]) -> None:
        cls = entity.cls
        self.entity = entity
        self.cls = cls
        self.whole = entity.validates_whole
        keys = frozenset(f.key for f in fields)
        self.names = {k: validated_name(cls, k) for k in keys}
        self.keys = keys
        others = {k: f for k, f in cls.__pydantic_fields__.items() if k not in entity.by_key}
        self.defaults = {k: f.default for k, f in others.items() if f.default is not PydanticUndefined}
        self.factories = [(k, made) for k, f in others.items() if (made := factory(f)) is not None]
        self.mutable = [f.key for f in fields if f.is_mutable]
        self.extra = cls.model_config.get("extra") == "allow"

    def __call__(self, values: dict[str, Any]) -> Any:
        made: Any
        if self.whole:
            made = self.cls.model_validate({self.names[k]: v for k, v in values.items()})
        else:
            values |= self.defaults
            for key, make in self.factories:
                values[key] = make(values)
            made = self.cls.__new__(self.cls)
            _set(made, "__dict__", values)
            _set(made, "__pydantic_fields_set__", set(self.keys))
            _set(made, "__pydantic_extra__", {} if self.extra else None)
            _set(made, "__pydantic_private__", None)
            if self.cls.__pydantic_post_init__:
                made.model_post_init(None)
        # The bytes of mutable columns are not at hand: a copy tells edits in place.
        data = made.__dict__
        Slots.set_state(made, {k: copy.deepcopy(data[k]) for k in self.mutable} if self.mutable else CLEAN)
        return made
