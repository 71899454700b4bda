"""What the definitions of a schema have in common: frozen fields that compare by what they say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, dataclass_transform

from ..expressions.node import Node

__all__ = ["Definition", "field"]

_REQUIRED: Any = object()


class _Field:
    """The default of a field that is given by name."""

    __slots__ = ("default",)

    def __init__(self, default: Any) -> None:
        self.default = default


def field(*, default: Any, kw_only: bool) -> Any:
    """A field with a default; checkers read the two arguments (PEP 681)."""
    return _Field(default) if kw_only else default


def _key(value: Any) -> Any:
    """Expressions compare by what they are, not by making another expression."""
    if isinstance(value, Node):
        node: Node[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ("node", node.s, node.p)
    statement = getattr(value, "__statement__", None)
    if statement is not None:
        made = statement()
        return ("statement", made.ir, made.params)
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return tuple(_key(item) for item in items)
    parts = (getattr(value, "s", None), getattr(value, "p", None))
    return ("order", *parts) if parts[0] is not None else value


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Definition:
    """A frozen record.

    Not a dataclass: the module of that name brings inspect, ast and tokenize, and to make its classes took a quarter of
    the time in which this package is imported.

    >>> from data_bridge.query import EnumDef
    >>> EnumDef("mood", ("sad", "glad")).replace(schema="app")
    EnumDef(name='mood', values=('sad', 'glad'), schema='app', comment=None)
    """

    _defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    _ignored: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no part of equality."""
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        # Those of the base come first.
        defaults: dict[str, Any] = dict(cls._defaults)
        positional: list[str] = list(cls.__match_args__)
        for name in cls.__annotations__:
            if name.startswith("_"):
                continue
            found = cls.__dict__.get(name, _REQUIRED)
            if isinstance(found, _Field):
                defaults[name] = found.default
                setattr(cls, name, found.default)
            else:
                defaults[name] = found
                positional.append(name)
        cls._defaults = defaults
        type.__setattr__(cls, "__match_args__", tuple(positional))

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        if len(values) > len(cls.__match_args__):
            raise TypeError(
                f"{cls.__name__}() takes {len(cls.__match_args__)} values without a name, not {len(values)}"
            )
        given = dict(zip(cls.__match_args__, values, strict=False))
        if wrong := [name for name in named if name in given or name not in cls._defaults]:
            raise TypeError(f"{cls.__name__}() takes {wrong[0]} once" if wrong[0] in given else self._unknown(wrong[0]))
        fields = {**cls._defaults, **given, **named}
        if missing := [name for name, value in fields.items() if value is _REQUIRED]:
            raise TypeError(f"{cls.__name__}() needs {', '.join(missing)}")
        self.__dict__.update(fields)

    def _unknown(self, name: str) -> str:
        return f"{type(self).__name__}() has no {name}; it has {', '.join(self._defaults)}"

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed; TypeError for a name that is not a field."""
        return type(self)(**{**{name: self.__dict__[name] for name in self._defaults}, **changes})

    __replace__ = replace

    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by name; those without a default always.

        >>> from data_bridge.query import EnumDef
        >>> EnumDef("mood", ("sad", "glad"), schema="app").given()
        {'name': 'mood', 'values': ('sad', 'glad'), 'schema': 'app'}
        """
        fields = self.__dict__
        return {name: fields[name] for name, default in self._defaults.items() if _key(fields[name]) != default}

    def _fields(self) -> tuple[Any, ...]:
        return tuple(_key(self.__dict__[name]) for name in self._defaults if name not in self._ignored)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Definition) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(repr(self._fields()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in self._defaults)})"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} does not change; use .replace({name}=…)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} does not change; {name} stays")
