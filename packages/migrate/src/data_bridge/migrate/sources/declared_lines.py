"""Where the operations of a migration stand in its file, for messages that name a line."""

from __future__ import annotations

import ast
import inspect
from functools import lru_cache
from typing import Any, cast

__all__ = ["declared_lines"]


def declared_lines(migration: type[Any], attribute: str) -> list[int]:
    """The line of every element of a list in the body of a class; nothing where it is made in another way."""
    return _lines(cast(Any, migration), attribute)


@lru_cache(maxsize=64)
def _lines(migration: Any, attribute: str) -> list[int]:
    try:
        source, start = inspect.getsourcelines(migration)
        tree = ast.parse(inspect.cleandoc("\n" + "".join(source)) if source[0][:1].isspace() else "".join(source))
    except (OSError, TypeError, SyntaxError, IndexError):  # a shell, a notebook
        return []
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == attribute for t in targets):
            value = node.value  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(value, ast.List | ast.Tuple):
                return [start - 1 + element.lineno for element in value.elts]
    return []
