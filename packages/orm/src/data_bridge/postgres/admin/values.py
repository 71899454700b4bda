"""Fields of forms that keep a value exactly: what a form shows and sends back is not a change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin.fields import (
    BooleanField,
    EnumField,
    HasMany,
    HasOne,
    PasswordField,
    StringField,
    TextAreaField,
)

__all__ = [
    "BoolValue",
    "DateTimeValue",
    "DateValue",
    "EnumValue",
    "JsonValue",
    "LinkValue",
    "ManyValue",
    "NumberValue",
    "OptionalBoolValue",
    "RevisionValue",
    "SecretValue",
    "TextValue",
    "Value",
    "sent_back",
    "submitted",
    "text_of",
]


def text_of(row: Any, key: str, *, is_json: bool = False) -> str | None:
    """Returns the value of a field as a form shows it: the text that Pydantic reads again as the same value; None for NULL."""
    value = getattr(row, key)
    if value is None:
        return None
    dumped = row.model_dump(mode="json", include={key}, warnings=False).get(key, value)
    if isinstance(dumped, str) and not is_json:
        return dumped
    return json.dumps(dumped, ensure_ascii=False, default=str)


def submitted(text: str) -> str:
    """Returns a text that a browser has sent, which ends lines as networks do, with the line ends of Python."""
    return text.replace("\r\n", "\n")


def sent_back(text: str) -> str:
    """Returns what comes back of a text that a form shows: a textarea loses its first empty line."""
    return submitted(text).removeprefix("\n")


class SubmittedText:
    """The part of a field that reads what a browser has sent."""

    id: str

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        """The text that was sent, with the line ends of Python."""
        raw = form_data.get(self.id)
        return None if raw is None else submitted(str(raw))


@dataclass
class Value(SubmittedText, StringField):
    """A value on one line, read and checked by the class."""

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        return text_of(obj, self.name)


@dataclass
class NumberValue(Value):
    """A number: a text, as the numbers of browsers are binary fractions."""


@dataclass
class RevisionValue(NumberValue):
    """The revision of the row that a form was made from, which the form sends back: it is shown, and not `read_only`, as fields
    that are do not come back.
    """

    def input_params(self) -> str:
        """The attributes of the input."""
        return f"{super().input_params()} readonly"


@dataclass
class DateValue(Value):
    """A date."""

    input_type: str = "date"


@dataclass
class DateTimeValue(Value):
    """A date with a time and, where the column has one, a zone, as ISO 8601: the pickers of browsers have no microseconds."""


@dataclass
class TextValue(SubmittedText, TextAreaField):
    """Text of any number of lines."""

    rows: int = 2


@dataclass
class JsonValue(SubmittedText, TextAreaField):
    """A document or an array, as JSON text: an editor in JavaScript rounds numbers."""

    rows: int = 4

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        return text_of(obj, self.name, is_json=True)


@dataclass
class SecretValue(PasswordField):
    """A secret, which is never shown. An empty input leaves it as it is."""

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        return None


@dataclass
class BoolValue(BooleanField):
    """A bool that is not NULL."""


@dataclass
class EnumValue(EnumField):
    """A member of an enum."""

    async def serialize_none_value(self, request: Request) -> Any:
        """NULL has no member."""
        return None


@dataclass
class OptionalBoolValue(EnumField):
    """A bool or NULL."""

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        value = getattr(obj, self.name)
        return None if value is None else str(value).lower()


@dataclass
class LinkValue(HasOne):
    """The row that a link leads to."""

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        linked = getattr(obj, self.name)
        return linked.get() if linked is not None and getattr(linked, "is_loaded", False) else linked


@dataclass
class ManyValue(HasMany):
    """The rows of a many-to-many relation."""

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """What a page shows of the row."""
        return list(getattr(obj, self.name))
