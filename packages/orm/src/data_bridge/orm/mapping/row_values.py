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
from data_bridge.query import Node
from data_bridge.query.spi import PICKS, IntegerSum, read, sources_in

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

Converter: TypeAlias = Callable[[Any], Any]

_ORDERED = frozenset({"mode", "percentile_disc"})
"""Their value is one of those they order by."""


def converters_of(entity: Entity, things: Sequence[Any]) -> list[Converter | None]:
    """One for each result column, or an empty list when the decoded values are right as they are."""
    found = [_converter(entity, thing.s, thing.t) if isinstance(thing, Node) else None for thing in things]
    return found if any(found) else []


def plain_plan(entity: Entity, kind: type | None, things: Sequence[Any], *, many: bool, ready: LoadPlan) -> LoadPlan:
    """The plan of tuples, dicts or (None) values of these columns; `ready` when nothing is converted."""
    converters = converters_of(entity, things)
    if not converters:
        return ready
    at = ("converted", kind, many, *converters)
    plan: LoadPlan | None = entity.shapes.get(at)
    if plan is None:
        plan = entity.shapes[at] = (
            LoadPlan.scalars(many=many, converters=converters)
            if kind is None
            else LoadPlan.rows(kind, many=many, converters=converters)
        )
    return plan


Part: TypeAlias = "tuple[Entity | None, int, bool]"


def mixed_plan(entity: Entity, parts: Sequence[Part], things: Sequence[Any], *, many: bool) -> LoadPlan:
    """The plan of tuples of whole tables and single columns; `things` are all result columns."""
    single: list[Any] = []
    for owner, width, _ in parts:
        single += things[len(single) : len(single) + 1] if owner is None else [None] * width
    return entity.mixed(parts, many=many, converters=converters_of(entity, single))


def _converter(entity: Entity, s: Any, of: Any) -> Converter | None:
    if of is IntegerSum:
        return int
    column = read.column_name(s)
    if column is not None:
        source = sources_in(s)
        found = None if source is None else _of_column(entity, source, column)
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


def _of_column(entity: Entity, source: Any, name: str) -> Converter | None:
    definition = getattr(source, "__table_def__", None)
    if definition is None:
        return None
    at = ("column converter", id(definition), name)
    if at not in entity.shapes:
        owner = (
            entity
            if definition is entity.definition
            else next((e for e in _entities() if e.definition is definition), None)
        )
        key = source.columns[name].__column__.key
        # The definition is kept beside it: its identity is in the key.
        converter = None if owner is None or key not in owner.by_key else owner.by_key[key].converter(owner.cls)
        entity.shapes[at] = (converter, definition)
    found: Converter | None = entity.shapes[at][0]
    return found


def _entities() -> list[Entity]:
    return [cls.__db__ for cls in registry.all_tables()]


@cache
def _each(converter: Converter) -> Converter:
    def convert(items: list[Any]) -> list[Any]:
        return [None if item is None else converter(item) for item in items]

    return convert
