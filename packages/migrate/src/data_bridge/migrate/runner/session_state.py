"""The state in which a migration leaves its session: settings, the role, the session's user.

A file counts on what it has set: `SET search_path = s2` at its top holds for the statement behind CREATE INDEX CONCURRENTLY as
well, also when another runner continues there. So the state is read from the server, not from the text (functions change it,
too), stands in the record of the steps, and is brought back before the first step that runs again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from data_bridge.migrate._sql_lexer import UnclosedError, split
from data_bridge.migrate._sql_names import quote_identifier

_STATE = """
    SELECT pg_catalog.current_setting('role') AS role, session_user::text AS who,
        (SELECT pg_catalog.json_object_agg(name, pg_catalog.current_setting(name) ORDER BY name) FROM pg_catalog.pg_settings
            WHERE source = 'session' AND context IN ('user', 'superuser') AND name !~ '^(lock_timeout$|transaction_)') AS settings,
        (SELECT pg_catalog.json_object_agg(n, pg_catalog.current_setting(n, true) ORDER BY n) FROM pg_catalog.unnest($1::text[]) n
            WHERE pg_catalog.current_setting(n, true) IS NOT NULL) AS custom
"""
_CUSTOM = re.compile(
    r"\bset_config\s*\(\s*'([^']+)'|\bset\s+(?:session\s+|local\s+)?([a-z_]\w*(?:\.\w+)+)\s*(?:=|to\b)", re.IGNORECASE
)
_ANYWHERE = re.compile(r"\bset_config\b|\btemp(?:orary)?\b|\bpg_temp\b", re.IGNORECASE)
_FIRST = frozenset(
    {"set", "reset", "discard", "listen", "declare", "do", "call", "select", "with", "load", "prepare", "values"}
)
_DUMP = 1_000_000


def touches_session(sql: str) -> bool:
    """Whether statements may leave another session behind: by what they are, or by the functions that they call.

    >>> touches_session("/* quiet */ SET search_path = s"), touches_session("CREATE TABLE t (i int)")
    (True, False)
    """
    if len(sql) > _DUMP or _ANYWHERE.search(sql) is not None:
        return True
    try:
        return any(s.words[:1] and s.words[0] in _FIRST for s in split(sql))
    except UnclosedError:
        return True


class Session:
    """Reads the state and brings it back."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._names: set[str] = set()

    def hear(self, sql: str) -> None:
        """Settings with a name of one's own, which the server does not list, are known by the text that sets them."""
        for first, second in _CUSTOM.findall(sql):
            name = first or second
            if "." in name:
                self._names.add(name.lower())

    async def state(self) -> str:
        """The state as text: equal texts are equal states."""
        row = (await self._connection.fetch(_STATE, sorted(self._names)))[0]
        settings: dict[str, str] = {**(row["settings"] or {}), **(row["custom"] or {})}
        return json.dumps({"role": row["role"], "who": row["who"], "settings": settings}, sort_keys=True)

    async def restore(self, state: str) -> None:
        """Makes the session what it was."""
        wanted = json.loads(state)
        settings: dict[str, str] = wanted["settings"]
        self._names |= {name for name in settings if "." in name}
        if settings:
            await self._connection.value(
                "SELECT pg_catalog.count(pg_catalog.set_config(key, value, false)) FROM pg_catalog.json_each_text($1::text::json)",
                json.dumps(settings),
            )
        if await self._connection.value("SELECT session_user::text") != wanted["who"]:
            await self._connection.script(f"SET SESSION AUTHORIZATION {quote_identifier(wanted['who'])}")
        if wanted["role"] != "none":
            await self._connection.script(f"SET ROLE {quote_identifier(wanted['role'])}")
