"""What turns the decoded values of single columns and expressions into what their types promise.

Instances are loaded by the plan of their class. A query for tuples, dicts or values has to do the same for each column: a
field that is an Enum is one in `tuples(User.mood)` and `func.max(User.mood)` too, and a sum of integers is an int.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from data_bridge.core import LoadPlan
from data_bridge.orm import registry
from data_bridge.orm.mapping.column_fit import Misfit, misfit_of_column
from data_bridge.query import Node
from data_bridge.query.spi import PICKS, IntegerSum, read, sources_in

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

Converter: TypeAlias = Callable[[Any], Any]
Loading: TypeAlias = "tuple[Converter | None, tuple[str, Misfit | None] | None]"
"""What converts the values of a column; `User.age` where it is a field, and what says whether the column fits it."""

_AS_DECODED: Loading = (None, None)

_ORDERED = frozenset({"mode", "percentile_disc"})
"""Their value is one of those they order by."""


def plain_plans(
    entity: Entity, kind: type | None, things: Sequence[Any], ready: tuple[LoadPlan, LoadPlan]
) -> tuple[LoadPlan, LoadPlan]:
    """The plans of tuples, dicts or (None) values of these columns: of all rows, and of the first.

    `ready` are those of columns of which nothing is known.
    """
    loading = loading_of(entity, things)
    if not loading:
        return ready
    at = ("plain", kind, *loading)
    plans: tuple[LoadPlan, LoadPlan] | None = entity.shapes.get(at)
    if plans is None:
        each: dict[str, Any] = {"converters": [c for c, _ in loading], "fields": [f for _, f in loading]}
        plans = entity.shapes[at] = (
            (LoadPlan.scalars(**each), LoadPlan.scalars(many=False, **each))
            if kind is None
            else (LoadPlan.rows(kind, **each), LoadPlan.rows(kind, many=False, **each))
        )
    return plans


Part: TypeAlias = "tuple[Entity | None, int, bool]"


def mixed_plans(entity: Entity, parts: Sequence[Part], things: Sequence[Any]) -> tuple[LoadPlan, LoadPlan]:
    """The plans of tuples of whole tables and single columns: of all rows, and of the first.

    `things` are all result columns.
    """
    single: list[Any] = []
    for owner, width, _ in parts:
        single += things[len(single) : len(single) + 1] if owner is None else [None] * width
    loading = loading_of(entity, single)
    return entity.mixed(parts, many=True, loading=loading), entity.mixed(parts, many=False, loading=loading)


def loading_of(entity: Entity, things: Sequence[Any]) -> Sequence[Loading]:
    """What loads each result column, or nothing when the decoded values are right as they are."""
    found = [_loading(entity, thing.s, thing.t) if isinstance(thing, Node) else _AS_DECODED for thing in things]
    return found if any(f is not _AS_DECODED for f in found) else ()


def _loading(entity: Entity, s: Any, of: Any) -> Loading:
    """A column that is named by itself has to fit its field, other expressions have types of their own."""
    column = read.column_name(s)
    source = None if column is None or of is IntegerSum else sources_in(s)
    if source is not None and column is not None:
        found = _of_column(entity, source, column)
        if found is not _AS_DECODED:
            return found
    converter = _converter(entity, s, of)
    return _AS_DECODED if converter is None else (converter, None)


def _converter(entity: Entity, s: Any, of: Any) -> Converter | None:
    if of is IntegerSum:
        return int
    column = read.column_name(s)
    if column is not None:
        source = sources_in(s)
        found = None if source is None else _of_column(entity, source, column)[0]
        return found or _of_document(of)
    call = read.call_of(s)
    if call is None:
        return _of_document(of) if read.is_member(s) else None
    name, arguments, within = call
    if name in _ORDERED and within:
        return _converter(entity, within[0], None)
    if name == "array_agg" and arguments:
        inner = _converter(entity, arguments[0], None)
        return None if inner is None else _each(inner)
    if name in PICKS:
        found = next((c for c in (_converter(entity, a, None) for a in arguments) if c is not None), None)
        return found or _of_document(of)
    return None


def _of_document(of: Any) -> Converter | None:
    """Of a document, or of a part of one, whose class is known."""
    return None if of is None or of.shape is None else of.shape.load


def _of_column(entity: Entity, source: Any, name: str) -> Loading:
    definition = getattr(source, "__table_def__", None)
    if definition is None:
        return _AS_DECODED
    at = ("column", id(definition), name)
    if at not in entity.shapes:
        owner = (
            entity
            if definition is entity.definition
            else next((e for e in _entities() if e.definition is definition), None)
        )
        field = None if owner is None else owner.by_key.get(source.columns[name].__column__.key)
        loading = _AS_DECODED
        if owner is not None and field is not None:
            label = f"{owner.label}.{field.key}"
            loading = (field.converter(owner.cls), (label, misfit_of_column(owner, field)))
        # The definition is kept beside it: its identity is in the key.
        entity.shapes[at] = (loading, definition)
    found: Loading = entity.shapes[at][0]
    return found


def _entities() -> list[Entity]:
    return [cls.__db__ for cls in registry.all_tables()]


@cache
def _each(converter: Converter) -> Converter:
    def convert(items: list[Any]) -> list[Any]:
        return [None if item is None else converter(item) for item in items]

    return convert
