"""What must be right before anything is timed: every side gives and writes the same values, of the same types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.reference import COLUMNS, NEW, Reference
from benchmarks.scenarios import TASKS, method_of

NOT_SHARED = "one connection serves one task"


class Mismatch(Exception):
    """A side gives other values than the reference."""


def plain(side: Any, value: Any) -> Any:
    """The value of an instance or of instances as data, each leaf with its type."""
    if isinstance(value, list):
        return [plain(side, v) for v in value]
    if isinstance(value, dict):
        return {k: plain(side, v) for k, v in value.items()}
    if isinstance(value, UUID):
        return (UUID, str(value))  # asyncpg has a class of its own
    if hasattr(value, "model_dump") or hasattr(value, "meta"):
        return plain(side, side.data(value) if hasattr(side, "data") else value.__dict__)
    return (type(value), value)


def families(authors: Any) -> list[tuple[Any, ...]]:
    """Authors with their books as data: the sides keep the books in different places."""
    return [(a.id, a.name, [(b.id, b.author_id, b.title, b.year) for b in a.books]) for a in authors]


class Check:
    """The scenarios of one side, each asked once."""

    def __init__(self, reference: Reference, side: Any) -> None:
        self._reference, self._side = reference, side

    def _equal(self, expected: Any, found: Any) -> None:
        if plain(self._reference, expected) != plain(self._side, found):
            raise Mismatch(f"{str(expected)[:300]} and {str(found)[:300]}")

    async def _value(self, sql: str, *values: Any) -> Any:
        return await self._reference.on.fetchval(sql, *values)

    async def o1(self) -> None:
        for key in (1, 10, 77, 100_000):
            self._equal(await self._reference.o1(key), await self._side.o1(key))

    async def o2(self) -> None:
        self._equal(await self._reference.o2(5000), await self._side.o2(5000))

    async def o3(self) -> None:
        self._equal(await self._reference.o3(), await self._side.o3())

    async def o4(self) -> None:
        made = await self._side.o4()
        self._equal(await self._reference.load_written(made.id), made)

    async def o5(self) -> None:
        last = await self._value("SELECT max(id) FROM witem")
        await self._side.o5([{**NEW, "big": i} for i in range(1500)])
        rows = await self._reference.on.fetch(f"SELECT {COLUMNS} FROM witem WHERE id > $1 ORDER BY big", last)
        expected = [{"id": r["id"], **NEW, "big": i} for i, r in enumerate(rows)]
        if len(rows) != 1500 or [dict(r) for r in rows] != expected:
            raise Mismatch("what was inserted is something else")

    async def o6(self) -> None:
        item = await self._side.load_written(3)
        expected = await self._reference.load_written(3)
        await self._side.o6(item, Decimal("12.34"))
        expected.price = Decimal("12.34")
        self._equal(expected, item)
        if await self._reference.load_written(3) != expected:
            raise Mismatch("something else was written")

    async def o7(self) -> None:
        await self._reference.on.execute("UPDATE witem SET score = id")
        await self._side.o7(50)
        changed = "SELECT count(*) FROM witem WHERE score <> id AND id BETWEEN 50 AND 149"
        if (
            await self._value(changed) != 100
            or await self._value("SELECT count(*) FROM witem WHERE score <> id") != 100
        ):
            raise Mismatch("other rows were changed")

    async def o8a(self) -> None:
        self._equal(await self._reference.o8a(500), await self._side.o8a(500))

    async def o8b(self) -> None:
        for key in (500, 10**8):
            self._equal(await self._reference.o8b(key), await self._side.o8b(key))

    async def o9(self) -> None:
        if families(await self._reference.o9()) != families(await self._side.o9()):
            raise Mismatch("the families differ")

    async def o10(self) -> None:
        before = await self._reference.load_many(2000)
        items = await self._side.load_many(20)
        await self._side.o10(items, Decimal("43.21"))
        for item in before[:20]:
            item.price = Decimal("43.21")
        if await self._reference.load_many(2000) != before:
            raise Mismatch("something else was written")

    async def o11(self) -> None:
        lines = await self._value("SELECT count(*) FROM log WHERE what = 'price changed'")
        await self._side.o11(1, Decimal("5.67"))
        if (await self._reference.load_written(1)).price != Decimal("5.67"):
            raise Mismatch("the price was not written")
        if await self._value("SELECT count(*) FROM log WHERE what = 'price changed'") != lines + 1:
            raise Mismatch("the line was not written")

    async def o13(self) -> None:
        if json.loads(await self._reference.o13(5000)) != json.loads(await self._side.o13(5000)):
            raise Mismatch("the two documents differ")

    async def insert_keys(self) -> None:
        made = await self._side.insert_keys(1200)
        if len({item.id for item in made}) != 1200:
            raise Mismatch("keys are missing, or come twice")
        self._equal(await self._reference.load_written(made[-1].id), made[-1])

    async def load_dicts(self) -> None:
        last = await self._value("SELECT max(id) FROM witem")
        await self._side.load_dicts({**NEW, "big": i} for i in range(1200))
        for low, high in ((last, 1200), (last + 1199, 1)):
            if await self._value("SELECT count(*) FROM witem WHERE id > $1", low) != high:
                raise Mismatch("other rows were inserted")

    async def upsert(self) -> None:
        await self._side.upsert(2100)
        if await self._value("SELECT count(*) FROM witem WHERE big = 77 AND id <= 2100") != 2100:
            raise Mismatch("other rows were written")


async def unfit(reference: Reference, side: Any, scenarios: list[str]) -> dict[str, str]:
    """The scenarios that a side cannot do, or does otherwise, with the reason."""
    check = Check(reference, side)
    found: dict[str, str] = {}
    for scenario in scenarios:
        method = method_of(scenario)
        if not hasattr(side, method):
            found[scenario] = "there is no such thing"
            continue
        if scenario in TASKS and not getattr(side, "is_shared", True):
            found[scenario] = NOT_SHARED
            continue
        try:
            await getattr(check, method)()
        except Exception as error:
            found[scenario] = f"{type(error).__name__}: {error}"
    return found
