"""The journal of a transaction, with what the code under test registers shown to the test."""

from __future__ import annotations

from data_bridge.core.transactions.journal import Callback, Journal

__all__ = ["ShownJournal"]


class ShownJournal(Journal):
    """The journal that blocks inside this transaction share, with its callbacks shown to the test."""

    __slots__ = ("_shown",)

    def __init__(self, shown: list[Callback]) -> None:
        super().__init__()
        self._shown = shown

    def on_commit(self, callback: Callback) -> None:
        """Shows the callback to the test, and keeps it for the commit."""
        self._shown.append(callback)
        super().on_commit(callback)
