"""Findings that a comment allows: `-- lint: allow L07: the table has ten rows`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WAIVER = re.compile(
    r"(?:--|#)\s*lint:\s*allow(?P<file>-file)?\s+(?P<rules>L\d\d(?:\s*,\s*L\d\d)*)\s*(?::\s*(?P<reason>\S.*?))?\s*$"
)
_COMMENT = re.compile(r"^\s*(?:--|#)")


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment that allows rules.

    Attributes:
        line: where it stands.
        rules: which it allows.
        reason: why; without one it allows nothing.
        whole_file: whether it is about the whole file.
    """

    line: int
    rules: frozenset[str]
    reason: str
    whole_file: bool


class Suppressions:
    """The suppressions of a text.

    >>> found = Suppressions("-- lint: allow L07: ten rows\\nALTER TABLE t ADD CHECK (a > 0);")
    >>> found.reason("L07", 2), found.reason("L09", 2)
    ('ten rows', None)
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self.all: list[Suppression] = []
        for number, line in enumerate(self._lines, 1):
            match = _WAIVER.search(line)
            if match is not None:
                rules = frozenset(r.strip() for r in match["rules"].split(","))
                self.all.append(Suppression(number, rules, match["reason"] or "", match["file"] is not None))

    def reason(self, rule: str, line: int) -> str | None:
        """Why a finding in a line is allowed: said in that line, in the comments just above it, or for the whole file."""
        lines = {line}
        above = line - 1
        while 0 < above <= len(self._lines) and _COMMENT.match(self._lines[above - 1]):
            lines.add(above)
            above -= 1
        for suppression in self.all:
            if (
                rule in suppression.rules
                and suppression.reason
                and (suppression.whole_file or suppression.line in lines)
            ):
                return suppression.reason
        return None
