"""The laws of `make` and its diff, as functions: tests call them, and call them again with a fault planted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from data_bridge.migrate._config import Config
from data_bridge.migrate.diff.decisions import decide
from data_bridge.migrate.diff.instructions import Instructions
from data_bridge.migrate.diff.schema_diff import diff
from data_bridge.migrate.diff.script import Planned
from data_bridge.migrate.making.new_migration import Made, MakeRequest, check, make
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.operations.declared import Backfill
from data_bridge.migrate.state.facts import differences, facts_of, quoted, spelled
from data_bridge.migrate.state.models import declared_schema, normalised
from data_bridge.query import ColumnDef, TableDef, types

ALWAYS = TableDef("always", (ColumnDef("id", types.BigInt, nullable=False),))
"""A table that is there in every schema: models without a table are a mistake."""
MODULE = "migrate_drawn_models"
_DESIGN = {"L37", "L38", "L39"}
"""What the linter says of a design, whoever made the migration."""
_EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS shop CASCADE"


def answer(question: str, is_yes_or_no: bool) -> str:
    """The answers of a person who renames nothing and drops everything; the tables have no rows."""
    if is_yes_or_no:
        return "y" if question.startswith("Drop") else "n"
    return "sad" if "was removed" in question else "NULL"


@asynccontextmanager
async def two_databases(dsn: str) -> Any:
    """A shadow server, and two databases that stay for all examples."""
    async with Shadow(dsn, Config()) as shadow, shadow.database() as one, shadow.database() as other:
        yield shadow, one, other


async def operations_lead(place: Any, a: Sequence[Any], b: Sequence[Any], **instructions: Any) -> None:
    """I2, I3 and I4: diff(a, a) is empty, diff(a, b) makes b of a, and the way back makes a again."""
    shadow, one, other = place
    old = await _made(shadow, one, a)
    new = await _made(shadow, other, b)
    old_facts, new_facts = facts_of(old), facts_of(new)
    assert diff(old, old) == []
    decisions = decide(old, new, Instructions.of_options(**instructions), answer)
    up = diff(old, new, decisions)
    assert bool(up) == (old_facts != new_facts)
    assert [str(p) for p in up] == [str(p) for p in diff(old, new, decisions)]
    await _run(one, up)
    assert differences(new_facts, await shadow.facts(one)) == [], _shown(up)
    down = diff(new, old, decisions.way_back(), is_way_back=True)
    await _run(one, down)
    assert differences(old_facts, await shadow.facts(one)) == [], _shown(down)


async def _made(shadow: Any, database: Any, tables: Sequence[Any]) -> Any:
    await database.execute_script(_EMPTY)
    return await shadow.fill(database, facts_of(declared_schema([normalised(t) for t in tables])), "the schema")


async def _run(database: Any, planned: Sequence[Planned]) -> None:
    for operation in (p.operation for p in planned):
        text = str(operation)
        if isinstance(operation, Backfill):
            schema, name = operation.table if isinstance(operation.table, tuple) else (None, str(operation.table))
            text = f"UPDATE {quoted(spelled(schema, name))} SET {operation.assignments} WHERE {operation.where}"
        try:
            await database.execute_script(text)
        except Exception as e:
            raise AssertionError(f"{e}\n{text}\nin\n{_shown(planned)}") from e


def _shown(planned: Sequence[Planned]) -> str:
    return "\n".join(str(p.operation) for p in planned)


def declare(tables: Sequence[Any]) -> None:
    """The module of the models has these tables and views."""
    module = ModuleType(MODULE)
    vars(module).update({f"table{i}": table for i, table in enumerate(tables)})
    vars(module)["sentinel"] = ALWAYS
    sys.modules[MODULE] = module


async def files_lead(dsn: str, directory: Path, a: Sequence[Any], b: Sequence[Any]) -> list[Made]:
    """I6, I11, I13: make leads from nothing to a and from a to b by files that prove themselves, read the same each time,
    and pass the linter; then nothing has changed.
    """
    made: list[Made] = []
    for tables in (a, b):
        declare(tables)
        request = MakeRequest(directory, [MODULE], Config(), shadow=dsn, ask=answer)
        draft = await make(MakeRequest(directory, [MODULE], Config(), shadow=dsn, ask=answer, dry_run=True))
        done = await make(request)
        assert _timeless(draft.text) == _timeless(done.text)
        bad = [f for f in done.findings if f.severity != "info" and f.rule not in _DESIGN]
        assert bad == [], f"{bad}\n{done.text}"
        assert check(request) == []
        again = await make(request)
        assert (again.changes, again.paths, again.text) == ([], [], "")
        made.append(done)
    return made


def _timeless(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("    version = ")]
