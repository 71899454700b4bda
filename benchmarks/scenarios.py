"""The scenarios: what each one does, the ratio that it must reach, and one repetition of it as a function."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from benchmarks.reference import NEW
from benchmarks.schema import ITEMS

MUST = {
    "O1": 1.3,
    "O2": 1.5,
    "O3": 2.5,
    "O4": 1.0,
    "O5": 1.0,
    "O6": 1.0,
    "O7": 1.0,
    "O8a": 1.0,
    "O8b": 1.0,
    "O9": 1.8,
    "O10": 1.0,
    "O11": 1.0,
    "O12": 2.5,
    "O13": 1.2,
    "B1": 1.0,
    "B2": 1.0,
    "B3": 1.2,
    "B4": 0.8,
    "B5": 1.0,
}
WORK = {
    "O1": "one row by key → instance", "O2": "filter, order, 100 rows → instances", "O3": "10,000 rows → instances", "O4": "insert one, key back",
    "O5": "bulk insert of 10,000 instances", "O6": "change one field, save", "O7": "update of 100 rows by filter", "O8a": "count 1,000 rows",
    "O8b": "exists by key", "O9": "1,000 parents × 10 children, eager", "O10": "update of 1,000 instances", "O11": "transaction of three statements",
    "O12": "get by key, 64 tasks on 10 connections", "O13": "100 rows → JSON", "B1": "insert of 1,000 instances, keys back",
    "B2": "insert of 10,000 instances, keys back", "B3": "insert of 100,000 instances, keys back",
    "B4": "insert of 1,000,000 dicts from a generator", "B5": "upsert of 20,000 instances",
}  # fmt: skip
QUICK = ["O1", "O2", "O3", "O4", "O6", "O8a", "O9", "O11", "O12"]
TASKS = {"O12": 64}
"""Scenarios in which several tasks share the connections of a pool."""
SIZES = {"B1": 1_000, "B2": 10_000, "B3": 100_000, "B4": 1_000_000, "B5": 20_000}
"""The rows of scenarios that begin each round with the tables of the first, as they make them grow."""
LONG = frozenset({"B3", "B4", "B5"})
"""Scenarios of which one repetition takes seconds: three rounds are enough."""
Operation = Callable[[], Awaitable[Any]]


async def operation(side: Any, scenario: str) -> Operation:
    """One repetition of a scenario as a coroutine function."""
    if scenario in ("O1", "O12"):
        return lambda: side.o1(random.randint(1, ITEMS))
    if scenario in ("O2", "O13"):
        run = getattr(side, scenario.lower())
        return lambda: run(random.randint(1, 900_000))
    if scenario in ("O3", "O4", "O9"):
        return getattr(side, scenario.lower())  # type: ignore[no-any-return]
    if scenario == "O5":
        rows = [dict(NEW) for _ in range(10_000)]
        return lambda: side.o5(rows)
    if scenario == "O6":
        item = await side.load_written(random.randint(1, 2000))
        price = iter(range(1, 10**9))
        return lambda: side.o6(item, Decimal(next(price) % 10**8) / 100)
    if scenario == "O7":
        return lambda: side.o7(random.randint(1, 1900))
    if scenario in ("O8a", "O8b"):
        run = getattr(side, scenario.lower())
        return lambda: run(random.randint(1, ITEMS - 1000))
    if scenario == "O10":
        items = await side.load_many(1000)
        prices = iter(range(1, 10**9))
        return lambda: side.o10(items, Decimal(next(prices)) / 100)
    if scenario == "O11":
        return lambda: side.o11(random.randint(1, 2000), Decimal(random.randint(1, 10**6)) / 100)
    if scenario in ("B1", "B2", "B3"):
        return lambda: side.insert_keys(SIZES[scenario])
    if scenario == "B4":
        return lambda: side.load_dicts({**NEW, "big": i} for i in range(SIZES[scenario]))
    if scenario == "B5":
        return lambda: side.upsert(SIZES[scenario])
    raise ValueError(scenario)


def method_of(scenario: str) -> str:
    """The method of a side that a scenario calls."""
    if scenario in ("B1", "B2", "B3"):
        return "insert_keys"
    return {"O12": "o1", "B4": "load_dicts", "B5": "upsert"}.get(scenario, scenario.lower())
