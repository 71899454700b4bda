"""The schema of a live database, as the catalog reader has it."""

from __future__ import annotations

from typing import Any

from data_bridge import core
from data_bridge.query import catalog


async def live(db: Any, *schemas: str) -> catalog.Schema:
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for name, statement in catalog.queries(schemas or None).items():
        compiled = core.compile(statement)
        rows[name] = await db.fetch(compiled.sql, *compiled.params, as_=tuple)
    return catalog.read(rows)
