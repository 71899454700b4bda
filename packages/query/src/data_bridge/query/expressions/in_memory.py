"""Expressions evaluated in memory: PostgreSQL's answer for a row, with its three-valued logic (None is NULL).

For filters on events, permission checks and tests. What depends on the server (the order of text under a collation, the
clock, functions of its own) is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .evaluation import BINARY, CALLS, COMPARE, UNARY, CText, NotEvaluable, compare, same
from .json_evaluation import Json, cast_to, json_length, json_operator, json_text, member, plain
from .origins import sources_in

__all__ = ["compiled"]

Row = Any
Evaluate = Callable[[Row], Any]


def compiled(s: Any, p: tuple[Any, ...]) -> Evaluate:
    """A function from a row (a mapping, or an object with attributes) to the value of the expression.

    >>> from data_bridge.query import column, table
    >>> age = table("users", column("age", int)).age
    >>> compiled((age > 25).s, (25,))({"age": 30})
    True
    """
    values = iter(p)
    made = _node(s, values)
    if next(values, None) is not None:
        raise NotEvaluable("the expression has more values than places for them")  # pragma: no cover - never built so

    def evaluate(row: Row) -> Any:
        found = made(row)
        return found.value if isinstance(found, Json) else found

    return evaluate


def _node(s: Any, values: Iterator[Any]) -> Evaluate:
    """Values are taken in the order of the structure, so every part is compiled even where its result is not needed."""
    if s == "$" or s[0] == "$":
        value = next(values)
        return lambda _: value
    tag = s[0]
    if tag == "col":
        return _column(s)
    if tag in _CONSTANTS:
        constant = _CONSTANTS[tag]
        return lambda _: constant
    if tag == "is":
        if type(s[1]) is tuple and s[1][0] == "->>":
            # Whether there is text does not need its spelling.
            return _is(_strict(plain, _looked_up(("->", *s[1][1:]), values)), s[2])
        return _is(_node(s[1], values), s[2])
    if tag == "case":
        return _case(s, values)
    if tag == "call":
        return _call(s[1], [_node(part, values) for part in s[2:]])
    if tag == "between":
        part, low, high = (_node(child, values) for child in s[1:4])
        return _between(part, low, high, s[4] if len(s) > 4 else None)
    if tag in ("in", "not in"):
        if s[2][0] != "list":
            raise NotEvaluable("a subquery is evaluated by the server only")
        left, items = _node(s[1], values), [_node(part, values) for part in s[2][1:]]
        return _quantified(
            COMPARE["="], left, lambda row: [item(row) for item in items], negated=tag == "not in", every=False
        )
    if tag in COMPARE and type(s[2]) is tuple and s[2][0] in ("any", "all"):
        left, right = _node(s[1], values), _node(s[2][1], values)
        one = json_operator(tag) if _is_json(s[1]) else COMPARE[tag]
        return _quantified(one, left, right, negated=False, every=s[2][0] == "all")
    if tag in ("and", "or"):
        return _logic(tag, [_node(part, values) for part in s[1:]])
    if tag == "collate" and s[2] == "C":
        # Only under C is the order of text that of its code points, in memory as on the server.
        inner = _node(s[1], values)
        return lambda row: CText(text) if isinstance(text := inner(row), str) else text
    if tag in ("->", "->>", "#>>"):
        return _looked_up(s, values)
    if tag == "cast":
        return _cast(s, values)
    if tag in _JSON or ((tag in COMPARE or tag in BINARY) and any(_is_json(part) for part in s[1:3])):
        left, right = _node(s[1], values), _node(s[2], values)
        return _strict(json_operator(tag), left, right)
    if tag in UNARY:
        return _strict(UNARY[tag], _node(s[1], values))
    if tag in COMPARE or tag in BINARY:
        if len(s) > 3:
            raise NotEvaluable(f"{tag} with an escape character is evaluated by the server only")
        return _strict(COMPARE.get(tag) or BINARY[tag], _node(s[1], values), _node(s[2], values))
    if tag in ("distinct", "not distinct") and not any(_is_json(part) for part in s[1:3]):
        left, right, wanted = _node(s[1], values), _node(s[2], values), tag == "not distinct"
        return lambda row: same(left(row), right(row)) is wanted
    raise NotEvaluable(f"{tag!r} is evaluated by the server only")


_CONSTANTS: dict[str, Any] = {"null": None, "true": True, "false": False}


def _column(s: Any) -> Evaluate:
    name: str = s[2]
    source = sources_in(s)
    key = source.columns[name].__column__.key if source is not None and name in source.columns else name

    def read(row: Row) -> Any:
        if isinstance(row, Mapping):
            return row[name] if name in row else row[key]  # pyright: ignore[reportUnknownVariableType]
        return getattr(row, key)

    if not _is_json(s):
        return read

    def read_document(row: Row) -> Any:
        value = read(row)
        return None if value is None else Json(plain(value))

    return read_document


_JSON = frozenset({"?", "?|", "?&", "@?", "@@"})


def _is_json(s: Any) -> bool:
    """Whether a structure is jsonb."""
    if type(s) is not tuple or not s:
        return False
    if s[0] in ("->", "cast"):
        return s[0] == "->" or s[2] in ("json", "jsonb")
    source = sources_in(s) if s[0] == "col" else None
    of = None if source is None or s[2] not in source.columns else source.columns[s[2]].t
    return of is not None and of.family == "json"


def _looked_up(s: Any, values: Iterator[Any]) -> Evaluate:
    document = _node(s[1], values)
    if s[0] == "#>>":
        path = _node(s[2], values)

        def whole(row: Row) -> Any:
            if path(row):
                raise NotEvaluable("#>> with a path is evaluated by the server only")
            value = document(row)
            return None if value is None else json_text(value)

        return whole
    key = _key(s[2], values)
    found = _strict(member, document, key)
    return found if s[0] == "->" else _strict(json_text, found)


def _key(s: Any, values: Iterator[Any]) -> Evaluate:
    """The name or position behind ->; of documents whose model is known it stands in the text."""
    if type(s) is tuple and s[0] == "raw":
        text = str(s[1])  # pyright: ignore[reportUnknownArgumentType]
        if len(s) > 2 or not (text.lstrip("-").isdigit() or (text[:1] == "'" and text[-1:] == "'")):  # pyright: ignore[reportUnknownArgumentType]
            raise NotEvaluable("raw SQL is evaluated by the server only")
        key: Any = text[1:-1].replace("''", "'") if text[0] == "'" else int(text)

        def known(_: Row) -> Any:
            return key

        return known
    return _node(s, values)


def _cast(s: Any, values: Iterator[Any]) -> Evaluate:
    if s[2] in ("json", "jsonb"):
        raise NotEvaluable(f"a cast to {s[2]} is evaluated by the server only")
    return _strict(cast_to(s[2]), _node(s[1], values))


def _strict(apply: Callable[..., Any], *parts: Evaluate) -> Evaluate:
    """NULL in, NULL out."""
    if len(parts) == 1:
        (only,) = parts
        return lambda row: None if (value := only(row)) is None else apply(value)
    left, right = parts

    def both(row: Row) -> Any:
        a, b = left(row), right(row)
        return None if a is None or b is None else apply(a, b)

    return both


def _logic(word: str, parts: list[Evaluate]) -> Evaluate:
    # FALSE decides an AND and TRUE an OR, whatever NULLs there are beside it.
    decides = word == "or"

    def joined(row: Row) -> bool | None:
        results = [part(row) for part in parts]
        if any(result is decides for result in results):
            return decides
        return None if any(result is None for result in results) else not decides

    return joined


def _is(part: Evaluate, what: str) -> Evaluate:
    word = what.removeprefix("not ")
    wanted = {"null": None, "unknown": None, "true": True, "false": False}
    if word not in wanted:
        raise NotEvaluable(f"IS {what.upper()} is evaluated by the server only")
    target, negated = wanted[word], what.startswith("not ")
    return lambda row: (part(row) is target) is not negated


def _case(s: Any, values: Iterator[Any]) -> Evaluate:
    operand = None if s[1] is None else _node(s[1], values)
    whens = [(_node(when, values), _node(then, values)) for when, then in s[2]]
    otherwise = _node(s[3], values) if len(s) > 3 and s[3] is not None else _CONSTANTS.get

    def decide(row: Row) -> Any:
        for when, then in whens:
            found = when(row)
            if operand is not None:
                value = operand(row)
                found = None if value is None or found is None else compare(value, found) == 0
            if found is True:
                return then(row)
        return otherwise(row)

    return decide


def _between(part: Evaluate, low: Evaluate, high: Evaluate, mode: str | None) -> Evaluate:
    def inside(value: Any, a: Any, b: Any) -> bool | None:
        above = None if value is None or a is None else compare(value, a) >= 0
        below = None if value is None or b is None else compare(value, b) <= 0
        return False if above is False or below is False else None if above is None or below is None else True

    def within(row: Row) -> bool | None:
        value, a, b = part(row), low(row), high(row)
        found = inside(value, a, b)
        if mode in ("symmetric", "not symmetric") and found is not True:
            turned = inside(value, b, a)
            found = True if turned is True else None if turned is None or found is None else False
        return found if found is None or not (mode or "").startswith("not") else not found

    return within


def _quantified(
    compare: Callable[[Any, Any], bool], left: Evaluate, right: Evaluate, *, negated: bool, every: bool
) -> Evaluate:
    def decide(row: Row) -> bool | None:
        value, items = left(row), right(row)
        if items is None:
            return None
        results = [None if value is None or item is None else compare(value, item) for item in items]
        decided = not every
        found = decided if any(r is decided for r in results) else None if None in results else every
        return found if found is None or not negated else not found

    return decide


def _coalesce(*parts: Evaluate) -> Evaluate:
    return lambda row: next((value for part in parts if (value := part(row)) is not None), None)


def _call(name: Any, parts: list[Evaluate]) -> Evaluate:
    if name == "coalesce":
        return _coalesce(*parts)
    known = json_length if name == "jsonb_array_length" else CALLS.get(name)
    if known is None or len(parts) > 2:
        raise NotEvaluable(f"{name}() is evaluated by the server only")
    return _strict(known, *parts)
