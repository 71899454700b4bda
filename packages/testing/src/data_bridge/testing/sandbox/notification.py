"""What a NOTIFY of an emulated commit would have delivered."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Notification"]


class Notification(NamedTuple):
    """One notification of a test."""

    channel: str
    payload: str
