"""The lines that divide an SQL file: `-- up`, `-- down`, and those of other tools.

A mark is a comment with a line for itself, outside of strings, quotes and other comments. Comments steer what runs, so none is
guessed: a line that looks like a mark and is none that is known is an error, as is everything of which a part would not run.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from data_bridge.core.errors import MigrationError
from data_bridge.migrate._sql_lexer import Comment, comments, first_statement

_OPTION = r"(?:no[-_ ]transaction|(?:transaction|atomic)[ \t]*[:=][ \t]*false)"


class Mark(NamedTuple):
    """A line that begins a section.

    Attributes:
        direction: up or down.
        tool: whose mark it is.
        comment: the line.
        alone: whether it says that the section's statements run outside of a transaction.
        closes: whether what stands above it is the up section.
    """

    direction: str
    tool: str
    comment: Comment
    alone: bool = False
    closes: bool = False


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_MARKS = (
    ("data-bridge", _pattern(rf"--[ \t]*[@+]?[ \t]*(up|down)[ \t:=\-]*(?P<alone>{_OPTION})?")),
    ("dbmate", _pattern(r"--[ \t]*migrate:(up|down)(?:[ \t]+transaction:(?:true|(?P<alone>false)))?")),
    ("goose", _pattern(r"--[ \t]*\+goose[ \t]+(up|down)")),
    ("sql-migrate", _pattern(r"--[ \t]*\+migrate[ \t]+(up|down)(?P<alone>[ \t]+notransaction)?")),
    ("micrate", _pattern(r"--[ \t]*\+micrate[ \t]+(up|down)")),
    ("node-pg-migrate", _pattern(r"--[ \t]*(up|down)[ \t]+migration")),
    ("rambler", _pattern(r"--[ \t]*rambler[ \t]+(up|down)")),
)
_CLOSING = (
    ("tern", _pattern(r"-{2,}[ \t]*create above[ \t]*/[ \t]*drop below[ \t]*-*")),
    ("MyBatis Migrations", _pattern(r"--[ \t]*//[ \t]*@undo")),
)
_ALONE = _pattern(
    rf"--[ \t]*{_OPTION}|--[ \t]*\+goose[ \t]+no[ \t]+transaction|-{{2,}}[ \t]*tern:[ \t]*disable-tx[ \t]*-*"
    r"|--[ \t]*atlas:txmode[ \t]+none"
)
_HARMLESS = _pattern(r"--[ \t]*\+(?:goose|migrate|micrate)[ \t]+(?:statementbegin|statementend|envsub[ \t]+off)")
_LIQUIBASE = _pattern(
    r"--[ \t]*(?:liquibase[ \t]+formatted|changeset[ \t]+\S+:\S|"
    r"rollback[ \t]+(?:drop|alter|delete|create|update|insert|truncate|revoke|grant)\b)"
)
_REFUSED = (
    (_pattern(r"--[ \t]*\+goose[ \t]+envsub\b"), "goose puts environment variables into this text, data-bridge does not: write the values"),
    (_pattern(r"--[ \t]*\+(?:goose|migrate|micrate)\b"), "goose and sql-migrate have no such annotation that data-bridge knows"),
    (_pattern(r"--[ \t]*migrate:"), "dbmate has no such section that data-bridge knows"),
    (_pattern(r"--[ \t]*(?://[ \t]*)?@delimiter\b"), "MyBatis divides this text by a delimiter of its own: end each statement with ;"),
    (_LIQUIBASE, "Liquibase divides this text into changesets: write one file for each, with -- up and -- down"),
    (_pattern(r"-{2,}[ \t]*!(?:ups|downs)\b"), "this is an evolution of Play: write -- up and -- down"),
    (_pattern(r"--[ \t]*atlas:delimiter\b"), "Atlas divides this text by a delimiter of its own: end each statement with ;"),
    (_pattern(r"--[ \t]*atlas:txmode\b"), "Atlas has no such mode that data-bridge knows: write -- no-transaction, or nothing"),
)  # fmt: skip
_UP = frozenset({"up", "ups", "upgrade", "forward", "forwards", "apply", "do", "migrate"})
_DOWN = frozenset({"down", "downs", "downgrade", "backward", "backwards", "revert", "undo", "rollback"})
_AROUND = frozenset(
    {"migration", "migrations", "migrate", "script", "scripts", "section", "part", "sql", "begin", "start", "end"}
    | {"the", "goose", "schema", "statements"}
)
_LABEL = _pattern(r"\W*(up|down)(?:grade)?[ \t]*(?:[:=(\[/|>]|[-–—]+(?:[ \t]|$)).*")
_WORD = re.compile(r"[^\W\d_]+")
_NEAR_OPTION = _pattern(r"--.*\b(?:transaction|atomic)[ \t]*[:=][ \t]*false\b.*")
_IRREVERSIBLE = _pattern(r"--[ \t]*irreversible[ \t]*:[ \t]*(\S.*)")
_STEERING = re.compile(
    r"(?:^|\r)[ \t]*--.*?(?:up|down|transaction|notrans|atomic|undo|goose|migrat|micrate|revert|rollback|forward|backward|apply|\bdo\b|"
    r"changeset|liquibase|delimiter|disable-tx|txmode|irreversible|drop below)",
    re.IGNORECASE | re.MULTILINE,
)  # fmt: skip


def is_steered(text: str) -> bool:
    """Whether a comment of a text may steer how it runs: most texts need not be read for that."""
    return _STEERING.search(text) is not None


def mark_of(comment: Comment) -> Mark | None:
    """The mark that a comment is, or None."""
    text = comment.text
    for tool, pattern in _MARKS:
        found = pattern.fullmatch(text)
        if found is not None:
            alone = found.groupdict().get("alone") is not None
            return Mark(found[1].lower(), tool, comment, alone)
    for tool, pattern in _CLOSING:
        if pattern.fullmatch(text):
            return Mark("down", tool, comment, closes=True)
    return None


def is_option(comment: Comment) -> bool:
    """Whether a comment says that statements run outside of a transaction."""
    return _ALONE.fullmatch(comment.text) is not None


def directions_of(comment: Comment) -> frozenset[str]:
    """The directions that a comment seems to begin, other than by a known mark."""
    words = {w.lower() for w in _WORD.findall(comment.text)}
    label = _LABEL.fullmatch(comment.text)
    if label is not None:
        return frozenset({label[1].lower()})
    if not words or not words <= _UP | _DOWN | _AROUND:
        return frozenset()
    found = {"up"} if words & _UP - {"migrate", "do", "apply"} or words in ({"do"}, {"apply"}) else set[str]()
    return frozenset(found | ({"down"} if words & _DOWN else set()))


def irreversible_of(comment: Comment) -> str:
    """Why the migration is irreversible, if a comment says so; else an empty text."""
    said = _IRREVERSIBLE.fullmatch(comment.text)
    return said[1].strip() if said is not None else ""


def _annotation(comment: Comment) -> str | None:
    """Why a comment that says something to another tool is an error, if so."""
    if _HARMLESS.fullmatch(comment.text):
        return None
    return next((f"{comment.text!r}: {why}" for pattern, why in _REFUSED if pattern.match(comment.text)), None)


def _refusal(comment: Comment) -> str | None:
    """Why a comment that is not a known mark is an error, if so."""
    if _HARMLESS.fullmatch(comment.text):
        return None
    if why := _annotation(comment):
        return why
    if not comment.inside and directions_of(comment):
        return (
            f"{comment.text!r} looks like the mark of a section, but is none that is known: write -- up or -- down in a line "
            "for itself, or say it in other words"
        )
    return None


class Divided(NamedTuple):
    """A file by its sections.

    Attributes:
        marks: in the order of the text.
        alone: whether an option before the first mark or statement holds for the whole file.
        irreversible: why there is no way back, or an empty text.
    """

    marks: list[Mark]
    alone: bool
    irreversible: str


def divide(text: str) -> Divided:
    """The marks and options of a file.

    Raises:
        MigrationError: a part of the file would not run, or a comment cannot be understood.

    >>> [m.direction for m in divide("-- migrate:up\\nselect 1;\\n-- migrate:down\\nselect 2;").marks]
    ['up', 'down']
    """
    if not is_steered(text):
        return Divided([], False, "")
    marks: list[Mark] = []
    alone = False
    irreversible = ""
    for comment in comments(text):
        mark = mark_of(comment)
        if mark is not None:
            marks.append(mark)
            continue
        if is_option(comment):
            alone = _option_in_place(comment, text, marks) or alone
            continue
        if said := irreversible_of(comment):
            irreversible = irreversible or said
            continue
        why = _refusal(comment)
        is_near = why is None and _NEAR_OPTION.fullmatch(comment.text) is not None
        if is_near and first_statement(text[: comment.start]) is None:
            why = f"{comment.text!r}: an option has a line for itself, such as -- no-transaction"
        if why is not None:
            raise MigrationError(f"line {comment.line}: {why}")
    _check(marks, text)
    return Divided(marks, alone, irreversible)


def _option_in_place(comment: Comment, text: str, marks: list[Mark]) -> bool:
    """True for an option of the whole file, False for one of a section.

    Raises:
        MigrationError: statements stand before it.
    """
    since = marks[-1].comment.end if marks else 0
    if first_statement(text[since : comment.start]) is not None:
        raise MigrationError(
            f"line {comment.line}: {comment.text!r} stands behind a statement: write it at the top of the file or of the section"
        )
    return not marks


def _check(marks: list[Mark], text: str) -> None:
    seen: dict[str, Mark] = {}
    for mark in marks:
        line = mark.comment.line
        if mark.comment.inside:
            raise MigrationError(
                f"line {line}: {mark.comment.text!r} stands inside a statement: a parenthesis before it is not closed"
            )
        other = next(iter(seen.values()), None)
        if other is not None and other.tool != mark.tool:
            raise MigrationError(
                f"line {line}: {mark.comment.text!r} is a mark of {mark.tool}, but line {other.comment.line} has one of {other.tool}"
            )
        before = seen.get(mark.direction)
        if before is not None:
            raise MigrationError(
                f"line {line}: a second {mark.direction} section (the first begins in line {before.comment.line}): put both into one"
            )
        seen[mark.direction] = mark
    if not marks:
        return
    first = marks[0]
    if first.closes:
        return
    if "up" not in seen:
        raise MigrationError(
            f"line {first.comment.line}: {first.comment.text!r} has no up section: write -- up above the statements to apply"
        )
    head = first_statement(text[: first.comment.start])
    if head is not None:
        line = text.count("\n", 0, head) + 1
        raise MigrationError(
            f"line {line}: what stands before the first mark (line {first.comment.line}, {first.comment.text!r}) belongs to "
            "no section and would not run: move it below"
        )


def one_way(text: str, direction: str) -> None:
    """Checks a file whose name says its direction.

    Raises:
        MigrationError: it has a section for the other direction, which would run with the rest.
    """
    if not is_steered(text):
        return
    for comment in comments(text):
        mark = mark_of(comment)
        other = "down" if direction == "up" else "up"
        if mark is not None:
            is_heading = mark.direction == direction and first_statement(text[: comment.start]) is None
            if not is_heading:
                raise MigrationError(
                    f"line {comment.line}: {comment.text!r} begins a section, but the whole file is the {direction} part by its name"
                )
        elif is_option(comment):
            _option_in_place(comment, text, [])
        elif why := _annotation(comment):
            raise MigrationError(f"line {comment.line}: {why}")
        elif directions_of(comment) == frozenset((other,)) and not comment.inside:
            raise MigrationError(
                f"line {comment.line}: {comment.text!r} looks like the mark of a section, but the whole file is the {direction} "
                "part by its name: say it in other words"
            )


def is_atomic(text: str) -> bool:
    """Whether no comment before a section's first statement says that its statements run outside of a transaction."""
    if not is_steered(text):
        return True
    options = [c for c in comments(text) if is_option(c)]
    return not options or first_statement(text[: options[0].start]) is not None
