"""What an interruption left of a step that runs outside of transactions: the catalog knows."""

from __future__ import annotations

from typing import Any

from data_bridge.core.errors import DatabaseError, DataBridgeError
from data_bridge.core.lint import Facts
from data_bridge.migrate.backfill import quoted
from data_bridge.migrate.step import Step

_INDEXES = """
    SELECT c.oid::bigint AS oid, i.indisvalid AS valid,
        pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indrelid = pg_catalog.to_regclass($1) ORDER BY c.oid
"""
_LEFT_OVER = """
    SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname !~ '^pg_toast'
"""
_DETACHING = """
    SELECT i.inhdetachpending AS pending FROM pg_catalog.pg_inherits i
    WHERE i.inhparent = pg_catalog.to_regclass($1) AND i.inhrelid = pg_catalog.to_regclass($2)
"""
_WAS_DONE = {"42P04", "42710", "3D000", "42704"}
"""There is such a database, object; there is none: what a repeated CREATE or DROP says that was done already."""


class Recovery:
    """Looks at what single steps left, and sweeps it away."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def note(self, step: Step) -> str:
        """What must be known later: the indexes that the table had before the step."""
        fact = _fact(step)
        if fact is None or fact.kind != "create_index":
            return ""
        return ",".join(str(r["oid"]) for r in await self._connection.fetch(_INDEXES, _spelled(fact.on)))

    async def _new(self, fact: Facts, note: str) -> list[dict[str, Any]]:
        before = set(note.split(","))
        rows = await self._connection.fetch(_INDEXES, _spelled(fact.on))
        return [r for r in rows if str(r["oid"]) not in before and not _is_spare(r["name"])]

    async def is_done(self, step: Step, note: str) -> bool:
        """Whether an announced step came to its end although nobody recorded it; what it left half done is removed."""
        fact = _fact(step)
        if fact is None:
            return False
        if fact.kind == "create_index":
            made = await self._new(fact, note)
            await self._drop([r["name"] for r in made if not r["valid"]])
            return any(r["valid"] for r in made)
        if fact.kind == "drop_index":
            found: bool = await self._connection.value(
                "SELECT pg_catalog.to_regclass($1) IS NULL", _spelled(fact.object)
            )
            return found
        if fact.kind == "detach":
            rows = await self._connection.fetch(_DETACHING, _spelled(fact.on), _spelled(fact.object))
            if rows and rows[0]["pending"]:
                await self._connection.script(
                    f"ALTER TABLE {_spelled(fact.on)} DETACH PARTITION {_spelled(fact.object)} FINALIZE"
                )
                return True
            return not rows
        if fact.kind == "reindex":
            await self._drop([r["name"] for r in await self._connection.fetch(_LEFT_OVER)])
        return False

    async def clear(self, step: Step) -> None:
        """An invalid index under the name of a new one is dropped: a name that is taken must not pass for an index."""
        fact = _fact(step)
        if fact is None or fact.kind != "create_index" or fact.object is None:
            return
        wanted = quoted(fact.object.rpartition(".")[2])
        rows = await self._connection.fetch(_INDEXES, _spelled(fact.on))
        await self._drop([r["name"] for r in rows if not r["valid"] and _last(r["name"]) == wanted])

    async def sweep(self, step: Step, note: str) -> None:
        """After a failure: an index that was not finished only costs time."""
        fact = _fact(step)
        try:
            if fact is not None and fact.kind == "create_index":
                await self._drop([r["name"] for r in await self._new(fact, note) if not r["valid"]])
            elif fact is not None and fact.kind == "reindex":
                await self._drop([r["name"] for r in await self._connection.fetch(_LEFT_OVER)])
        except DataBridgeError:
            pass  # the connection is gone: the next run does it

    def was_done(self, error: BaseException) -> bool:
        """Whether a repeated step says that there is nothing left to do."""
        return isinstance(error, DatabaseError) and error.sqlstate in _WAS_DONE

    async def _drop(self, names: list[str]) -> None:
        for name in names:
            await self._connection.script(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def _fact(step: Step) -> Facts | None:
    found = step.facts
    return found[0] if len(found) == 1 else None


def _spelled(name: str | None) -> str:
    return quoted(name or "")


def _last(name: str) -> str:
    """The identifier behind the schema, quoted as `quoted` does."""
    last = (
        name.rpartition(".")[2] if not name.endswith('"') else name[name.rindex('."') + 1 :] if '."' in name else name
    )
    return last if last.startswith('"') else f'"{last}"'


def _is_spare(name: str) -> bool:
    return name.rstrip('0123456789"').endswith(("_ccnew", "_ccold"))
