"""What an interruption left of a step that runs outside of transactions: the catalog knows."""

from __future__ import annotations

from typing import Any

from data_bridge.core.errors import DatabaseError, DataBridgeError
from data_bridge.core.lint import Facts
from data_bridge.migrate._sql_names import quote_path
from data_bridge.migrate.operations.step import Step
from data_bridge.migrate.runner.wanted_index import WantedIndex, index_of

_LIKE = "_data_bridge_like"

_INDEXES = """
    SELECT c.oid::bigint AS oid, i.indisvalid AS valid, c.relname::text AS bare,
        pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
        i.indisunique::text || pg_catalog.substr(d.text, pg_catalog.length(p.text) + 1 + pg_catalog.strpos(d.text, p.text)) AS definition
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace,
        LATERAL (SELECT pg_catalog.pg_get_indexdef(c.oid) AS text) d,
        LATERAL (SELECT CASE WHEN tn.oid = pg_catalog.pg_my_temp_schema() THEN 'pg_temp' ELSE pg_catalog.quote_ident(tn.nspname) END
            || '.' || pg_catalog.quote_ident(t.relname) || ' USING ' AS text) p
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
        return ",".join(str(r["oid"]) for r in await self._connection.fetch(_INDEXES, _quoted(fact.on)))

    async def _new(self, step: Step, fact: Facts, note: str) -> list[dict[str, Any]]:
        """The indexes that are there since the step was announced, and are what it makes: by name and by definition.

        An index of another session on the same table, made or being made meanwhile, is not one of them.
        """
        before = set(note.split(","))
        rows = await self._connection.fetch(_INDEXES, _quoted(fact.on))
        made = [r for r in rows if str(r["oid"]) not in before]
        wanted = index_of(step.sql)
        if not made or wanted is None:
            return []
        if wanted.name is not None:
            made = [r for r in made if r["bare"] == wanted.name]
        definition = await self._defined(fact, wanted) if made else None
        return [r for r in made if definition is not None and r["definition"] == definition]

    async def _defined(self, fact: Facts, wanted: WantedIndex) -> str | None:
        """How the server words the definition of an index: on an empty table with the same columns. None when it cannot."""
        await self._connection.begin()
        try:
            await self._connection.script(
                f"CREATE TEMP TABLE {_LIKE} (LIKE {_quoted(fact.on)}) ON COMMIT DROP; {wanted.on(_LIKE)}"
            )
            rows = await self._connection.fetch(_INDEXES, f"pg_temp.{_LIKE}")
            return str(rows[0]["definition"]) if rows else None
        except DatabaseError:
            return None
        finally:
            await self._connection.rollback()

    async def is_done(self, step: Step, note: str) -> bool:
        """Whether an announced step was completed but not recorded; a half-built index is removed."""
        fact = _fact(step)
        if fact is None:
            return False
        if fact.kind == "create_index":
            made = await self._new(step, fact, note)
            await self._drop([r["name"] for r in made if not r["valid"]])
            return any(r["valid"] for r in made)
        if fact.kind == "drop_index":
            found: bool = await self._connection.value(
                "SELECT pg_catalog.to_regclass($1) IS NULL", _quoted(fact.object)
            )
            return found
        if fact.kind == "detach":
            rows = await self._connection.fetch(_DETACHING, _quoted(fact.on), _quoted(fact.object))
            if rows and rows[0]["pending"]:
                await self._connection.script(
                    f"ALTER TABLE {_quoted(fact.on)} DETACH PARTITION {_quoted(fact.object)} FINALIZE"
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
        wanted = index_of(step.sql)
        rows = await self._connection.fetch(_INDEXES, _quoted(fact.on))
        await self._drop(
            [r["name"] for r in rows if not r["valid"] and wanted is not None and r["bare"] == wanted.name]
        )

    async def sweep(self, step: Step, note: str) -> None:
        """After a failure: an index that was not finished only costs time."""
        fact = _fact(step)
        try:
            if fact is not None and fact.kind == "create_index":
                await self._drop([r["name"] for r in await self._new(step, fact, note) if not r["valid"]])
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


def _quoted(name: str | None) -> str:
    return quote_path(name or "")
