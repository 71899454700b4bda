"""The text of statements of the code under test: what may not run in a sandbox, and what is sent instead.

The functions of the harness take the place of PostgreSQL's own, token by token, so that strings, comments, quoted names and
aliases stay as they are. Raw SQL that would end or open the transaction of the test is found here as well.
"""

from __future__ import annotations

import itertools
import re

from data_bridge.core import ConfigurationError
from data_bridge.core._native import quote_literal
from data_bridge.core.transactions.control import control_of
from data_bridge.testing._sql_tokens import first_word, tokens, words

__all__ = [
    "CLOCK",
    "NOTIFY",
    "EndsTheTest",
    "alone",
    "body",
    "changes_schema",
    "may_notify",
    "outside_only",
    "refuse",
    "rewritten",
]

SCHEMA = {"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "SECURITY", "REINDEX", "IMPORT"}
CLOCK = "data_bridge_clock"
NOTIFY = "data_bridge_test.pg_notify"
KEYWORDS = {"CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME"}
CLOCKS = {"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"}
NAMED = {".", "INTO", "TABLE", "VIEW", "FUNCTION", "INDEX"}
"""Behind them a name is not that of a function that is called."""
MAY_NOTIFY = re.compile("notify", re.IGNORECASE)
CALL = re.compile(r"\b(?:pg_catalog\s*\.\s*)?(?<!data_bridge_test\.)pg_notify\s*\(", re.IGNORECASE)
COMMAND = re.compile(
    r"""(?<![\w."'])NOTIFY\s+(?P<name>"(?:[^"]|"")+"|[^\W\d]\w*)(?:\s*,\s*(?P<payload>'(?:[^']|'')*'))?\s*(?=;|$)""",
    re.IGNORECASE,
)


def may_notify(sql: str) -> bool:
    """Whether a text is worth a closer look."""
    return MAY_NOTIFY.search(sql) is not None


def rewritten(sql: str, *, frozen: bool) -> str:
    """The text to send.

    >>> rewritten("SELECT pg_notify('a', 'pg_notify(1)')", frozen=False)
    "SELECT data_bridge_test.pg_notify('a', 'pg_notify(1)')"
    >>> rewritten("NOTIFY Jobs, 'x'; SELECT 1", frozen=False)
    "SELECT data_bridge_test.pg_notify('jobs', 'x'); SELECT 1"
    >>> rewritten("SELECT current_date AS current_date", frozen=True)
    'SELECT data_bridge_clock."current_date"() AS current_date'
    >>> rewritten("SELECT now() - t.now, x.now()", frozen=True)
    'SELECT data_bridge_clock."now"() - t.now, x.now()'
    """
    parts = list(tokens(sql))
    notifies = may_notify(sql)
    found: list[str] = []
    before = ""  # the last token that is neither space nor comment
    first = ""  # the first one of the statement
    skipped_to = -1
    for at, (kind, text) in enumerate(parts):
        if at <= skipped_to:
            continue
        if kind == "space":
            found.append(text)
            continue
        sent = text
        if kind == "name":
            upper = text.upper()
            if notifies and not first and upper == "NOTIFY":
                sent, skipped_to = _command(parts, at)
            elif before != "." and upper == "PG_CATALOG" and (end := _qualified(parts, at, frozen, notifies)):
                sent, skipped_to = end
            elif notifies and before != "." and upper == "PG_NOTIFY" and _next(parts, at) == "(":
                sent = NOTIFY
            elif frozen and upper in KEYWORDS and before != "." and before.upper() != "AS":
                sent = f'{CLOCK}."{text.lower()}"' + ("" if _next(parts, at) == "(" else "()")
            elif frozen and text.lower() in CLOCKS and before.upper() not in NAMED and _next(parts, at) == "(":
                # Also where a block has a search path of its own, in which the clock does not stand.
                sent = f'{CLOCK}."{text.lower()}"'
        elif notifies and kind in ("dollar", "string") and first in ("CREATE", "DO"):
            sent = body(text)
        first = "" if text == ";" else first or text.upper()
        before = text
        found.append(sent)
    return "".join(found)


def body(code: str) -> str:
    """The code of a function, with what sends notifications in it replaced; its language is not looked at."""

    def command(found: re.Match[str]) -> str:
        return f"PERFORM {NOTIFY}({_folded(found['name'])}, {found['payload'] or quote})"

    quote = "''" if code.startswith("$") else "''''"
    if not code.startswith("$"):
        # In a plain string quotes are doubled; only calls can be told safely.
        return CALL.sub(f"{NOTIFY}(", code)
    return COMMAND.sub(command, CALL.sub(f"{NOTIFY}(", code))


def _significant(parts: list[tuple[str, str]], at: int) -> list[tuple[int, str, str]]:
    """The next four tokens behind one that are neither space nor comment, with their places."""
    found: list[tuple[int, str, str]] = []
    for place in range(at + 1, len(parts)):
        kind, text = parts[place]
        if kind != "space":
            found.append((place, kind, text))
            if len(found) == 4:
                break
    return found


def _next(parts: list[tuple[str, str]], at: int) -> str:
    behind = _significant(parts, at)
    return behind[0][2] if behind else ""


def _qualified(parts: list[tuple[str, str]], at: int, frozen: bool, notifies: bool) -> tuple[str, int] | None:
    """`pg_catalog.name(` for one of the functions that are replaced."""
    behind = _significant(parts, at)
    if len(behind) < 3 or behind[0][2] != "." or behind[2][2] != "(":
        return None
    place, _, name = behind[1]
    if notifies and name.lower() == "pg_notify":
        return NOTIFY, place
    if frozen and name.lower() in CLOCKS:
        return f"{CLOCK}.{name}", place
    return None


def _command(parts: list[tuple[str, str]], at: int) -> tuple[str, int]:
    """`NOTIFY channel` or `NOTIFY channel, 'payload'` as a call."""
    behind = _significant(parts, at)
    if not behind or behind[0][1] != "name":
        return parts[at][1], at
    place, _, channel = behind[0]
    payload = "''"
    if len(behind) > 2 and behind[1][2] == "," and behind[2][1] in ("string", "dollar"):
        place, _, payload = behind[2]
    return f"SELECT {NOTIFY}({_folded(channel)}, {payload})", place


def _folded(name: str) -> str:
    """A channel as PostgreSQL reads it, as a string constant."""
    read = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    return quote_literal(read)


class EndsTheTest(ConfigurationError):
    """Raw SQL would end the transaction of the test.

    Attributes:
        control: the statement, as one or two words.
    """

    def __init__(self, control: str) -> None:
        super().__init__(
            f"{control} in raw SQL would end the transaction that this test is rolled back with."
            "\nhint: write `async with pg_transaction():`, which is emulated, or use the fixture `committed`"
        )
        self.control = control


def refuse(sql: str) -> None:
    """Refuse what must not run in the transaction of a test.

    Raises:
        EndsTheTest: it would end it.
        ConfigurationError: PostgreSQL refuses it inside any transaction.
    """
    control = control_of(sql)
    if control is not None:
        raise EndsTheTest(control)
    if outside_only(sql):
        raise ConfigurationError(
            f"PostgreSQL does not run this inside a transaction, and this test is one: {sql.strip()[:60]!r}"
            "\nhint: use the fixture `isolated_db`, where the test has a database of its own"
        )


def changes_schema(ir: tuple[object, ...]) -> bool:
    """Whether a statement may change the schema: then plans and constraints known before are no longer sure.

    >>> changes_schema(("text", "/* why */ ALTER TABLE t ADD a int")), changes_schema(("text", "SELECT 1"))
    (True, False)
    """
    tag = ir[0]
    if tag in ("select", "insert", "update", "delete", "merge"):
        return False
    if tag not in ("text", "raw"):
        return True
    text = next((part for part in ir[1:] if isinstance(part, str)), "")
    first = first_word(text).upper()
    return first in SCHEMA or first == "DO"


def alone(sql: str) -> str:
    """The text to send for a statement outside of a transaction, where PostgreSQL refuses some and passes over others.

    In the transaction of a test they would work, and last to its end.

    >>> alone("SET LOCAL work_mem = '5MB'"), alone("SELECT 1")
    ("DO 'BEGIN END'", 'SELECT 1')
    """
    first = first_word(sql).upper()
    if first not in ("LOCK", "DECLARE", "SET"):
        return sql
    head = [word.upper() for _, word in words(sql)]
    if first == "SET":
        return "DO 'BEGIN END'" if head[1:2] in (["LOCAL"], ["TRANSACTION"]) else sql
    if first == "DECLARE" and "HOLD" in head and "WITHOUT" not in head:
        return sql
    what = "LOCK TABLE" if first == "LOCK" else "DECLARE CURSOR"
    return (
        f"DO $outside$ BEGIN RAISE EXCEPTION '{what} can only be used in transaction blocks'"
        " USING ERRCODE = '25P01'; END $outside$"
    )


def outside_only(sql: str) -> bool:
    """Whether PostgreSQL refuses the statement inside any transaction (VACUUM, CREATE DATABASE, … CONCURRENTLY)."""
    first = first_word(sql).upper()
    if first == "VACUUM":
        return True
    if first not in ("CREATE", "DROP", "ALTER", "REINDEX"):
        return False
    head = [word.upper() for _, word in itertools.islice(words(sql), 6)]
    if head[:2] in (["CREATE", "DATABASE"], ["DROP", "DATABASE"], ["ALTER", "SYSTEM"]):
        return True
    return first != "ALTER" and "CONCURRENTLY" in head
