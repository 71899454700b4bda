"""json_equals(): what it says of bytes and an object is what decoding the bytes would have said."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from data_bridge.core import json_equals

KEYS = st.sampled_from(["a", "b", "", "é", 'q"\\', "漢", "long " * 9, "1"])
TEXTS = st.sampled_from(["", "a", "b", "é\n", '"', "\\", "🎈", "tab\t", "\x1f"])
NUMBERS = st.sampled_from([0, 1, -1, 2**62, -(2**63), 10**30, 0.0, 1.0, 1.5, -2.5e-7, 1e22, 0.1 + 0.2])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def is_same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all through."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(is_same, a, b))
    return bool(a == b)


def has_big_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_big_number, value.values()))
    if isinstance(value, list):
        return any(map(has_big_number, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=VALUES, b=VALUES)
def test_the_verdict_is_that_of_decoding(a: Any, b: Any, rows: Any) -> None:
    text = json.dumps(a)
    wire, loaded = rows("SELECT pg_catalog.jsonb_send($1::text::jsonb), $1::text::jsonb", text)
    for other in (a, b, loaded):
        found = json_equals(wire, other)
        if found is None:
            assert has_big_number(other), (loaded, other)
        else:
            assert found == is_same(loaded, other), (loaded, other)


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("[1, 2]", (1, 2), True),  # a tuple is stored as a list
        ("[1, 2]", (1, 3), False),
        ("[1]", [1, 1], False),
        ("[1, 1]", [1], False),
        ("1", True, False),
        ("true", 1, False),
        ("0.0", -0.0, True),  # as in Python, and the server has no -0
        ("0.5", float("nan"), False),
        ('{"a": 1}', {"a": 1, "b": 2}, False),
        ('{"a": 1, "b": 2}', {"a": 1}, False),
        ('{"1": 1}', {1: 1}, None),  # the key is written as text
        ('{"a": 1}', {"a": 1, 2: 2}, None),
        ('{"a": 1}', OrderedDict(a=1), None),
        ("[1.5]", [Decimal("1.5")], None),
        ('["red"]', [Colour.RED], None),
        ('{"red": 1}', {Colour.RED: 1}, True),
        ('"\\ud83c\\udf88"', "🎈", True),
        ('"a"', "\ud83c", None),
        ("[" * 300 + "]" * 300, json.loads("[" * 300 + "]" * 300), None),
        ("{", {}, None),
        ('{"a" 1}', {"a": 1}, None),
        ("", None, None),
    ],
)
def test_only_plain_values_are_told(text: str, value: Any, expected: bool | None) -> None:
    assert json_equals(b"\x01" + text.encode(), value) is expected


def test_a_difference_is_told_before_what_nobody_knows() -> None:
    assert json_equals(b"\x01[1, 2]", [0, Decimal(2)]) is False


@pytest.mark.parametrize("wire", [b"", b"{}", b'{"a": 1}', b"\x02{}"])
def test_another_form_is_left_to_decoding(wire: bytes) -> None:
    # A `json` value is text without a version, and may have a key twice.
    assert json_equals(wire, {"a": 1}) is None
