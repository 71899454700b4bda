"""`rows`: a Hypothesis strategy of instances of a Table class."""

from __future__ import annotations

import operator
import typing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from data_bridge.core import ConfigurationError
from data_bridge.testing.data.checks import checks_of
from data_bridge.testing.data.columns import ModelColumn, model_columns
from data_bridge.testing.data.limits import Limits

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["rows"]

T = TypeVar("T")


def rows(table: type[T], **overrides: Any) -> SearchStrategy[T]:
    """A strategy for instances that types and constraints of the table accept; nothing is saved.

    Args:
        table: the Table class.
        overrides: values or strategies for some fields, foreign keys above all.

    Raises:
        ConfigurationError: Hypothesis is not installed.

    >>> from hypothesis import given
    >>> from data_bridge.postgres import Col, IdMixin
    >>> from data_bridge.testing import rows
    >>> class Guest(IdMixin):
    ...     name: Col[str]
    ...     role: Col[str]
    >>> @given(guest=rows(Guest, role="admin"))
    ... def test_the_role_is_given(guest):
    ...     assert guest.role == "admin"
    >>> test_the_role_is_given()
    """
    st = _hypothesis()
    fields: dict[str, Any] = {}
    for key, column in model_columns(table).items():
        if key in overrides or column.filled:
            continue
        strategy = _strategy(column)
        fields[key] = st.none() | strategy if column.optional else strategy
    for key, value in overrides.items():
        fields[key] = value if hasattr(value, "example") and hasattr(value, "map") else st.just(value)
    built: SearchStrategy[T] = st.builds(table, **fields)
    columns = model_columns(table)
    checks = checks_of(table.__table_def__)  # type: ignore[attr-defined]  # a Table class

    def accepted(row: T) -> bool:
        known = {column.name: getattr(row, key) for key, column in columns.items() if getattr(row, key) is not None}
        return all(check.accepts(known) for check in checks)

    return built.filter(accepted) if checks else built


def _hypothesis() -> Any:
    """hypothesis.strategies, whose generic types say nothing about classes that are only known at run time."""
    try:
        from hypothesis import strategies
    except ImportError as error:
        hint = "pip install 'data-bridge-testing[hypothesis]'"
        raise ConfigurationError(f"rows() needs Hypothesis\nhint: {hint}") from error
    return strategies


def _has_no_nul(text: str) -> bool:
    return "\0" not in text


def _strategy(column: ModelColumn) -> Any:
    st = _hypothesis()
    limits, annotation = column.limits, column.annotation
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if limits.choices:
        return st.sampled_from(limits.choices)
    if annotation is int:
        low, high = limits.integers()
        step = int(limits.multiple or 1)
        bounds = (None if low is None else -(-low // step), None if high is None else high // step)
        return st.integers(*bounds).map(partial(operator.mul, step))
    if annotation is str:
        if limits.pattern is not None:
            return st.from_regex(limits.pattern, fullmatch=True).filter(_has_no_nul)
        # PostgreSQL takes neither NUL nor surrogates.
        alphabet = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
        return st.text(alphabet, min_size=limits.min_length, max_size=limits.max_length)
    if annotation is Decimal:
        places = limits.places if limits.places is not None else 6
        top = (Decimal(10) ** ((limits.digits - places) if limits.digits is not None else 12)) - Decimal(1).scaleb(
            -places
        )
        least = max(-top, Decimal(str(limits.low))) if limits.low is not None else -top
        most = min(top, Decimal(str(limits.high))) if limits.high is not None else top
        found = st.decimals(least, most, places=places)
        open_ends = [end for end, is_open in ((least, limits.open_low), (most, limits.open_high)) if is_open]

        def inside(number: Decimal) -> bool:
            return number not in open_ends

        return found.filter(inside)
    if annotation is float:
        return st.floats(
            limits.low, limits.high, exclude_min=limits.open_low, exclude_max=limits.open_high, allow_nan=False,
            allow_infinity=False,
        )  # fmt: skip
    if typing.get_origin(annotation) is list:
        part = replace(column, annotation=typing.get_args(annotation)[0], limits=Limits())
        return st.lists(_strategy(part), min_size=limits.min_length, max_size=limits.max_length or 5)
    if annotation is datetime:
        # A day from either end: the server's time zone must not push the value out of Python's years.
        first = limits.low or datetime(1, 1, 2, tzinfo=UTC)
        last = limits.high or datetime(9999, 12, 30, tzinfo=UTC)
        return st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None), timezones=st.just(UTC))
    if annotation is date:
        first, last = limits.low or datetime(1, 1, 1, tzinfo=UTC), limits.high or datetime(9999, 12, 31, tzinfo=UTC)
        return st.dates(first.date(), last.date())
    if annotation is time:
        return st.times()
    if annotation is timedelta:
        return st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))
    if annotation is bytes:
        return st.binary(min_size=limits.min_length, max_size=limits.max_length)
    if annotation is Any or annotation is dict or typing.get_origin(annotation) is dict:
        return st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(), max_size=3
        )
    return st.from_type(annotation)
