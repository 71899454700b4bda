"""How Pydantic validates and dumps a range. Loaded by Pydantic only: core does not depend on it."""

from __future__ import annotations

from typing import Any, get_args

from pydantic_core import core_schema

from data_bridge.core.range import Bounds, Range


def schema(cls: type[Range[Any]], source: Any, handler: Any) -> Any:
    """Instances, and mappings of lower, upper and bounds, with bounds of the range's own type."""
    arguments = get_args(source)
    bound = core_schema.nullable_schema(
        handler.generate_schema(arguments[0]) if arguments else core_schema.any_schema()
    )
    fields = core_schema.typed_dict_schema(
        {
            "lower": core_schema.typed_dict_field(bound, required=False),
            "upper": core_schema.typed_dict_field(bound, required=False),
            "bounds": core_schema.typed_dict_field(core_schema.literal_schema(list(get_args(Bounds))), required=False),
        }
    )

    def from_mapping(value: dict[str, Any]) -> Range[Any]:
        return cls(**value)

    def to_mapping(value: Any) -> Any:
        if not isinstance(value, Range):
            return value
        found: Range[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {"lower": found.lower, "upper": found.upper, "bounds": found.bounds}

    def checked(value: Range[Any], validate: Any) -> Range[Any]:
        return validate(to_mapping(value))  # type: ignore[no-any-return]

    mapping = core_schema.no_info_after_validator_function(from_mapping, fields)
    instance = core_schema.no_info_wrap_validator_function(lambda value, validate: checked(value, validate), mapping)
    whole = core_schema.union_schema(
        [
            core_schema.chain_schema([core_schema.is_instance_schema(cls), instance]),
            mapping,
        ]
    )
    dump = core_schema.plain_serializer_function_ser_schema(to_mapping, when_used="json", return_schema=fields)
    return core_schema.json_or_python_schema(mapping, whole, serialization=dump)
