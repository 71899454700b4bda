"""What Table adds to the schemas that Pydantic makes: rows as values of relations, and what is certain of a saved row."""

from __future__ import annotations

import sys
from typing import Any

from pydantic_core.core_schema import no_info_wrap_validator_function

from data_bridge.orm.mapping.column import PENDING, spec_of
from data_bridge.orm.mapping.natural_type import without_none
from data_bridge.orm.relations.descriptors import assign, relation_of


def core_schema(cls: Any, source: Any, handler: Any) -> Any:
    """The schema of a class with relations, which also takes rows for them: `Post(author=user)`."""
    names: frozenset[str] = cls.__db_relation_names__
    schema = handler(source)

    def build(data: Any, handler: Any) -> Any:
        if type(data) is not dict or names.isdisjoint(data):  # pyright: ignore[reportUnknownArgumentType]
            return handler(data)
        values = dict[str, Any](data)  # pyright: ignore[reportUnknownArgumentType]
        given = {n: values.pop(n) for n in names & values.keys()}
        rows: dict[str, Any] = {}
        for name, value in given.items():
            relation = relation_of(cls, name)
            if relation.kind != "link":
                rows[name] = value
                continue
            try:
                value = relation.other_side(value)
            except TypeError as e:
                raise ValueError(str(e)) from None  # which Pydantic reports with the others
            if relation.target.holds(value):
                rows[name] = value
                keys = tuple(value.__dict__.get(k) for k in relation.far)
                # A row that is saved later has its key then.
                keys = tuple(PENDING if k is None else k for k in keys)
            else:
                keys = (
                    (value,)
                    if len(relation.near) == 1
                    else (None,) * len(relation.near)
                    if value is None
                    else tuple(value)
                )
            values.update(zip(relation.near, keys, strict=True))
        made = handler(values)
        for name, value in rows.items():
            try:
                assign(made, relation_of(cls, name), value)
            except TypeError as e:
                raise ValueError(str(e)) from None
        return made

    return no_info_wrap_validator_function(build, schema)


def json_schema_of(cls: Any, schema: Any, handler: Any) -> Any:
    """In serialization mode, keys and what the database fills are there and not null."""
    if handler.mode != "serialization":
        return schema
    resolved = handler.resolve_ref_schema(schema)
    properties: dict[str, Any] = resolved.get("properties", {})
    required: list[str] = list(resolved.get("required", ()))
    for key, info in cls.__pydantic_fields__.items():
        spec = spec_of(info)
        name = info.serialization_alias or info.alias or key
        name = name if name in properties else key
        if (
            spec is None
            or name not in properties
            or spec.nullable
            or not (spec.is_filled_by_server or spec.primary_key)
        ):
            continue
        found = properties[name]
        if not _allows_none(info.annotation) or spec.primary_key:
            kinds = [s for s in found.get("anyOf", ()) if s.get("type") != "null"]
            if len(kinds) == 1:
                found = {**{k: v for k, v in found.items() if k != "anyOf"}, **kinds[0]}
            properties[name] = {k: v for k, v in found.items() if not (k == "default" and v is None)}
        if name not in required:
            required.append(name)
    if required:
        resolved["required"] = [n for n in properties if n in required]
    return schema


def _allows_none(annotation: Any) -> bool:
    return without_none(annotation)[1]


def frame_names(depth: int) -> dict[str, Any]:
    """The local names of a caller, as Pydantic would look at them."""
    try:
        frame = sys._getframe(depth)
    except ValueError:
        return {}
    return {} if frame.f_code.co_name == "<module>" else dict(frame.f_locals)


def check_targets(cls: Any) -> None:
    """Every link of a class points to a Table.

    Raises:
        ConfigurationError: naming the link that does not.
    """
    for base in cls.__mro__:
        for declaration in base.__dict__.get("__db_declared__", {}).values():
            if declaration.kind == "link":
                declaration.target.cls(cls)


def key_types(cls: Any) -> dict[str, Any]:
    """By the names that stand for them, the types of columns that links of a class made."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        for declaration in base.__dict__.get("__db_declared__", {}).values():
            target = declaration.target
            if declaration.kind == "link" and target.find(cls) is not None:
                kind = target.key_type(0, target.find(cls))
                if not isinstance(kind, str):
                    found[target.placeholder] = kind
    return found
