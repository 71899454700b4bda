"""The fields of forms for the columns and relations of a class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic_core import PydanticUndefined
from starlette_admin.fields import BaseField
from starlette_admin.helpers import slugify_class_name

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres.admin.values import (
    BoolValue,
    DateTimeValue,
    DateValue,
    EnumValue,
    JsonValue,
    LinkValue,
    ManyValue,
    NumberValue,
    OptionalBoolValue,
    RevisionValue,
    SecretValue,
    TextValue,
    Value,
)

__all__ = ["form_fields"]

_BY_FAMILY: dict[str, type[Value]] = {
    **dict.fromkeys(("int", "float", "numeric"), NumberValue),
    "date": DateValue,
    "datetime": DateTimeValue,
}
_PLAIN = (str, int, float, bool)


def form_fields(entity: Any, names: Sequence[Any], exclude: Iterable[str]) -> list[BaseField]:
    """Returns the fields of a class: those that are named, otherwise every column, link and many-to-many relation.

    Raises:
        ConfigurationError: for an unknown name, and for a column of bytes.
    """
    left_out = set(exclude)
    links = {key: link for link in entity.links for key in link.near}
    known = [*entity.by_key, *(n for n, r in entity.relations.items() if r.kind != "back")]
    unknown = sorted({n for n in (*names, *left_out) if isinstance(n, str)} - set(known))
    if unknown:
        raise ConfigurationError(f"{entity.label} has no field {unknown[0]!r}; it has {', '.join(known)}")
    made: list[BaseField] = []
    for name in names or [n for n in known if n not in links and (n != "xmin" or entity.revision == "xmin")]:
        if isinstance(name, BaseField):
            made.append(name)
        elif name not in left_out:
            made.append(_relation(entity, name) if name in entity.relations else _column(entity, entity.by_key[name]))
    return made


def _relation(entity: Any, name: str) -> BaseField:
    relation = entity.relations[name]
    if relation.kind == "back":
        raise ConfigurationError(
            f"{entity.label}.{name} is a BackLink: edit the rows that it leads to in their own view"
        )
    key = slugify_class_name(relation.cls.__name__)
    if relation.kind == "many":
        return ManyValue(name, key=key)
    return LinkValue(name, key=key, required=not relation.is_optional)


def _column(entity: Any, column: Any) -> BaseField:
    info = column.info
    if column.key == entity.revision:
        return RevisionValue(
            column.key,
            exclude_from_create=True,
            help_text="Counts the changes: a form that is older than the row is refused.",
        )
    kind = _bare(info.annotation)
    is_nullable = bool(column.nullable)
    has_default = column.spec.is_filled_by_server or not info.is_required()
    default = None if info.default is PydanticUndefined else info.default
    given: dict[str, Any] = {
        "required": not is_nullable and not has_default,
        "default": default.value if isinstance(default, Enum) else default if isinstance(default, _PLAIN) else None,
        "help_text": info.description,
    }
    family = column.type.family
    if family == "bytes" or (family == "array" and column.type.of is not None and column.type.of.family == "bytes"):
        raise ConfigurationError(
            f"{entity.label}.{column.key} holds bytes, which a form cannot edit: leave it out, ModelView({entity.label}, "
            f"exclude=[{column.key!r}])"
        )
    made: BaseField
    if isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes):
        made = SecretValue(
            column.key, exclude_from_list=True, exclude_from_detail=True, exclude_from_export=True, **given
        )
        made.required = False
    elif isinstance(kind, type) and issubclass(kind, Enum):
        made = EnumValue(column.key, enum=kind, **given)
    elif family == "bool":
        # A box that is not ticked sends nothing: it cannot be required.
        given["required"] = False
        choices = [("true", "true"), ("false", "false")]
        made = (
            OptionalBoolValue(column.key, choices=choices, **given) if is_nullable else BoolValue(column.key, **given)
        )
    elif family in ("json", "array"):
        made = JsonValue(column.key, **given)
        made.help_text = made.help_text or ("JSON" if family == "json" else "a list in JSON")
    elif family == "text":
        made = TextValue(column.key, **given)
    else:
        made = _BY_FAMILY.get(family, Value)(column.key, **given)
    is_key = column.key in entity.pk_keys
    made.exclude_from_edit = is_key or column.key in entity.decided
    made.exclude_from_create = column.key in entity.decided or (
        is_key and (column.spec.is_filled_by_server or info.default_factory is not None)
    )
    return made


def _bare(annotation: Any) -> Any:
    """An annotation without None."""
    arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
    is_optional = type(None) in getattr(annotation, "__args__", ())
    return arguments[0] if is_optional and len(arguments) == 1 else annotation
