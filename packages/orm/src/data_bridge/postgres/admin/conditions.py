"""The filters of the list: each is a condition of a query."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette_admin.fields import BaseField
from starlette_admin.filters import (
    FilterApplyContext,
    FilterGroup,
    FilterRegistry,
    boolean,
    date,
    enum,
    filters,
    generic,
    numeric,
    string,
)
from starlette_admin.filters.base import BaseFilter

from data_bridge.postgres.admin.values import (
    BoolValue,
    DateTimeValue,
    DateValue,
    EnumValue,
    LinkValue,
    NumberValue,
    OptionalBoolValue,
    TextValue,
)
from data_bridge.query import and_, cast, func, not_, or_, types

__all__ = ["Conditions", "condition_of"]

Filters = list[type[BaseFilter]]
Apply = Callable[[Any, FilterApplyContext], Any]


def _made(base: Any, apply: Apply) -> type[BaseFilter]:
    def of(self: BaseFilter, ctx: FilterApplyContext) -> Any:
        view: Any = ctx.view
        return apply(view.column(ctx.field_name), ctx)

    return type(base.__name__, (base,), {"apply": of, "__doc__": base.__doc__, "__module__": __name__})


def _number(value: Any) -> Decimal:
    """A number without the loss of a binary fraction."""
    return Decimal(str(value))


def _numeric(column: Any) -> Any:
    """A column of any numbers, which any number is compared with."""
    return cast(column, types.Numeric())


def _type(ctx: FilterApplyContext) -> Any:
    """The SQL type of a column."""
    view: Any = ctx.view
    return view.sql_type(ctx.field_name)


def _moment(ctx: FilterApplyContext, value: Any) -> Any:
    """A time as the column has it: without a zone it is UTC."""
    if isinstance(value, datetime) and value.tzinfo is None and "with time zone" in _type(ctx).name:
        return value.replace(tzinfo=UTC)
    return value


def _member(ctx: FilterApplyContext, value: Any) -> Any:
    view: Any = ctx.view
    return view.member(ctx.field_name, value)


_NULLS: Filters = [
    _made(generic.IsNullFilter, lambda c, _: c.is_null()),
    _made(generic.IsNotNullFilter, lambda c, _: c.is_not_null()),
]
_TEXTS: Filters = [
    _made(string.ContainsFilter, lambda c, x: c.icontains(x.value)),
    _made(string.NotContainsFilter, lambda c, x: not_(c.icontains(x.value))),
    _made(string.StartsWithFilter, lambda c, x: c.startswith(x.value)),
    _made(string.EndsWithFilter, lambda c, x: c.endswith(x.value)),
    _made(generic.EqualFilter, lambda c, x: c == x.value),
    _made(generic.NotEqualFilter, lambda c, x: c != x.value),
]
_NUMBERS: Filters = [
    _made(numeric.EqualFilter, lambda c, x: _numeric(c) == _number(x.value)),
    _made(numeric.NotEqualFilter, lambda c, x: _numeric(c) != _number(x.value)),
    _made(numeric.GreaterThanFilter, lambda c, x: _numeric(c) > _number(x.value)),
    _made(numeric.LessThanFilter, lambda c, x: _numeric(c) < _number(x.value)),
    _made(numeric.GreaterThanOrEqualFilter, lambda c, x: _numeric(c) >= _number(x.value)),
    _made(numeric.LessThanOrEqualFilter, lambda c, x: _numeric(c) <= _number(x.value)),
    _made(numeric.BetweenFilter, lambda c, x: _numeric(c).between(_number(x.value), _number(x.value2))),
]
_DATES: Filters = [
    _made(date.DateEqualFilter, lambda c, x: c == x.value),
    _made(date.DateBetweenFilter, lambda c, x: c.between(x.value, x.value2)),
]
_MOMENTS: Filters = [
    _made(date.DateTimeBetweenFilter, lambda c, x: c.between(_moment(x, x.value), _moment(x, x.value2))),
    _made(date.DateInPastFilter, lambda c, x: c < cast(func.now(), _type(x))),
    _made(date.DateInFutureFilter, lambda c, x: c > cast(func.now(), _type(x))),
]
_BOOLS: Filters = [
    _made(boolean.IsTrueFilter, lambda c, _: c == True),  # noqa: E712 - a condition
    _made(boolean.IsFalseFilter, lambda c, _: c == False),  # noqa: E712 - a condition
]
_MEMBERS: Filters = [
    _made(enum.InFilter, lambda c, x: c.in_([_member(x, v) for v in x.value])),
    _made(enum.NotInFilter, lambda c, x: not_(c.in_([_member(x, v) for v in x.value]))),
]


class Conditions(FilterRegistry):
    """The filters of each kind of field."""

    @filters(BaseField, LinkValue)
    def of_others(self, field: BaseField) -> Filters:
        """Whether there is a value."""
        return _NULLS

    @filters(TextValue)
    def of_texts(self, field: BaseField) -> Filters:
        """Parts of a text."""
        return [*_TEXTS, *_NULLS]

    @filters(NumberValue)
    def of_numbers(self, field: BaseField) -> Filters:
        """Comparisons."""
        return [*_NUMBERS, *_NULLS]

    @filters(DateValue)
    def of_dates(self, field: BaseField) -> Filters:
        """A day, and days between two."""
        return [*_DATES, *_NULLS]

    @filters(DateTimeValue)
    def of_moments(self, field: BaseField) -> Filters:
        """Times between two."""
        return [*_MOMENTS, *_NULLS]

    @filters(BoolValue, OptionalBoolValue)
    def of_bools(self, field: BaseField) -> Filters:
        """True and false."""
        return [*_BOOLS, *_NULLS]

    @filters(EnumValue)
    def of_members(self, field: BaseField) -> Filters:
        """Members of an enum."""
        return [*_MEMBERS, *_NULLS]


def condition_of(group: FilterGroup, view: Any, request: Request) -> Any:
    """Returns the condition of a tree of filters; None for an empty one."""
    fields = {f.name: f for f in view.get_fields_list(request)}
    registry = view.get_filter_registry()
    made: list[Any] = []
    for rule in group.rules:
        if isinstance(rule, FilterGroup):
            inner = condition_of(rule, view, request)
            made += [] if inner is None else [inner]
            continue
        kind = registry.get_filter(fields[rule.field], rule.filter)
        if kind is not None:
            made.append(
                kind().apply(FilterApplyContext(None, rule.field, rule.value, rule.value2, request=request, view=view))
            )
    if not made:
        return None
    return (or_ if group.logic == "or" else and_)(*made)
