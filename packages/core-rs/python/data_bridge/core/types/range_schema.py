"""How Pydantic validates and dumps a range.

Core does not depend on Pydantic, which asks for this when a model has a field with a range: its core schemas are plain
dicts, so that none of its names are needed here.
"""

from __future__ import annotations

from typing import Any, get_args

from data_bridge.core.types.range import Bounds, Range

Schema = dict[str, Any]


def schema(cls: type[Range[Any]], source: Any, handler: Any) -> Schema:
    """Instances, and mappings of lower, upper and bounds, with bounds of the range's own type."""
    arguments = get_args(source)
    bound: Schema = handler.generate_schema(arguments[0]) if arguments else {"type": "any"}
    side = {"type": "typed-dict-field", "schema": {"type": "nullable", "schema": bound}, "required": False}
    bounds = {"type": "literal", "expected": list(get_args(Bounds))}
    fields: Schema = {
        "type": "typed-dict",
        "fields": {
            "lower": side,
            "upper": side,
            "bounds": {"type": "typed-dict-field", "schema": bounds, "required": False},
        },
    }

    def made(value: dict[str, Any]) -> Range[Any]:
        return cls(**value)

    mapping = {"type": "function-after", "function": {"type": "no-info", "function": made}, "schema": fields}
    # An instance is taken apart, so that its bounds are looked at too.
    instance = {"type": "function-before", "function": {"type": "no-info", "function": _fields}, "schema": mapping}
    return {
        "type": "json-or-python",
        "json_schema": mapping,
        "python_schema": instance,
        "serialization": {
            "type": "function-plain",
            "function": _fields,
            "when_used": "json",
            "return_schema": fields,
        },
    }


def _fields(value: Any) -> Any:
    if not isinstance(value, Range):
        return value
    found: Range[Any] = value  # pyright: ignore[reportUnknownVariableType]
    return {"lower": found.lower, "upper": found.upper, "bounds": found.bounds}
