"""SQL text as logs show it: on one line and shortened, or on several lines and highlighted."""

from __future__ import annotations

from collections.abc import Iterator

from data_bridge.core._native import tokenize

__all__ = ["LIMIT", "one_line", "pieces", "readable", "without_constants"]

LIMIT = 500
"""Characters of a statement that a log line shows."""

_COMMENTS = frozenset({"line_comment", "block_comment"})
_TEXTS = frozenset({"string", "dollar_string", "unterminated"})
_CONSTANTS = _TEXTS | {"number"}
_CLAUSES = (
    "FROM WHERE GROUP HAVING ORDER LIMIT OFFSET UNION INTERSECT EXCEPT VALUES SET RETURNING LEFT RIGHT FULL INNER CROSS "
    "JOIN ON WINDOW FETCH FOR USING WHEN"
)
_NEW_LINE = frozenset(_CLAUSES.split())
_CONTINUES = {
    "JOIN": frozenset({"LEFT", "RIGHT", "FULL", "INNER", "CROSS", "OUTER"}),
    "UPDATE": frozenset({"FOR"}),
    "SET": frozenset({"UPDATE"}),
    "FROM": frozenset({"DELETE", "DISTINCT"}),
}
"""Words that stay on the line of the word before."""
_OTHERS = (
    "SELECT INSERT INTO UPDATE DELETE MERGE WITH AS AND OR NOT IN IS NULL ANY ALL EXISTS BETWEEN LIKE ILIKE CASE THEN ELSE END "
    "DISTINCT BY ASC DESC NULLS FIRST LAST OUTER LATERAL CONFLICT DO NOTHING DEFAULT TRUE FALSE BEGIN COMMIT ROLLBACK "
    "SAVEPOINT RELEASE TO COPY STDIN STDOUT LISTEN CREATE ALTER DROP TABLE INDEX"
)
_KEYWORDS = _NEW_LINE | frozenset(_OTHERS.split())
_BOLD, _GREEN, _YELLOW, _GREY, _PLAIN = "\x1b[1;34m", "\x1b[32m", "\x1b[33m", "\x1b[90m", "\x1b[0m"
_KINDS = {
    **dict.fromkeys(_TEXTS, "string"),
    **dict.fromkeys(_COMMENTS, "comment"),
    "number": "number",
    "parameter": "parameter",
}
_COLOURS = {"keyword": _BOLD, "comment": _GREY, "string": _GREEN, "number": _YELLOW, "parameter": _YELLOW}


def one_line(sql: str, limit: int = LIMIT) -> str:
    """The statement on one line, without comments and passwords, and with an ellipsis after `limit` characters.

    >>> one_line("SELECT 1  -- one")
    'SELECT 1'
    >>> one_line("ALTER ROLE shop PASSWORD 'secret'")
    "ALTER ROLE shop PASSWORD '…'"
    """
    # What is beyond the limit is not shown: a script of megabytes is not read to its end.
    text = "".join(_pieces(sql[: limit * 4])).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _pieces(sql: str) -> Iterator[str]:
    at, word = 0, ""
    for kind, start, end in tokenize(sql):
        if kind in _COMMENTS:
            continue
        if start > at and at:
            yield " "
        text = sql[start:end]
        yield "'…'" if kind in _TEXTS and word == "PASSWORD" else text.replace("\n", "\\n")
        at, word = end, text.upper()


def without_constants(text: str) -> str:
    """An expression of a query plan with `?` for each constant.

    >>> without_constants("(name = 'Ann'::text)")
    '(name = ?::text)'
    """
    kept: list[str] = []
    at = 0
    for kind, start, end in tokenize(text):
        kept += [text[at:start], "?" if kind in _CONSTANTS else text[start:end]]
        at = end
    return "".join(kept) + text[at:]


def readable(sql: str, *, colours: bool) -> str:
    """The statement with a line for each clause; keywords, texts and numbers in colour if asked for.

    >>> print(readable("SELECT a FROM t WHERE a = $1", colours=False))
    SELECT a
    FROM t
    WHERE a = $1
    """
    return "".join(_coloured(text, kind) if colours else text for text, kind in pieces(sql))


def pieces(sql: str) -> Iterator[tuple[str, str]]:
    """The text of the statement in pieces, with a line for each clause; the second text is the kind: keyword, comment, string,
    number, parameter, or empty for anything else.
    """
    at, depth, before = 0, 0, ""
    for kind, start, end in tokenize(sql):
        text, gap = sql[start:end], sql[at:start]
        word = text.upper() if kind == "word" else ""
        if kind == "symbol":
            depth += (text == "(") - (text == ")")
        is_clause = word in _NEW_LINE and depth == 0 and before not in _CONTINUES.get(word, frozenset())
        yield "\n" if is_clause and at else " " if gap.isspace() and "\n" not in gap else gap, ""
        secret = kind in _TEXTS and before == "PASSWORD"
        yield "'…'" if secret else text, "keyword" if word in _KEYWORDS else _KINDS.get(kind, "")
        at, before = end, word
    yield sql[at:], ""


def _coloured(text: str, kind: str) -> str:
    colour = _COLOURS.get(kind)
    return text if colour is None else f"{colour}{text}{_PLAIN}"
