"""One field of a Table class as a column: type, nullability, default, and how its value is loaded."""

from __future__ import annotations

import copy
import types as python_types
import typing
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from annotated_types import MaxLen
from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyUrl,
    BeforeValidator,
    EmailStr,
    NameEmail,
    PlainValidator,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from pydantic.networks import _BaseMultiHostUrl as BaseMultiHostUrl  # pyright: ignore[reportPrivateUsage]
from pydantic_core import PydanticUndefined

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.column import ColumnSpec, spec_of
from data_bridge.query import ColumnDef, Node, parse_type, sql, type_of
from data_bridge.query.types import Bytea, Numeric, SQLType, Text, Varchar

_NATIVE = {int, str, bool, float, Decimal, datetime, date, time, timedelta, UUID, bytes, Any}
_MUTABLE = {"json", "array", "hstore"}


class Field:
    """What is known of one field."""

    __slots__ = ("annotation", "definition", "info", "is_mutable", "key", "name", "nullable", "spec", "type")

    def __init__(self, owner: str, key: str, info: FieldInfo, cls: Any = None) -> None:
        self.key = key
        self.info = info
        self.spec = spec_of(info) or ColumnSpec()
        self.annotation, optional = without_none(info.annotation)
        self.name = self.spec.name or key
        self.nullable = self.spec.nullable if self.spec.nullable is not None else optional
        if self.spec.primary_key:
            self.nullable = False
        self.type = self._type(owner, cls)
        self.is_mutable = self.type.family in _MUTABLE
        self.definition = self._definition()

    @property
    def is_document(self) -> bool:
        """Whether the column holds JSON of a shape that Python knows."""
        return self.type.family == "json" and not is_native(self.annotation, self.type)

    def validator(self, cls: Any) -> Callable[[Any], Any]:
        """What the class says of one value of this field, as its constructor would."""
        decorators = cls.__pydantic_decorators__
        is_whole = bool(decorators.model_validators) or bool(decorators.root_validators)
        if not is_whole and not cls.model_config.get("frozen") and not self.info.frozen:
            return field_validator(cls, self.key)
        # A validator of the whole model would be asked about the other fields, which are not there.
        kinds: dict[str, Any] = {
            "before": BeforeValidator, "after": AfterValidator, "wrap": WrapValidator, "plain": PlainValidator,
        }  # fmt: skip
        own = [
            kinds[d.info.mode](d.func)
            for d in decorators.field_validators.values()
            if self.key in d.info.fields or "*" in d.info.fields
        ]
        metadata = (*self.info.metadata, *own)
        annotation: Any = self.info.annotation
        whole: Any = typing.Annotated[(annotation, *metadata)] if metadata else annotation
        return TypeAdapter(whole).validate_python

    @property
    def is_left_to_server(self) -> bool:
        """Whether an INSERT leaves the column out unless somebody gave it a value: Python has no default of its own."""
        has_default = self.info.default_factory is not None or self.info.default not in (None, PydanticUndefined)
        return self.spec.is_filled_by_server and not has_default

    def _type(self, owner: str, cls: Any) -> SQLType:
        spec = self.spec
        if spec.link_part is not None and spec.type is None:  # the type of the column it points to
            target, at = spec.link_part
            if target.cls(cls) is not cls or self.key not in target.far_names(cls):
                kind: SQLType = target.fields(cls)[at].type
                return kind
        if isinstance(spec.type, SQLType):
            return spec.type
        if isinstance(spec.type, str):
            return parse_type(spec.type)
        length = spec.max_length or next((m.max_length for m in self.info.metadata if isinstance(m, MaxLen)), None)
        try:
            found = _pydantic_type(self.annotation) or type_of(self.annotation)
        except TypeError as e:
            raise ConfigurationError(f"{owner}.{self.key}: {e}; write Column(type=…)") from None
        if found.name == "text" and length is not None and not is_enum(self.annotation):
            return Varchar(length)
        if found.name == "numeric":
            digits = spec.precision or _constraint(self.info, "max_digits")
            places = spec.scale if spec.scale is not None else _constraint(self.info, "decimal_places")
            if digits is not None:
                return Numeric(digits, places)
        return found

    def _definition(self) -> ColumnDef:
        spec = self.spec
        default = spec.server_default
        if isinstance(default, str):
            default = sql(default)
        elif default is not None and not isinstance(default, Node):
            raise ConfigurationError(
                f"server_default of {self.key} is SQL text or an expression, not {type(default).__name__}"
            )
        return ColumnDef(
            self.name,
            self.type,
            nullable=self.nullable,
            default=default,  # pyright: ignore[reportUnknownArgumentType]
            identity="by default" if spec.auto_increment else None,
            generated=sql(spec.computed) if spec.computed else None,
            collation=spec.collation,
            comment=spec.comment,
        )

    # --------------------------------------------------------------------------------------------------- loading
    def converter(self, cls: Any) -> Callable[[Any], Any] | None:
        """What turns the decoded value into the field's, or None where they are the same."""
        if self.key in _own_validators(cls):
            return field_validator(cls, self.key)
        if is_enum(self.annotation):
            if cls.model_config.get("use_enum_values"):
                return None
            members: Callable[[Any], Any] = self.annotation._value2member_map_.__getitem__
            return members
        if is_native(self.annotation, self.type) and not _transforms(self.info):
            return None
        return TypeAdapter(_annotated(self.info)).validate_python


