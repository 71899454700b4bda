"""The plain model beside which change tracking is tried."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
)
from orm_tracked import (
    KEYS,
    SERVER,
    frozen,
)

from data_bridge.postgres import (
    RevisionConflict,
    RowNotFound,
    fetch,
)


class Known:
    """An instance and what the model says of it."""

    def __init__(self, row: Any, pk: int | None, base: dict[str, str] | None, server: dict[str, Any]) -> None:
        self.row, self.pk, self.base, self.server = row, pk, base, server
        self.loaded = set(base) if base is not None else set(KEYS)
        self.mine = {k: frozen(getattr(row, k)) for k in self.loaded}
        self.by_user: set[str] = set()
        self.is_gone = False

    def changes(self) -> dict[str, str]:
        base = self.base or {}
        return {k: v for k, v in self.mine.items() if base.get(k) != v}

    def snapshot(self) -> tuple[Any, ...]:
        base = None if self.base is None else dict(self.base)
        return self.pk, base, dict(self.server), self.is_gone, set(self.loaded)


class TrackingModel(RuleBasedStateMachine):
    """What the database must have and what each instance knows, and the checks of both."""

    runner: ClassVar[asyncio.Runner]
    cls: ClassVar[Any]

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        self.there: dict[int, dict[str, str]] = {}
        self.server: dict[int, dict[str, Any]] = {}
        self.known: list[Known] = []
        self.transactions: list[tuple[Any, Any]] = []

        async def clean() -> None:
            await self.cls.delete_all()
            for _ in range(2):
                await self.insert()

        self.run(clean())

    def teardown(self) -> None:
        while getattr(self, "transactions", None):
            self.leave(commit=False)

    # ------------------------------------------------------------------------------------------------------ the model
    def tx(self) -> Any:
        return self.transactions[-1][0] if self.transactions else None

    async def read(self) -> tuple[dict[int, dict[str, str]], dict[int, dict[str, Any]]]:
        """What is in the database, past the ORM."""
        name = self.cls.__db__.settings.name
        rows = await fetch(f"SELECT *, xmin::text::bigint AS xmin FROM {name}", using=self.tx())
        there: dict[int, dict[str, str]] = {}
        server: dict[int, dict[str, Any]] = {}
        for r in rows:
            found = dict(r)
            values = {k: found[self.cls.__db__.by_key[k].name] for k in KEYS}
            values["flags"] = set(values["flags"])
            there[found["id"]] = {k: frozen(v) for k, v in values.items()}
            server[found["id"]] = {k: found[k] for k in SERVER if k in found}
        return there, server

    async def check(self, *may_vary: str) -> None:
        """The database has what the model says; documents that were edited on their way may be either."""
        there, server = await self.read()
        assert there.keys() == self.there.keys()
        for pk, values in there.items():
            for k, v in values.items():
                assert v == self.there[pk][k] or k in may_vary, (pk, k, v, self.there[pk][k])
        self.there, self.server = there, server

    def learn(self, one: Known, keys: Any, *, keep: Any = ()) -> None:
        """The instance was told what the database has."""
        values = self.there[one.pk]  # type: ignore[index]
        assert one.base is not None
        for k in keys:
            one.base[k] = values[k]
            one.loaded.add(k)
            if k not in keep:
                one.mine[k] = values[k]
                one.by_user.discard(k)

    async def wrote(self, one: Known, fields: dict[str, str], *, may_vary: tuple[str, ...] = ()) -> None:
        """These fields are in the database now, and the instance knows."""
        if not fields:
            await self.check()
            return
        self.there[one.pk] = {**self.there[one.pk], **fields}  # type: ignore[index]
        await self.check(*may_vary)
        assert one.base is not None
        for k in fields:
            one.base[k] = self.there[one.pk][k]  # type: ignore[index]
        one.server = dict(self.server[one.pk])  # type: ignore[index]

    def refused(self, one: Known) -> type[Exception] | None:
        """What a write of the row must raise."""
        if one.pk not in self.there:
            return RowNotFound
        key = {"MachineRevised": "revision", "MachineXmin": "xmin"}.get(self.cls.__name__)
        return RevisionConflict if key and self.server[one.pk][key] != one.server[key] else None

    async def write(self, one: Known, work: Any, fields: dict[str, str], edits: Any = None, may_vary: Any = ()) -> bool:
        """Awaits a write, during which `edits` happen."""
        error = self.refused(one) if fields else None
        task = asyncio.ensure_future(work)
        if edits is not None:
            await asyncio.sleep(0)
            edits()
        if error is not None:
            with pytest.raises(error):
                await task
            await self.check()
            return False
        await task
        await self.wrote(one, fields, may_vary=may_vary)
        return True

    async def insert(self) -> None:
        row = self.cls()
        await row.save(tx=self.tx())
        there, server = await self.read()
        assert there.keys() - self.there.keys() == {row.id}
        self.there, self.server = there, server
        self.known.append(Known(row, row.id, dict(there[row.id]), dict(server[row.id])))

    def pick(self, data: Any) -> Known:
        one: Known = data.draw(st.sampled_from([k for k in self.known if not k.is_gone]), label="instance")
        return one
