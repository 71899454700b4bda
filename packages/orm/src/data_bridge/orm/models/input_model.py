"""input_model(): a Pydantic model for request bodies, made from a Table."""

# Rows and their values are of any class: nothing here knows more of them than their entity does.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Optional

from pydantic import BaseModel, create_model, field_validator
from pydantic.fields import FieldInfo

from data_bridge.orm.mapping.column import ColumnSpec
from data_bridge.orm.mapping.entity import Entity


def input_model(
    entity: Entity, name: str | None, exclude: Iterable[Any], optional: Iterable[Any] | bool
) -> type[BaseModel]:
    """Returns a model of the fields that a client sends, with their constraints and validators."""
    cls = entity.cls
    left_out = {entity.field(c).key for c in exclude}
    partial = set(entity.keys) if optional is True else {entity.field(c).key for c in optional or ()}
    fields: dict[str, Any] = {}
    for key, info in cls.__pydantic_fields__.items():
        field = entity.by_key.get(key)
        if key in left_out or (field is not None and field.spec.is_filled_by_server):
            continue
        fields[key] = _field(info, key in partial, field is not None and bool(field.spec.nullable))
    validators: dict[str, Any] = {}
    for function, decorator in cls.__pydantic_decorators__.field_validators.items():
        names = [f for f in decorator.info.fields if f == "*" or f in fields]
        if names:
            made: Any = field_validator(*names, mode=decorator.info.mode, check_fields=False)
            validators[function] = made(getattr(decorator.func, "__func__", decorator.func))
    config: Any = {k: v for k, v in cls.model_config.items() if k not in ("title", "frozen", "from_attributes")}
    return create_model(
        name or f"{entity.label}Input",
        __config__=config,
        __module__=cls.__module__,
        __validators__=validators,
        **fields,
    )


def _field(info: FieldInfo, is_optional: bool, is_nullable: bool) -> tuple[Any, Any]:
    metadata = [m for m in info.metadata if not isinstance(m, ColumnSpec)]
    annotation: Any = Annotated[(info.annotation, *metadata)] if metadata else info.annotation
    if is_optional or is_nullable:
        annotation = Optional[annotation]  # noqa: UP045 - made at run time, of anything
    given = {k: v for k, v in info._attributes_set.items() if k not in ("annotation", "default", "default_factory")}
    if is_optional:
        return annotation, FieldInfo(default=None, **given)
    if info.default_factory is not None:
        return annotation, FieldInfo(default_factory=info.default_factory, **given)
    return annotation, FieldInfo(default=info.default, **given)
