"""Something that `data-bridge check` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding.

    Attributes:
        rule: which rule found it, as `foreign-key-without-index`.
        severity: error: statements fail or data is in danger; warning: it will hurt.
        object: the table, index, sequence, setting, class or query.
        message: what is so.
        hint: what to do, or the page of the manual.
    """

    rule: str
    severity: Literal["error", "warning"]
    object: str
    message: str
    hint: str

    def line(self) -> str:
        """The finding on one line."""
        return f"{self.severity:<8} {self.rule:<26} {self.object}: {self.message} -> {self.hint}"
