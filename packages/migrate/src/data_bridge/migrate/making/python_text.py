"""Python source, laid out as ruff and black lay it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Atom", "Call", "Items", "Source", "Text", "laid_out", "string"]

_WIDTH = 88
_STEP = 4


@dataclass(frozen=True, slots=True)
class Atom:
    """Text that is not broken.

    Attributes:
        text: as it is.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call.

    Attributes:
        name: what is called.
        arguments: each with its keyword, or an empty one.
        behind: what follows the closing bracket, such as `.desc()`.
    """

    name: str
    arguments: tuple[tuple[str, Source], ...]
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple or a list.

    Attributes:
        brackets: the opening and the closing one.
        items: in order.
        comments: the lines above each item, where there are any.
        is_broken: whether every item has a line of its own, however short they are.
    """

    brackets: str
    items: tuple[Source, ...]
    comments: tuple[Sequence[str], ...] = ()
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, in a piece for each of its lines where it does not fit into one.

    Attributes:
        text: what it says.
    """

    text: str


Source = Atom | Call | Items | Text


def string(text: str) -> str:
    """A string literal in the quotes that need fewer escapes, double ones where both are alike.

    >>> print(string("it's"), string('a "b"'))
    "it's" 'a "b"'
    """
    inner = repr(text + "'\"")[1:-1].removesuffix("\\'\"").replace("\\'", "'")
    if inner.count('"') > inner.count("'"):
        return "'" + inner.replace("'", "\\'") + "'"
    return '"' + inner.replace('"', '\\"') + '"'


def _flat(source: Source) -> str:
    match source:
        case Atom(text):
            return text
        case Text(text):
            return string(text)
        case Call(name, arguments, behind):
            made = ", ".join(f"{keyword}={_flat(v)}" if keyword else _flat(v) for keyword, v in arguments)
            return f"{name}({made}){behind}"
        case Items(brackets, items):
            comma = "," if brackets == "()" and len(items) == 1 else ""
            return f"{brackets[0]}{', '.join(map(_flat, items))}{comma}{brackets[1]}"


def _is_broken(source: Source) -> bool:
    """Whether something in it has a comment, which needs lines."""
    match source:
        case Atom() | Text():
            return False
        case Call(_, arguments):
            return any(_is_broken(value) for _, value in arguments)
        case Items(_, items, comments, is_broken):
            return is_broken or any(comments) or any(map(_is_broken, items))


def laid_out(source: Source, indent: int = 0, taken: int = 0) -> str:
    """The source in lines; `taken` is what stands before it in its first line, or behind it in its last.

    >>> print(laid_out(Items("[]", (Atom("1" * 50), Atom("2" * 50)))))
    [
        11111111111111111111111111111111111111111111111111,
        22222222222222222222222222222222222222222222222222,
    ]
    """
    flat = _flat(source)
    if isinstance(source, Atom) or (indent + taken + len(flat) <= _WIDTH and not _is_broken(source)):
        return flat
    if isinstance(source, Text):
        # Behind a keyword the pieces would need brackets.
        return flat if taken > 1 else f"\n{' ' * indent}".join(map(string, source.text.splitlines(keepends=True)))
    inside = " " * (indent + _STEP)
    lines: list[str] = []
    if isinstance(source, Call):
        if not source.arguments:
            return flat
        for keyword, value in source.arguments:
            before = f"{keyword}=" if keyword else ""
            lines.append(f"{inside}{before}{laid_out(value, indent + _STEP, len(before) + 1)},")
        return "\n".join([f"{source.name}(", *lines, f"{' ' * indent}){source.behind}"])
    if not source.items:
        return flat
    for i, item in enumerate(source.items):
        above = source.comments[i] if source.comments else ()
        lines += [f"{inside}# {comment}" for comment in above]
        lines.append(f"{inside}{laid_out(item, indent + _STEP, 1)},")
    return "\n".join([source.brackets[0], *lines, " " * indent + source.brackets[1]])