def _pydantic_type(annotation: Any) -> SQLType | None:
    """The type of what Pydantic has beside Python's own classes: secrets, addresses of the web and of mail."""
    if not isinstance(annotation, type) or not annotation.__module__.startswith("pydantic"):
        return None
    if issubclass(annotation, SecretBytes):
        return Bytea
    texts: tuple[Any, ...] = (SecretStr, EmailStr, NameEmail, AnyUrl, BaseMultiHostUrl)
    return Text if issubclass(annotation, texts) else None


def without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its None, and whether it had one."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, optional = without_none(typing.get_args(annotation)[0])
        return inner, optional
    if origin in (typing.Union, python_types.UnionType):
        arguments = typing.get_args(annotation)
        rest = tuple(a for a in arguments if a is not type(None))
        if len(rest) < len(arguments):
            return (rest[0] if len(rest) == 1 else typing.Union[rest]), True  # noqa: UP007 - made at run time
    return annotation, False


def shown(annotation: Any) -> str:
    """An annotation as it is written."""
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)


def is_enum(annotation: Any) -> bool:
    """Whether this is an Enum class."""
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def is_native(annotation: Any, kind: SQLType) -> bool:
    """Whether decoding gives just what the annotation asks for."""
    if isinstance(annotation, type) and annotation in _NATIVE:
        return _python_of(kind) in (annotation, None) if annotation is not Any else True
    if annotation is Any or annotation in (dict, list):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if kind.family == "array" and origin is list and kind.of is not None:
        return is_native(without_none(arguments[0])[0], kind.of)
    if kind.family == "json":
        if origin is dict:
            return arguments[0] is str and _is_plain_json(arguments[1])
        if origin is list:
            return _is_plain_json(arguments[0])
    return False


def _is_plain_json(annotation: Any) -> bool:
    """Whether every JSON value that Pydantic would accept here is left as it is."""
    if annotation in (Any, str, bool):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    return (origin is dict and arguments[0] is str and _is_plain_json(arguments[1])) or (
        origin is list and _is_plain_json(arguments[0])
    )


def _python_of(kind: SQLType) -> Any:
    families = {"int": int, "float": float, "numeric": Decimal, "text": str, "bool": bool, "bytes": bytes, "date": date, "time": time,
                "datetime": datetime, "interval": timedelta, "uuid": UUID, "enum": str}  # fmt: skip
    return families.get(kind.family)


def _constraint(info: FieldInfo, name: str) -> Any:
    return next((getattr(m, name) for m in info.metadata if getattr(m, name, None) is not None), None)


def _transforms(info: FieldInfo) -> bool:
    """Whether the metadata holds a validator that may change the value."""
    return any(type(m).__name__ in ("BeforeValidator", "WrapValidator", "PlainValidator") for m in info.metadata)


def _annotated(info: FieldInfo) -> Any:
    metadata = [m for m in info.metadata if not isinstance(m, ColumnSpec) and type(m).__name__ != "AfterValidator"]
    annotation: Any = info.annotation
    return typing.Annotated[(annotation, *metadata)] if metadata else annotation


def _own_validators(cls: Any) -> set[str]:
    """Fields with a before, wrap or plain validator of the class."""
    found: set[str] = set()
    for decorator in cls.__pydantic_decorators__.field_validators.values():
        if decorator.info.mode != "after":
            fields = decorator.info.fields
            found.update(cls.__pydantic_fields__ if "*" in fields else fields)
    return found


def field_validator(cls: Any, key: str) -> Callable[[Any], Any]:
    """Runs exactly what the class says for one field, on an instance that is thrown away."""
    validator = cls.__pydantic_validator__
    blank = cls.model_construct

    def convert(value: Any) -> Any:
        made = blank()
        validator.validate_assignment(made, key, value)
        return made.__dict__[key]

    return convert


def factory(info: FieldInfo) -> Any:
    """What makes the default of a field that is not a column, from the other values; None for one that all rows share."""
    made = info.default_factory
    if made is not None:
        if info.default_factory_takes_validated_data:
            return made

        def make(_: object) -> Any:
            return made()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

        return make
    default: Any = info.default
    if type(default) not in (list, dict, set):
        return None

    def copied(_: object) -> Any:
        return copy.deepcopy(default)

    return copied


def validated_name(cls: Any, key: str) -> str:
    """The name under which model_validate() takes a field."""
    config = cls.model_config
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return key
    given = cls.__pydantic_fields__[key].validation_alias
    if isinstance(given, AliasChoices):
        given = next((c for c in given.choices if isinstance(c, str)), None)
    return given if isinstance(given, str) else key
