"""Which row of a statement for many, and which field of a row, made it fail."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from data_bridge.core import pg_transaction
from data_bridge.core.errors import DatabaseError, EncodeError

Run = Callable[[int, int, Any], Awaitable[Any]]
"""Writes the rows from one index to another, on an executor."""

_PARAMETER = re.compile(r"(?:[^(]*\()?\$(?P<number>[0-9]+)(?: \(|, )(?P<rest>.*)", re.DOTALL)
"""`$1 (int4): …`, or `age ($1, int4): …` of a condition."""


def of_field(error: EncodeError, label: str, keys: Sequence[str]) -> EncodeError:
    """The error with the field in the place of the parameter's number; `keys` are the fields that are sent, in order."""
    found = _PARAMETER.match(str(error))
    at = int(found["number"]) - 1 if found else len(keys)
    if found is None or at >= len(keys):
        return error
    return EncodeError(f"{label}.{keys[at]} ({found['rest']}")


async def named(
    run: Run, count: int, executor: Any, what: str, index: Callable[[int], int], *, saves: bool = True
) -> Any:
    """Runs a statement for `count` rows; an error gets `row_index`, the index of the row that caused it.

    In a transaction the statement has a savepoint, without which nothing could be asked any more after it failed. One row
    has it, too: what a caller may do after a failure must not depend on how many rows there were.
    """
    try:
        if executor.is_transaction and saves:
            async with pg_transaction(using=executor) as inner:
                return await run(0, count, inner)
        return await run(0, count, executor)
    except (DatabaseError, EncodeError) as e:
        if isinstance(e, DatabaseError) and (e.sqlstate or "")[:2] not in ("22", "23"):
            raise  # nothing that a row could do
        found = 0 if count == 1 else await _search(run, count, executor)
        if found is not None:
            e.row_index = index(found)  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
            e.add_note(f"row {index(found)} of {what}")
        raise


async def _search(run: Run, count: int, executor: Any) -> int | None:
    """The first failing row. Halves are tried in a transaction that is rolled back; those that succeed stay until then, so
    that a row fails which is the same as one before it.
    """
    low, high = 0, count
    async with pg_transaction(using=executor) as tx:
        tx.set_rollback_only()
        while high - low > 1:
            middle = (low + high) // 2
            if await _succeeds(run, low, middle, tx):
                low = middle
            else:
                high = middle
        return low if not await _succeeds(run, low, high, tx) else None


async def _succeeds(run: Run, low: int, high: int, tx: Any) -> bool:
    savepoint = await tx.savepoint()
    try:
        await run(low, high, tx)
    except (DatabaseError, EncodeError):
        await tx.rollback_to(savepoint)
        return False
    return True
