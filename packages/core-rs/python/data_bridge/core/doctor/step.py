"""One step of an examination and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Failed", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step found.

    Attributes:
        name: dsn, password, dns, tcp, tls, pg_hba, authentication, role, database, connections, session, server or pooler.
        status: ok, warning or failed.
        detail: what is so.
        cure: what to do about it; empty for ok.
    """

    name: str
    status: Literal["ok", "warning", "failed"]
    detail: str
    cure: str = ""

    def line(self) -> str:
        """The step on one line."""
        text = f"{self.status:<8}{self.name:<16}{self.detail}"
        return f"{text} -> {self.cure}" if self.cure else text


class Failed(Exception):
    """The step after which no further one makes sense."""

    def __init__(self, name: str, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.step = Step(name, "failed", detail, cure)
