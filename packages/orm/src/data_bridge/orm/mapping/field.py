"""One field of a Table class as a column: type, nullability, default, and how its value is loaded."""

from __future__ import annotations

import copy
import difflib
import typing
from collections.abc import Callable
from typing import Any

from annotated_types import MaxLen
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.column import ColumnSpec, spec_of
from data_bridge.orm.mapping.document_keys import read_by_the_class, refused_keys
from data_bridge.orm.mapping.document_shape import misfit, reserved_fields, shape_of
from data_bridge.orm.mapping.documents import plain
from data_bridge.orm.mapping.natural_type import (
    has_other_keys,
    is_enum,
    is_native,
    members_of,
    natural_type,
    shown,
    without_none,
)
from data_bridge.query import ColumnDef, Node, parse_type, sql
from data_bridge.query.types import Numeric, SQLType, Varchar, shaped

_ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION")
_IDENTITY: dict[Any, Any] = {False: None, True: "by default", "always": "always", "serial": "serial"}
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
        self.type = self._shaped(owner, self._type(owner, cls), cls)
        self._check_actions(owner)
        self.is_mutable = self.type.family in _MUTABLE
        self.definition = self._definition()

    def _check_actions(self, owner: str) -> None:
        for name, given in (("on_delete", self.spec.on_delete), ("on_update", self.spec.on_update)):
            if given is None:
                continue
            action = given.upper().replace("_", " ")
            if action not in _ACTIONS:
                near = difflib.get_close_matches(action, _ACTIONS, n=1)
                hint = f": did you mean {near[0]!r}?" if near else f"; actions are {', '.join(_ACTIONS)}"
                raise ConfigurationError(f"{owner}.{self.key}: {name}={given!r} is not an action{hint}")
            if action == "SET NULL" and not self.nullable:
                raise ConfigurationError(
                    f"{owner}.{self.key}: {name}={given!r} of a column that is NOT NULL fails when it is needed: "
                    "allow None (Link[X | None] or X | None), or take CASCADE or RESTRICT"
                )

    @property
    def has_other_keys(self) -> bool:
        """Whether a document has mappings with keys that JSON does not know."""
        return self.is_document and has_other_keys(self.annotation)

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
        """Whether an INSERT leaves the column out unless it was given a value, because the model has no default."""
        has_default = self.info.default_factory is not None or self.info.default not in (None, PydanticUndefined)
        return self.spec.is_filled_by_server and not has_default

    def _shaped(self, owner: str, of: SQLType, cls: Any) -> SQLType:
        """The type with what is known of the documents in the column."""
        if of.family == "json" and has_other_keys(self.annotation):
            of = SQLType(of.name, None, plain, of.family, shown=repr(of))
        own = read_by_the_class(cls)
        if of.family == "json" and self.key not in own and "*" not in own and not _transforms(self.info):
            for mapping, remedy in refused_keys(self.annotation):
                raise ConfigurationError(f"{owner}.{self.key}: {mapping} cannot be stored: {remedy}")
        shape = shape_of(self.info.annotation) if of.family == "json" else None
        if shape is None:
            return of
        for label, name in reserved_fields(self.annotation):
            raise ConfigurationError(
                f"{owner}.{self.key}: the field {name!r} of {label} cannot be an attribute of the column, as every expression has "
                f"one of this name; call it {name}_ and keep its name in the document: {name}_ … = Field(alias={name!r}), with "
                "model_config = ConfigDict(serialize_by_alias=True)"
            )
        return shaped(of, shape)

    def _type(self, owner: str, cls: Any) -> SQLType:
        spec = self.spec
        if spec.link_part is not None and spec.type is None:  # the type of the column it points to
            target, at = spec.link_part
            if target.cls(cls) is not cls or self.key not in target.far_names(cls):
                kind: SQLType = target.fields(cls)[at].type
                self._check_key(owner, kind)
                return kind
        if isinstance(spec.type, SQLType):
            return self._serialised(spec.type, cls)
        if isinstance(spec.type, str):
            return self._serialised(parse_type(spec.type), cls)
        length = spec.max_length or next((m.max_length for m in self.info.metadata if isinstance(m, MaxLen)), None)
        try:
            found = natural_type(self.annotation)
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

    def _check_key(self, owner: str, kind: SQLType) -> None:
        """A declared column of a link holds keys of the other table."""
        if self.annotation is Any:
            return
        try:
            own = natural_type(self.annotation)
        except TypeError:
            return
        if own.family != kind.family and own.family != "json":
            raise ConfigurationError(
                f"{owner}.{self.key}: {shown(self.annotation)} for a key that is {kind.name}: declare it with the type of the key"
            )

    def _serialised(self, of: SQLType, cls: Any) -> SQLType:
        """A type of the user's choice: a value that it does not take is sent as Pydantic serialises it."""
        if (
            of.family in ("json", "enum")
            or of.declared is not None
            or is_enum(self.annotation)
            or is_native(self.annotation, of)
        ):
            return of
        try:
            natural = natural_type(self.annotation)
        except TypeError:
            natural = None
        if natural is not None and natural.name == of.name:
            return natural
        adapter = _adapter(self.info, cls)

        def convert(value: Any) -> Any:
            try:
                return of.convert(value)
            except (TypeError, ValueError):
                if natural is not None and natural.family == of.family:
                    return of.convert(natural.convert(value))
                made = adapter.dump_python(value, mode="json", warnings=False)
                if type(made) is type(value):
                    raise
                return of.convert(made)

        return SQLType(of.name, None, convert, of.family, of=of.of, shown=repr(of))

    def _definition(self) -> ColumnDef:
        spec = self.spec
        default = spec.server_default
        if isinstance(default, str):
            if default.strip().lower() == "user":
                raise ConfigurationError(
                    f"server_default={default!r} of {self.key} is SQL, where USER is the name of the session's role: write "
                    '"\'user\'" for the text, or "CURRENT_USER"'
                )
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
            identity=_IDENTITY[spec.auto_increment],
            generated=sql(spec.computed) if spec.computed else None,
            collation=spec.collation,
            comment=spec.comment,
            renamed_from=spec.renamed_from,
        )

    # --------------------------------------------------------------------------------------------------- loading
    def converter(self, cls: Any) -> Callable[[Any], Any] | None:
        """What turns the decoded value into the field's, or None where they are the same."""
        if self.key in _own_validators(cls):
            return _told(field_validator(cls, self.key), self.annotation)
        if is_enum(self.annotation):
            if cls.model_config.get("use_enum_values"):
                return None
            return members_of(self.annotation)
        if is_native(self.annotation, self.type) and not self.is_transformed(cls):
            return None
        return self._validating(cls)

    def is_transformed(self, cls: Any) -> bool:
        """Whether a validator of the class or of the annotation may turn a stored value into another one."""
        return self.key in _own_validators(cls) or _transforms(self.info)

    def registered_converter(self, cls: Any) -> Callable[[Any], Any]:
        """What turns a value that the codec of a registered type returned into the field's; ValueError where it is not one."""
        if self.key in _own_validators(cls):
            return _told(field_validator(cls, self.key), self.annotation)
        validate = _adapter(self.info, cls).validate_python
        if self.is_transformed(cls) or cls.model_config.get("use_enum_values"):
            return _told(validate, self.annotation)
        # The strict look refuses what Pydantic takes of a foreign Enum without a check: its value, whatever that is.
        return _told(lambda value: validate(validate(value), strict=True), self.annotation)

    def _validating(self, cls: Any) -> Callable[[Any], Any]:
        return _told(_adapter(self.info, cls).validate_python, self.annotation)


def _adapter(info: FieldInfo, cls: Any) -> TypeAdapter[Any]:
    """The field's own type as Pydantic sees it in the class."""
    annotation = _annotated(info)
    given: ConfigDict = ConfigDict() if cls is None else cls.model_config
    config = ConfigDict(
        arbitrary_types_allowed=given.get("arbitrary_types_allowed", False),
        use_enum_values=given.get("use_enum_values", False),
    )
    if not any(config.values()):
        return TypeAdapter(annotation)
    try:
        return TypeAdapter(annotation, config=config)
    except PydanticUserError:  # a model, which has a configuration of its own
        return TypeAdapter(annotation)


def _told(validate: Callable[[Any], Any], annotation: Any) -> Callable[[Any], Any]:
    """A converter of stored values whose error says what the field accepts, and not the value."""

    def convert(value: Any) -> Any:
        try:
            return validate(value)
        except ValidationError as e:
            raise ValueError(f"the stored value does not fit {shown(annotation)}: {misfit(e)}") from None

    return convert


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
