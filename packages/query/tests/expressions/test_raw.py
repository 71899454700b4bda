"""Trusted text: `$1` is a placeholder where PostgreSQL sees one, and text everywhere else."""

from __future__ import annotations

import re

import pytest

from data_bridge.query import raw, sql
from data_bridge.query.expressions.raw import split
from data_bridge.testing import TestDatabase

TEXTS = {
    "select $1::int": [1],
    "select '$1', $1::int": [1],
    'select "$2" from (select $1::int) as a("$2")': [1],
    "select $$ $2 $$, $1::int": [1],
    "select $a$ $2 $$ $a$, $1::int": [1],
    "select /* $2 /* $3 */ $4 */ $1::int": [1],
    "select -- $2\n $1::int": [1],
    "select -- $2\r $1::int": [1],
    "select e'\\' $2', $1::int": [1],
    "select U&'$2', $1::int": [1],
    "select a$2 from (select $1::int) as t(a$2)": [1],
    "select 'ü', '€', $1::int": [1],
    "select $1::int + $1": [1, 1],
    "select $2::int - $1::int": [2, 1],
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_placeholders_are_where_the_server_sees_them(db: TestDatabase, text: str) -> None:
    assert [piece for piece in split(text) if isinstance(piece, int)] == TEXTS[text]
    values = [10 * n for n in range(1, max(TEXTS[text]) + 1)]
    # The text of the caller and the one that is made of its pieces are the same statement.
    made = raw(text, *values)
    ours = await db.fetch(made.sql().sql, *made.sql().params, as_=tuple)
    assert ours == await db.fetch(text, *values, as_=tuple)


@pytest.mark.parametrize("text", ["select 'abc $1", 'select "a $1', "select /* $1", "select $$ $1"])
@pytest.mark.parametrize("make", [raw, sql])
def test_an_open_end_is_named(make: type, text: str) -> None:
    with pytest.raises(TypeError, match=re.escape("is not closed")):
        make(text, 1)


def test_other_texts_that_do_not_fit_their_values() -> None:
    with pytest.raises(TypeError, match=re.escape("uses [0] placeholders, but 1 values were given: $1 is the first")):
        sql("a = $0", 1)
    with pytest.raises(TypeError, match="uses no placeholders"):
        sql("a = '$1'", 1)
