"""Intervals that no timedelta can hold."""

from __future__ import annotations

from typing import NamedTuple


class PgInterval(NamedTuple):
    """An `interval` with months: a month has no fixed number of days, so it is not a timedelta.

    Intervals without months are read as `datetime.timedelta`.

    >>> from data_bridge.core import PgInterval
    >>> PgInterval(months=14, days=3)
    PgInterval(months=14, days=3, microseconds=0)
    """

    months: int = 0
    days: int = 0
    microseconds: int = 0
