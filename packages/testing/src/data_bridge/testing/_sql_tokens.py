"""The tokens of an SQL text, as data_bridge.core reads them, with operators in one piece."""

from __future__ import annotations

import re
from collections.abc import Iterator

from data_bridge.core._native import first_word, tokenize

__all__ = ["first_word", "tokens", "words"]

KINDS = {
    "word": "name",
    "quoted_identifier": "name",
    "string": "string",
    "dollar_string": "dollar",
    "parameter": "parameter",
    "number": "number",
    "line_comment": "space",
    "block_comment": "space",
    "semicolon": "sign",
    "unterminated": "unterminated",
}
SIGN = re.compile(r"::|[<>=!~@#%^&|?+*/:-]+|.", re.DOTALL)


def words(sql: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of every token that is neither white space nor a comment.

    Kinds are name, string, dollar, parameter, number, sign, and unterminated for what has no end.

    >>> [text for _, text in words("SELECT 'it''s' -- a comment")]
    ['SELECT', "'it''s'"]
    """
    return (found for found in tokens(sql) if found[0] != "space")


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of every token, white space and comments (kind "space") included: joined, the texts are the SQL.

    >>> [text for _, text in tokens("a->>'b' ::text")]
    ['a', '->>', "'b'", ' ', '::', 'text']
    """
    at = 0
    signs = 0  # where a run of symbols begins that nothing divides
    for kind, start, end in tokenize(sql):
        if kind == "symbol" and start == at:
            at = end
            continue
        if signs < at:
            yield from (("sign", found[0]) for found in SIGN.finditer(sql, signs, at))
        if at < start:
            yield "space", sql[at:start]
        signs, at = start, end
        if kind != "symbol":
            yield KINDS[kind], sql[start:end]
            signs = end
    if signs < at:
        yield from (("sign", found[0]) for found in SIGN.finditer(sql, signs, at))
    if at < len(sql):
        yield "space", sql[at:]
