"""The tokenizer reads SQL text as the server's own lexer does (libpg_query)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.parser import ParseError, scan

from data_bridge.core._native import count_placeholders, first_word, tokenize

PIECES = (
    [*"' '' \\ $1 $$ $a$ $ -- /* */ ; x e' E' U&' u&\" \" B' X' N' é 1 1.5 . .. 0x1 ( ) - + :: = <> a$1 select _ $é$ % | @ ! # ?".split(), "\n", "\r", " "]
)  # fmt: skip
KINDS = {
    "SCONST": "string",
    "USCONST": "string",
    "BCONST": "string",
    "XCONST": "string",
    "PARAM": "parameter",
    "SQL_COMMENT": "line_comment",
    "C_COMMENT": "block_comment",
    "UIDENT": "quoted_identifier",
}


def of_the_server(text: str) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for token in scan(text):
        piece = text[token.start : token.end + 1]
        if token.name in KINDS:
            kind = "dollar_string" if piece.startswith("$") and token.name == "SCONST" else KINDS[token.name]
            found.append((kind, token.start, token.end + 1))
        elif token.name == "IDENT" and piece.startswith('"'):
            found.append(("quoted_identifier", token.start, token.end + 1))
    return found


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_it_agrees_with_the_server(text: str) -> None:
    try:
        expected = of_the_server(text)
    except ParseError:
        return
    # The server takes the N of N'…' for a keyword of its own.
    ours = [(k, a + 1, b) if k == "string" and text[a] in "nN" else (k, a, b) for k, a, b in tokenize(text)]
    assert [token for token in ours if token[0] in {*KINDS.values(), "dollar_string"}] == expected


@pytest.mark.parametrize(
    ("sql", "word", "count"),
    [
        ("/* a /* b */ c */ BEGIN", "begin", 0),
        ("--x\rSET a = $2", "set", 2),
        ("E'it\\'s $1', $3", "", 3),
        ("SELECT $a$ $$ $1 $$ $a$", "select", 0),
    ],
)
def test_first_word_and_placeholders(sql: str, word: str, count: int) -> None:
    assert (first_word(sql), count_placeholders(sql)) == (word, count)
