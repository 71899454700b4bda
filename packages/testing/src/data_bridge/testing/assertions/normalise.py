"""SQL text in a form that stays the same while values, list lengths and savepoint numbers change."""

from __future__ import annotations

import re
from itertools import pairwise

from data_bridge.testing._sql_tokens import words

__all__ = ["normalise"]

GLUED_BEFORE = {",", ")", ".", "::", "]", ";", "["}
GLUED_AFTER = {"(", ".", "::", "["}
LIST = re.compile(r"\((\?|\$\?)(?:, \1)+\)")
ROWS = re.compile(r"(\((?:\?|\$\?|DEFAULT)(?:, (?:\?|\$\?|DEFAULT|\.\.\.))*\))(?:, \1)+")
SAVEPOINT = re.compile(r'^((?:ROLLBACK TO |RELEASE )?SAVEPOINT) (?:"[^"]*"|\w+)$', re.IGNORECASE)


def normalise(sql: str) -> str:
    """One line without comments, the same for all values.

    Constants become `?`, parameters `$?`, lists of them `(?, ...)`; savepoints lose their names, the schema `public` is
    left out.

    >>> normalise("SELECT *\\n FROM public.users WHERE id IN (1, 2, 3) AND name = 'Ann' LIMIT $1")
    'SELECT * FROM users WHERE id IN (?, ...) AND name = ? LIMIT $?'
    """
    parts: list[str] = []
    for kind, text in words(sql):
        if kind in ("string", "dollar", "number"):
            parts.append("?")
        elif kind == "parameter":
            parts.append("$?")
        else:
            parts.append(text)
    while parts and parts[-1] == ";":
        parts.pop()
    line = previous = ""
    for part, following in pairwise([*parts, ""]):
        if part in PUBLIC and following == "." and previous != ".":
            previous = part
            continue
        if part == "." and previous in PUBLIC and not line.endswith(previous):
            continue
        call = (
            part == "(" and previous[-1:] not in ("", "?") and previous.upper() not in KEYWORDS and _is_name(previous)
        )
        glued = not line or part in GLUED_BEFORE or call or (previous in GLUED_AFTER)
        line += part if glued else f" {part}"
        previous = part
    line = LIST.sub(r"(\1, ...)", line)
    line = ROWS.sub(r"\1, ...", line)
    return SAVEPOINT.sub(r"\1", line)


def _is_name(text: str) -> bool:
    return text[0] == '"' or text[0].isalpha() or text[0] == "_"


PUBLIC = ("public", '"public"')
KEYWORDS = frozenset(
    """
    ALL AND ANY AS BETWEEN BY CASE CHECK CONFLICT DEFAULT DISTINCT ELSE EXCEPT EXISTS FILTER FROM GROUP HAVING ILIKE IN
    INCLUDE INTERSECT INTO IS JOIN KEY LATERAL LIKE LIMIT MATERIALIZED NOT OFFSET ON OR ORDER OVER REFERENCES RETURNING
    SELECT SET SOME TABLE THEN UNION UNIQUE USING VALUES WHEN WHERE WITH
    """.split()  # noqa: SIM905 - a list of thirty lines reads worse
)
