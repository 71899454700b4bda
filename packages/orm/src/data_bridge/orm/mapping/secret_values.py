"""Values of `SecretStr` and `SecretBytes` columns on their way to the server, which logs recognise and mask."""

from __future__ import annotations

__all__ = ["SecretOctets", "SecretText"]

_MASK = "**********"


class SecretText(str):
    """Text that no log shows."""

    __slots__ = ()
    is_secret = True

    def __repr__(self) -> str:
        return f"SecretText({_MASK!r})"


class SecretOctets(bytes):
    """Bytes that no log shows."""

    __slots__ = ()
    is_secret = True

    def __repr__(self) -> str:
        return f"SecretOctets({_MASK!r})"
