"""The marker `db`, which says what database a test gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import pytest

from data_bridge.core import ConfigurationError
from data_bridge.core.transactions.isolation import IsolationLevel, level

__all__ = ["DESCRIPTION", "Wanted", "wanted_by"]

DESCRIPTION = (
    "db(isolation=None, reset_sequences=False, template='name', clock=None): for `db`, `committed` and `isolated_db`: the isolation"
    " level of the test's transaction, sequences set back afterwards, another session fixture than `db_template`;"
    " clock='live': NOW() of `db` is another one in each transaction of the code under test"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of the markers of a test; the nearest marker counts."""

    isolation: IsolationLevel | None = None
    reset_sequences: bool = False
    template: str | None = None
    clock: str | None = None


def wanted_by(node: Any) -> Wanted:
    """Read the markers of a test.

    Raises:
        pytest.UsageError: for an argument that does not exist, or a value that it does not take.
    """
    given: dict[str, Any] = {}
    for marker in node.iter_markers("db"):
        _check(node, marker.args, marker.kwargs)
        given = {**marker.kwargs, **given}
    try:
        given["isolation"] = level(given.get("isolation"))
    except (ConfigurationError, ValueError, TypeError) as error:
        raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.db(isolation=…): {error}") from None
    if given.get("clock") not in (None, "live"):
        raise pytest.UsageError(
            f"{node.nodeid}: @pytest.mark.db(clock={given['clock']!r}) is not clock='live'; db.freeze() stops it"
        )
    return Wanted(**given)


def _check(node: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(Wanted)]
    if positional:
        raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.db takes its arguments by name: {', '.join(known)}")
    for name in named:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}=?" if near else f"it takes {', '.join(known)}"
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.db has no argument {name!r}; {hint}")
