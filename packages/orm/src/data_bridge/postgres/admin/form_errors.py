"""Errors at the fields of a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from starlette_admin.exceptions import FormValidationError

from data_bridge.core.errors import DataBridgeError, RevisionConflict
from data_bridge.postgres.asgi import problem_of

__all__ = ["STALE", "form_error"]

STALE = "Another session has changed this row since the form was opened. Nothing was saved: open the form again."


def form_error(
    error: Exception, shown: Iterable[str], places: Mapping[str, str], revision: str | None
) -> FormValidationError | None:
    """Returns what a form shows for an error of Pydantic or of the database; None for one that no input corrects.

    Args:
        error: what was raised.
        shown: the names of the fields of the form; what concerns none of them stands at the first.
        places: the field of the form for other names, such as the link for its column.
        revision: the field that tells a stale form.
    """
    names = list(shown)
    found: dict[str | int, Any] = {}

    def put(name: str, text: str) -> None:
        name = places.get(name, name)
        if name not in names:
            name, text = names[0], f"{name}: {text}" if name else text
        found[name] = f"{found[name]}; {text}" if name in found else text

    if isinstance(error, ValidationError):
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            first, *inner = one["loc"] or ("",)
            where = ".".join(map(str, inner))
            put(str(first), f"{where}: {one['msg']}" if where else one["msg"])
        return FormValidationError(found)
    if isinstance(error, RevisionConflict) and revision is not None:
        return FormValidationError({revision: STALE})
    problem = problem_of(error) if isinstance(error, DataBridgeError) else None
    if problem is None or problem.status not in (404, 409, 422):
        return None
    for name in problem.fields or ("",):
        put(name, problem.messages.get(name, problem.title))
    return FormValidationError(found)
