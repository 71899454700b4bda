"""The shapes of JSON documents: what Pydantic models, dataclasses and TypedDicts say of the parts of a column."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from enum import Enum
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import BaseModel, PlainSerializer, RootModel, TypeAdapter, ValidationError, WrapSerializer
from pydantic.fields import FieldInfo
from typing_extensions import is_typeddict

from data_bridge.core.errors import EncodeError
from data_bridge.orm.mapping.documents import plain_key
from data_bridge.orm.mapping.natural_type import (
    has_other_key,
    has_other_keys,
    is_enum,
    is_native,
    members_of,
    natural_type,
    shown,
    without_none,
)
from data_bridge.query.spi import RESERVED, key_text
from data_bridge.query.types import Jsonb, Member, SQLType, shaped

TEXTUAL = frozenset({"text", "int", "float", "numeric", "bool", "uuid", "date", "time", "datetime", "interval", "inet"})
"""Families whose JSON, read as text, is what PostgreSQL casts to them."""


class DocumentShape:
    """What an annotation says of a document; see `data_bridge.query.types.Shape`."""

    def __init__(self, annotation: Any, metadata: Sequence[Any] = ()) -> None:
        self.annotation, self.nullable = without_none(annotation)
        self._declared = annotation
        self._metadata = tuple(metadata)
        self.label = getattr(self.annotation, "__name__", str(self.annotation))
        self.columns: dict[type[Any], type[Any]] = {}
        self._types: dict[str, Member | None] = {}

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        annotation: Any = self._declared
        whole: Any = typing.Annotated[(annotation, *self._metadata)] if self._metadata else annotation
        return TypeAdapter(whole)

    @property
    def load(self) -> Callable[[Any], Any] | None:
        """Turns what JSON has into what the annotation says."""
        return self._load

    @cached_property
    def _load(self) -> Callable[[Any], Any] | None:
        return self._adapter.validate_python

    def dump(self, value: Any) -> Any:
        """The value as it stands in the document.

        Raises:
            ValueError: for one that does not fit, without the value.
        """
        try:
            return self._adapter.dump_python(self._adapter.validate_python(value), mode="json", warnings=False)
        except ValidationError as e:
            raise ValueError(misfit(e)) from None

    # -------------------------------------------------------------------------------------------------------- parts
    @cached_property
    def fields(self) -> Mapping[str, tuple[str, Any, tuple[Any, ...]]]:
        """The fields of an object by their names: the name in the document, the annotation, and its metadata."""
        return fields_of(self.annotation)

    def names(self) -> Iterable[str]:
        """The fields of an object by their Python names."""
        return self.fields.keys()

    def member(self, name: str) -> Member | None:
        """The field with this Python name, or with this name in the document."""
        if name not in self._types:
            self._types[name] = self._member(name)
        return self._types[name]

    def _member(self, name: str) -> Member | None:
        found = self.fields.get(name)
        if found is None:
            found = next((f for f in self.fields.values() if f[0] == name), None)
        if found is None:
            return None
        key, annotation, metadata = found
        custom = _serialized_by(self.annotation, name)
        return Member(key, part_type(annotation, metadata) if custom is None else custom)

    def item(self) -> SQLType | None:
        """The type of the elements of a list."""
        origin, arguments = typing.get_origin(self.annotation), typing.get_args(self.annotation)
        is_list = origin in (list, set, frozenset, Sequence) or (origin is tuple and arguments[1:] == (Ellipsis,))
        return part_type(arguments[0]) if is_list and arguments else None

    def value(self) -> SQLType | None:
        """The type of the values of a mapping."""
        origin, arguments = typing.get_origin(self.annotation), typing.get_args(self.annotation)
        return part_type(arguments[1]) if origin in (dict, Mapping) and len(arguments) == 2 else None

    def key(self, key: Any, owner: str | None) -> Any:
        """A key as it stands in the document."""
        adapter = self._keys
        if adapter is None:
            return key_text(key) if isinstance(key, Enum | UUID | date | time) else key
        try:
            return plain_key(adapter.validate_python(key))
        except ValidationError as error:
            raise EncodeError(
                f"{owner or self.label}: not a key of {shown(self.annotation)}: {misfit(error)}"
            ) from None

    @cached_property
    def _keys(self) -> TypeAdapter[Any] | None:
        """What the keys of a mapping are, where they are something else than text."""
        origin, arguments = typing.get_origin(self.annotation), typing.get_args(self.annotation)
        is_mapping = origin in (dict, Mapping) and len(arguments) == 2
        return TypeAdapter(arguments[0]) if is_mapping and has_other_key(arguments[0]) else None

    def is_open(self) -> bool:
        """Whether an object may have fields that the class does not declare."""
        config: Mapping[str, Any] = getattr(self.annotation, "model_config", {})
        return config.get("extra") == "allow"


class PartShape(DocumentShape):
    """Of a part that is not a document: text, a number, a moment."""

    def __init__(self, annotation: Any, metadata: Sequence[Any], of: SQLType) -> None:
        super().__init__(annotation, metadata)
        self._of = of

    @cached_property
    def _load(self) -> Callable[[Any], Any] | None:
        if is_enum(self.annotation):
            return members_of(self.annotation)
        return None if is_native(self.annotation, self._of) else self._adapter.validate_python

    @cached_property
    def fields(self) -> Mapping[str, tuple[str, Any, tuple[Any, ...]]]:
        """None."""
        return {}


def fields_of(annotation: Any) -> Mapping[str, tuple[str, Any, tuple[Any, ...]]]:
    """The fields of a model, a dataclass or a TypedDict: the name in the document, the annotation, its metadata."""
    if not isinstance(annotation, type) and not is_typeddict(annotation):
        return {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model_fields(annotation)
    pydantic_fields: Mapping[str, FieldInfo] | None = getattr(annotation, "__pydantic_fields__", None)  # pyright: ignore[reportUnknownArgumentType]
    if pydantic_fields is not None:
        return {n: (n, f.annotation, tuple(f.metadata)) for n, f in pydantic_fields.items()}
    if dataclasses.is_dataclass(annotation) or is_typeddict(annotation):  # pyright: ignore[reportUnknownArgumentType]
        hints = typing.get_type_hints(annotation, include_extras=True)  # pyright: ignore[reportUnknownArgumentType]
        if is_typeddict(annotation):  # pyright: ignore[reportUnknownArgumentType]
            return {n: (n, _required(h), ()) for n, h in hints.items()}
        return {f.name: (f.name, hints[f.name], ()) for f in dataclasses.fields(annotation)}  # pyright: ignore[reportUnknownArgumentType]
    return {}


def _required(hint: Any) -> Any:
    while getattr(typing.get_origin(hint), "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        hint = typing.get_args(hint)[0]
    return hint


def _model_fields(model: type[BaseModel]) -> Mapping[str, tuple[str, Any, tuple[Any, ...]]]:
    if issubclass(model, RootModel) or model.__pydantic_decorators__.model_serializers:
        return {}
    by_alias = model.model_config.get("serialize_by_alias")
    made: dict[str, tuple[str, Any, tuple[Any, ...]]] = {}
    for name, info in model.model_fields.items():
        if not info.exclude:
            key = info.serialization_alias if by_alias and info.serialization_alias else name
            made[name] = (key, info.annotation, tuple(info.metadata))
    for name, computed in model.model_computed_fields.items():
        made[name] = (computed.alias if by_alias and computed.alias else name, computed.return_type, ())
    return made


def _serialized_by(model: Any, name: str) -> SQLType | None:
    """The type of a field that its class serialises in a way of its own; None for any other."""
    decorators = getattr(model, "__pydantic_decorators__", None)
    own = {n for d in decorators.field_serializers.values() for n in d.info.fields} if decorators is not None else set()  # pyright: ignore[reportUnknownVariableType]
    if name not in own and "*" not in own:
        return None

    def dump(value: Any) -> Any:
        made = model.model_construct(**{name: value})
        written = model.__pydantic_serializer__.to_python(made, mode="json", include={name}, warnings=False)
        return next(iter(written.values()))

    return SQLType(Jsonb.name, None, dump, "json", shown=repr(Jsonb))


def part_type(annotation: Any, metadata: Sequence[Any] = ()) -> SQLType:
    """The type of a part of a document: that of its text where PostgreSQL casts it, else jsonb."""
    inner, _ = without_none(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        metadata = (*typing.get_args(annotation)[1:], *metadata)
    if isinstance(inner, type) and issubclass(inner, RootModel):
        root = inner.model_fields["root"]
        return part_type(root.annotation, root.metadata)
    is_custom = any(isinstance(m, PlainSerializer | WrapSerializer) for m in metadata)
    if not is_custom:
        try:
            of = natural_type(inner)
        except TypeError:
            of = Jsonb
        if of.family in TEXTUAL:
            return shaped(of, PartShape(annotation, metadata, of))
    shape = DocumentShape(annotation, metadata)
    return SQLType(Jsonb.name, None, shape.dump, "json", shown=repr(Jsonb), shape=shape)


def shape_of(annotation: Any) -> DocumentShape | None:
    """The shape of a column of this annotation; None where no class says what is in its documents."""
    return DocumentShape(annotation) if _holds_class(annotation) or has_other_keys(annotation) else None


def _holds_class(annotation: Any) -> bool:
    inner, _ = without_none(annotation)
    if isinstance(inner, type) and (issubclass(inner, BaseModel) or dataclasses.is_dataclass(inner)):  # pyright: ignore[reportUnknownArgumentType]
        return True
    if is_typeddict(inner):  # pyright: ignore[reportUnknownArgumentType]
        return True
    origin, arguments = typing.get_origin(inner), typing.get_args(inner)
    if origin in (list, set, frozenset, Sequence, tuple) and arguments:
        return _holds_class(arguments[0])
    return origin in (dict, Mapping) and len(arguments) == 2 and _holds_class(arguments[1])


def reserved_fields(annotation: Any) -> Iterator[tuple[str, str]]:
    """The classes in a document, and their fields that cannot be attributes of an expression."""
    seen: set[Any] = set()
    left: list[Any] = [annotation]
    while left:
        inner, _ = without_none(left.pop())
        arguments = typing.get_args(inner)
        left += [a for a in arguments if a is not Ellipsis]
        if arguments or inner in seen:
            continue
        seen.add(inner)
        for name, (_, hint, _) in fields_of(inner).items():
            if name in RESERVED:
                yield inner.__name__, name
            left.append(hint)


def misfit(error: ValidationError) -> str:
    """Pydantic's messages without the values."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ")
        for e in error.errors(include_input=False, include_url=False, include_context=False)
    )
