"""Statements whose rows become columns of Arrow, at once or batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from data_bridge.core._native import LoadPlan
from data_bridge.core.connection.streams import RowStream
from data_bridge.core.errors import ConfigurationError
from data_bridge.core.frames.table import ArrowTable

ArrowNumeric = Literal["text", "float"] | tuple[int, int]
"""What a numeric without a declared precision becomes: its text, the nearest float, or a decimal of this precision and scale."""

_PLANS: dict[tuple[Any, ...], LoadPlan] = {}
_MOST_PLANS = 256
# A cursor has the columns of its query, which the server is not asked for by name.
_CURSOR = frozenset({"fetch", "move"})


def arrow_plan(numeric: ArrowNumeric, names: Sequence[str] = ()) -> LoadPlan:
    """The load plan of a statement whose rows become columns of Arrow.

    Raises:
        ConfigurationError: `numeric` is not text, float, or a precision and a scale.
    """
    key = (numeric, *names)
    plan = _PLANS.get(key)
    if plan is None:
        plan = LoadPlan.arrow(numeric=numeric, names=list(names))
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        _PLANS[key] = plan
    return plan


async def arrow_of(
    executor: Any,
    ir: tuple[Any, ...],
    params: tuple[Any, ...],
    numeric: ArrowNumeric,
    *,
    names: Sequence[str] = (),
    timeout: float | None = None,
) -> ArrowTable:
    """Runs a statement on an executor; its rows become columns of Arrow.

    Raises:
        ConfigurationError: for FETCH, whose columns only its cursor knows.
    """
    plan = arrow_plan(numeric, names)
    if ir[0] == "text" and plan.describe(ir).kind in _CURSOR:
        raise ConfigurationError("fetch_arrow() takes a query, not FETCH: stream_arrow() reads by a cursor of its own")
    return ArrowTable(await executor.run(ir, params, plan, timeout=timeout))


class ArrowStream(RowStream[ArrowTable]):
    """The batches of `stream_arrow`: an asynchronous iterator, and a block after which the connection is free at once.

    >>> async def export(db, consume) -> None:
    ...     async with db.stream_arrow("select * from orders", batch=100_000) as batches:
    ...         async for batch in batches:
    ...             consume(batch.to_polars())
    """

    _what = "stream_arrow()"

    def __init__(self, executor: Any, sql: str, params: tuple[Any, ...], batch: int, numeric: ArrowNumeric) -> None:
        super().__init__(executor, sql, params, arrow_plan(numeric), batch)
        self._declaring = self._plan
        self._numeric: ArrowNumeric = numeric
        self._has_begun = False

    def _opened(self, declared: Any) -> None:
        # The columns of the cursor, so that each FETCH need not ask for them.
        self._plan = LoadPlan.arrow(numeric=self._numeric, like=declared)

    def _taken(self, rows: Any) -> list[ArrowTable]:
        # A result without rows is one batch, which has the schema.
        is_first, self._has_begun = not self._has_begun, True
        return [ArrowTable(rows)] if len(rows) or is_first else []
