"""`Column()`: how a field of a Table becomes a column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from annotated_types import MaxLen
from pydantic import Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, core_schema

from data_bridge.orm.registry import entity_of
from data_bridge.query import ColumnProxy, Expr, Node
from data_bridge.query.types import SQLType

if TYPE_CHECKING:
    from data_bridge.orm.models.table import Table

T = TypeVar("T")
Action = Literal["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"]

_EXPRESSION = re.compile(
    r"^\s*(?:[A-Za-z_][\w.]*\s*\(.*\)|CURRENT_\w+|LOCALTIME(?:STAMP)?|SESSION_USER|USER)\s*$", re.DOTALL | re.IGNORECASE
)


def is_expression(text: str) -> bool:
    """Whether a default in text reads as SQL: a call, or a keyword such as CURRENT_DATE.

    >>> is_expression("NOW()"), is_expression("new")
    (True, False)
    """
    return bool(_EXPRESSION.match(text))


class _Pending:
    """The class of PENDING."""


PENDING = _Pending()
"""Stands for the key of a linked row that is saved later."""


def _none_if_pending(value: Any, handler: Any) -> Any:
    return None if value is PENDING else handler(value)


@dataclass(slots=True)
class ColumnSpec:
    """What Column() was told; travels in the metadata of Pydantic's field."""

    primary_key: bool = False
    auto_increment: bool | Literal["always", "serial"] = False
    unique: bool = False
    index: bool | str | None = None
    nullable: bool | None = None
    type: SQLType | str | None = None
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    foreign_key: Any = None
    on_delete: str | None = None
    on_update: str | None = None
    deferrable: Any = None
    check: Any = None
    computed: str | None = None
    collation: str | None = None
    name: str | None = None
    comment: str | None = None
    renamed_from: str | None = None
    exclude_from_select: bool = False
    server_default: Any = None
    update_default: Any = None
    link_fields: tuple[str, ...] = ()
    """Of a Link: the declared fields that hold the other row's key."""
    link_part: Any = None
    """Of a column that a Link made: the Target, and which column of its key this is."""
    text_default: str | None = field(default=None)
    """A default that is SQL on most columns and a literal on text columns."""

    @property
    def is_filled_by_server(self) -> bool:
        """Whether a value may be missing until the row is saved."""
        return bool(self.auto_increment) or self.server_default is not None or self.computed is not None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accepts None where the annotation does not say so but the column may be empty, for now or for good."""
        schema = handler(source)
        if self.link_part is not None:
            schema = core_schema.no_info_wrap_validator_function(_none_if_pending, schema)
        if (self.nullable or self.is_filled_by_server) and schema["type"] != "nullable":
            return core_schema.nullable_schema(schema)
        return schema


# What must be given to the constructor is what has no default here; checkers take the first overload that fits.
@overload
def Column(
    *,
    default: Any,
    primary_key: bool = ...,
    auto_increment: bool | Literal["always", "serial"] = ...,
    unique: bool = ...,
    index: bool | str | None = ...,
    nullable: bool | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    foreign_key: Any = ...,
    on_delete: str | None = ...,
    on_update: str | None = ...,
    deferrable: Any = ...,
    check: Any = ...,
    collation: str | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    exclude_from_select: bool = ...,
    server_default: Any = ...,
    update_default: Any = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(
    *,
    default_factory: Callable[[], Any] | Callable[[dict[str, Any]], Any],
    primary_key: bool = ...,
    unique: bool = ...,
    index: bool | str | None = ...,
    nullable: bool | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    foreign_key: Any = ...,
    on_delete: str | None = ...,
    on_update: str | None = ...,
    deferrable: Any = ...,
    check: Any = ...,
    collation: str | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    exclude_from_select: bool = ...,
    update_default: Any = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(
    *,
    auto_increment: Literal[True, "always", "serial"],
    init: Literal[False] = False,
    primary_key: bool = ...,
    unique: bool = ...,
    type: SQLType | str | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(
    *,
    server_default: Any,
    init: Literal[False] = False,
    primary_key: bool = ...,
    unique: bool = ...,
    index: bool | str | None = ...,
    nullable: bool | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    check: Any = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    update_default: Any = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(
    *,
    computed: str,
    init: Literal[False] = False,
    index: bool | str | None = ...,
    nullable: bool | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(
    *,
    nullable: Literal[True],
    init: Literal[False] = False,
    unique: bool = ...,
    index: bool | str | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    foreign_key: Any = ...,
    on_delete: str | None = ...,
    on_update: str | None = ...,
    deferrable: Any = ...,
    check: Any = ...,
    collation: str | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    exclude_from_select: bool = ...,
    update_default: Any = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
@overload
def Column(  # pyright: ignore[reportOverlappingOverload]
    *,
    primary_key: bool = ...,
    auto_increment: Literal[False] = ...,
    unique: bool = ...,
    index: bool | str | None = ...,
    nullable: Literal[False] | None = ...,
    type: SQLType | str | None = ...,
    max_length: int | None = ...,
    precision: int | None = ...,
    scale: int | None = ...,
    foreign_key: Any = ...,
    on_delete: str | None = ...,
    on_update: str | None = ...,
    deferrable: Any = ...,
    check: Any = ...,
    collation: str | None = ...,
    name: str | None = ...,
    comment: str | None = ...,
    renamed_from: str | None = ...,
    exclude_from_select: bool = ...,
    update_default: Any = ...,
    **pydantic_field_arguments: Any,
) -> Any: ...
def Column(  # noqa: N802 - it stands where Pydantic has Field
    *,
    default: Any = PydanticUndefined,
    default_factory: Any = None,
    server_default: Any = None,
    update_default: Any = None,
    primary_key: bool = False,
    auto_increment: bool | Literal["always", "serial"] = False,
    unique: bool = False,
    index: bool | str | None = None,
    nullable: bool | None = None,
    type: SQLType | str | None = None,  # noqa: A002 - the contract's name
    max_length: int | None = None,
    precision: int | None = None,
    scale: int | None = None,
    foreign_key: Any = None,
    on_delete: str | None = None,
    on_update: str | None = None,
    deferrable: Any = None,
    check: Any = None,
    computed: str | None = None,
    collation: str | None = None,
    name: str | None = None,
    comment: str | None = None,
    renamed_from: str | None = None,
    exclude_from_select: bool = False,
    **pydantic_field_arguments: Any,
) -> Any:
    """A field of a Table, with what its column needs beyond the annotation.

    Args:
        default: the Python default. Text that reads as SQL ("NOW()") on a column that is not text, or an expression
            (`func.now()`), is a server default.
        default_factory: makes the Python default.
        server_default: SQL text or an expression; the field is None until the row is saved. Beside a Python default it is for
            rows that others insert: an instance has the Python default, and that is sent.
        update_default: an expression that every UPDATE sets.
        primary_key: part of the key.
        auto_increment: True for `GENERATED BY DEFAULT AS IDENTITY`, "always" for `GENERATED ALWAYS AS IDENTITY`, which refuses
            values that are sent, and "serial" for a default from a sequence that the column owns, as older databases have.
        unique: a unique constraint on this column alone.
        index: an index on this column alone; a str names it. A foreign key has one without asking, and False leaves it out.
        nullable: overrides what the annotation says; True on a bare type also accepts None.
        type: the SQL type, where the annotation's natural one does not suit.
        max_length: varchar(n), checked by Pydantic too.
        precision: digits of numeric(p, s).
        scale: of them, digits behind the point.
        foreign_key: "table.column", a Table class or a column of one; an index comes with it, unless index=False.
        on_delete: CASCADE, SET NULL, SET DEFAULT, RESTRICT or NO ACTION.
        on_update: the same, when the key changes.
        deferrable: True, or "initially deferred".
        check: a condition, as SQL text.
        computed: the expression of a generated column.
        collation: of the column.
        name: the column's name, where it is not the field's.
        comment: kept in the database.
        renamed_from: what the column was called before, for `data-bridge migrate make`; it may stay.
        exclude_from_select: not loaded unless asked for.
        pydantic_field_arguments: those of pydantic.Field; behind a Link also `fields`, the names of declared fields that
            hold the other row's key.

    >>> from data_bridge.orm import Column, Table
    >>> class Product(Table):
    ...     id: int = Column(primary_key=True, auto_increment=True)
    ...     name: str = Column(max_length=80, unique=True)
    """
    pydantic_field_arguments.pop("init", None)
    link_fields = pydantic_field_arguments.pop("fields", ())
    link_fields = (link_fields,) if isinstance(link_fields, str) else tuple(link_fields)
    text_default = None
    if isinstance(default, Node):
        server_default, default = default, None  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(default, str) and is_expression(default):
        text_default, default = default, None
    spec = ColumnSpec(
        primary_key=primary_key, auto_increment=auto_increment, unique=unique, index=index, nullable=nullable, type=type,
        max_length=max_length, precision=precision, scale=scale, foreign_key=foreign_key, on_delete=on_delete, on_update=on_update,
        deferrable=deferrable, check=check, computed=computed, collation=collation, name=name, comment=comment,
        renamed_from=renamed_from,
        exclude_from_select=exclude_from_select, server_default=server_default if server_default is not None else text_default,
        update_default=update_default, text_default=text_default, link_fields=link_fields,
    )  # fmt: skip
    if default is PydanticUndefined and default_factory is None and (spec.is_filled_by_server or nullable):
        default = None
    if default_factory is not None:
        pydantic_field_arguments["default_factory"] = default_factory
    else:
        pydantic_field_arguments["default"] = default
    info: FieldInfo = Field(**pydantic_field_arguments)
    if max_length is not None:
        info.metadata.append(MaxLen(max_length))
    info.metadata.append(spec)
    return info


def spec_of(info: FieldInfo) -> ColumnSpec | None:
    """The ColumnSpec in a field's metadata; the last one, which is the nearest to the class."""
    return next((m for m in reversed(info.metadata) if isinstance(m, ColumnSpec)), None)


@overload
def col(column: ColumnProxy[T], name: None = None) -> ColumnProxy[T]: ...
@overload
def col(column: type[Table], name: str) -> ColumnProxy[Any]: ...
@overload
def col(column: T, name: None = None) -> ColumnProxy[T]: ...
def col(column: Any, name: str | None = None) -> Any:
    """The typed column of a field in the bare spelling: `col(User.age)`; `col(User, "age")` finds it by name.

    Raises:
        AttributeError: for an unknown name, with a near match.
        TypeError: for something that is not a column.
    """
    if name is not None:
        return entity_of(column).source.column(name)
    if isinstance(column, Expr):
        return column  # pyright: ignore[reportUnknownVariableType]
    raise TypeError(f"col() takes a column such as User.age, not {type(column).__name__}")
