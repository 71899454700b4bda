"""Comments that say where a statement comes from, in the format of sqlcommenter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from data_bridge.core.connection.observer import annotators
from data_bridge.core.errors import ConfigurationError

__all__ = ["Annotator", "add_annotator", "bare", "commented", "remove_annotator", "replaced"]

Annotator: TypeAlias = Callable[[], Mapping[str, str]]
"""Returns names and values for the statement that is about to run; it reads them from ContextVars."""

_log = logging.getLogger("data_bridge.annotators")
_MOST = 500
"""Different comments of a process. Each makes a prepared statement of its own of every text that it follows."""

_comments: dict[tuple[tuple[str, str], ...], str] = {}
_is_full = False


def add_annotator(annotator: Annotator, *, once: bool = False) -> None:
    """Adds comments to the statements of the whole process, as ``SELECT … /*route='%2Fusers'*/``.

    The server's log, `pg_stat_activity` and `auto_explain` show the comments; `pg_stat_statements` counts statements that
    differ in their comments as one. See https://google.github.io/sqlcommenter/spec/.

    Args:
        annotator: called for each statement. Its values are few, as a route or the name of a task: a text with another comment
            is another prepared statement. After 500 different comments no new ones are added, and the log says so.
        once: the values differ from call to call, as a `traceparent` does. The statement is not kept prepared then, which
            costs a round trip and a plan each time.

    >>> from contextvars import ContextVar
    >>> from data_bridge.core import add_annotator, remove_annotator
    >>> route: ContextVar[str | None] = ContextVar("route", default=None)
    >>> def of_route() -> dict[str, str]:
    ...     return {} if route.get() is None else {"route": route.get()}
    >>> add_annotator(of_route); remove_annotator(of_route)
    """
    annotators.append((annotator, once))


def remove_annotator(annotator: Annotator) -> None:
    """Ends `add_annotator`.

    Raises:
        ConfigurationError: it was not added.
    """
    for at, (known, _) in enumerate(annotators):
        if known == annotator:
            del annotators[at]
            return
    raise ConfigurationError("remove_annotator(): this function was not added")


def bare(ir: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the structure of a statement without its comments."""
    while ir[0] == "annotated":
        ir = ir[2]
    return ir


def replaced(ir: tuple[Any, ...], statement: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the structure of another statement with the comments of this one."""
    return (ir[0], ir[1], replaced(ir[2], statement), *ir[3:]) if ir[0] == "annotated" else statement


def commented(ir: tuple[Any, ...], search_path: str | None = None) -> tuple[Any, ...]:
    """The structure of a statement with the comment that the annotators make now, and with the search path."""
    path = {} if search_path is None else {"search_path": search_path}
    kept: dict[str, str] = {}
    unique: dict[str, str] = {}
    for annotator, once in annotators:
        try:
            (unique if once else kept).update(annotator())
        except Exception:
            _log.exception("an annotator failed")
    if unique:
        return ("annotated", _comment({**kept, **unique, **path}), ir, True)
    kept.update(path)
    if not kept:
        return ir
    comment = _kept_comment(tuple(sorted(kept.items())))
    if comment is None:
        # Without the path it would be the prepared statement of another schema.
        return ("annotated", _comment(path), ir, True) if path else ir
    return ("annotated", comment, ir, False)


def _kept_comment(pairs: tuple[tuple[str, str], ...]) -> str | None:
    global _is_full
    comment = _comments.get(pairs)
    if comment is None:
        if len(_comments) >= _MOST:
            if not _is_full:
                _is_full = True
                _log.warning(
                    "annotators made more than %d different comments: new ones are left out, as each makes prepared statements "
                    "of its own; values that differ from call to call need add_annotator(…, once=True)",
                    _MOST,
                )
            return None
        comment = _comments[pairs] = _comment(dict(pairs))
    return comment


def _comment(pairs: Mapping[str, str]) -> str:
    return ",".join(f"{quote(name, safe='')}='{quote(str(pairs[name]), safe='')}'" for name in sorted(pairs))
