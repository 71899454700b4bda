"""Near matches for names that do not exist."""

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
