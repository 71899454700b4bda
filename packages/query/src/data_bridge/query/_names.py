"""Names that do not exist, with near matches, and names that are too long for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable


def unknown(name: str, kind: str, known: Iterable[str], where: str) -> str:
    """The message for an unknown name, with the nearest one that exists.

    >>> unknown("names", "column", ["id", "name"], "users")
    "users has no column 'names': did you mean 'name'?"
    """
    # For start-up time: difflib is slow to import, and needed only when something is wrong.
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name, names, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
    return f"{where} has no {kind} {name!r}: {hint}"


def digest(name: bytes, algorithm: str = "sha1") -> str:
    """The hexadecimal digest by which names that have to be cut stay distinct.

    >>> digest(b"users")[:12]
    '5b7dcd14a4fa'
    """
    # For start-up time: few names are too long.
    from hashlib import new

    return new(algorithm, name, usedforsecurity=False).hexdigest()
