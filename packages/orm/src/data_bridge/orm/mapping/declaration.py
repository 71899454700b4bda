"""Relations as a class body declares them: found among its annotations and taken out before Pydantic sees them."""

from __future__ import annotations

import copy
import re
import sys
import types as python_types
import typing
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.column import Column, spec_of
from data_bridge.orm.mapping.forward_ref import Target
from data_bridge.orm.mapping.link import BackLink, Link, ManyToMany, RelationAnnotation

_SUBSCRIPT = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*\[(.*)\]\s*$", re.DOTALL)
_LIST = re.compile(r"^(?:typing\.)?(?:list|List|Sequence)\s*\[(.*)\]$", re.DOTALL)
_OPTIONAL = re.compile(r"^(?:typing\.)?Optional\s*\[(.*)\]$|^(.*?)\s*\|\s*None$|^None\s*\|\s*(.*)$", re.DOTALL)


class Declaration(NamedTuple):
    """One relation of a class body."""

    kind: str
    """link, back or many."""
    name: str
    target: Target
    is_list: bool
    is_optional: bool
    given: Any
    """What stood behind the `=`: a BackLink, a ManyToMany, or None."""
    fields: tuple[str, ...]
    """Of a link: the own fields with the key of the other row."""


def _kind(head: Any) -> str | None:
    return {Link: "link", BackLink: "back", ManyToMany: "many"}.get(head) if isinstance(head, type) else None


def _read(owner: str, name: str, annotation: Any, scope: dict[str, Any]) -> tuple[str, Any, bool] | None:
    """Kind and argument of an annotation, and whether it says None; nothing for one that is not a relation.

    Raises:
        ConfigurationError: for a list of links.
    """
    if isinstance(annotation, RelationAnnotation):
        return annotation.kind, annotation.argument, annotation.is_optional
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return _read_text(owner, name, annotation.strip(), scope)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, python_types.UnionType):
        rest = [a for a in arguments if a is not type(None)]
        found = _read(owner, name, rest[0], scope) if len(rest) == 1 else None
        return None if found is None else (found[0], found[1], True)
    if origin in (list, set, tuple, Sequence) and arguments:
        found = _read(owner, name, arguments[0], scope)
        if found is not None:
            raise _list_of_links(owner, name, found[1])
    return None


def _read_text(owner: str, name: str, text: str, scope: dict[str, Any]) -> tuple[str, Any, bool] | None:
    found = _SUBSCRIPT.match(text)
    if found is not None:
        head: Any = None
        for part in found[1].split("."):
            head = scope.get(part) if head is None else getattr(head, part, None)
        kind = _kind(head)
        if kind is not None:
            return kind, found[2].strip(), False
    if inner := _LIST.match(text):
        listed = _read_text(owner, name, inner[1].strip(), scope)
        if listed is not None:
            raise _list_of_links(owner, name, listed[1])
    if inner := _OPTIONAL.match(text):
        optional = _read_text(owner, name, next(g for g in inner.groups() if g is not None).strip(), scope)
        return None if optional is None else (optional[0], optional[1], True)
    return None


def _list_of_links(owner: str, name: str, argument: Any) -> ConfigurationError:
    target = getattr(argument, "__name__", None) or str(argument).strip("\"'")
    return ConfigurationError(
        f"{owner}.{name}: a list of links is no column. Many to many is {name}: ManyToMany[{target}] = "
        f'ManyToMany(through="…"); where {target} has the link, {name}: BackLink[list[{target}]] = BackLink("…")'
    )


def _argument(argument: Any) -> tuple[Any, bool, bool]:
    """The target in an annotation: a class or its name, whether it is a list, whether it may be None."""
    is_list = is_optional = False
    if isinstance(argument, typing.ForwardRef):
        argument = argument.__forward_arg__
    if isinstance(argument, str):
        text = argument.strip().strip("\"'").strip()
        if found := _LIST.match(text):
            is_list, text = True, found[1].strip().strip("\"'")
        if found := _OPTIONAL.match(text):
            is_optional, text = True, next(g for g in found.groups() if g is not None).strip().strip("\"'")
        return text, is_list, is_optional
    if typing.get_origin(argument) in (typing.Union, python_types.UnionType):
        rest = [a for a in typing.get_args(argument) if a is not type(None)]
        inner, is_list, _ = _argument(rest[0])
        return inner, is_list, True
    if typing.get_origin(argument) is list:
        inner, _, is_optional = _argument(typing.get_args(argument)[0])
        return inner, True, is_optional
    return argument, False, False


def annotations_of(ns: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a class body; from Python 3.14 on they are evaluated when they are first read."""
    found: dict[str, Any] | None = ns.get("__annotations__")
    make = ns.get("__annotate_func__")
    if found is None and make is not None:
        library = import_module("annotationlib")
        found = library.call_annotate_function(make, library.Format.FORWARDREF)
    return found or {}


def take(owner: str, ns: dict[str, Any], scope: dict[str, Any], bases: tuple[type, ...]) -> dict[str, Declaration]:
    """Takes the relations out of a namespace; a link leaves the columns that hold the other row's key.

    Raises:
        ConfigurationError: for a link to a table with a key of several columns that are not declared.
    """
    annotations = annotations_of(ns)
    scope = {**vars(sys.modules.get(ns.get("__module__", ""), sys)), **scope, **ns}
    read = {n: found for n, a in annotations.items() if (found := _read(owner, n, a, scope)) is not None}
    if not read:
        return {}
    left: dict[str, Any] = {}
    made: dict[str, Declaration] = {}
    ns["__annotations__"] = left
    ns.pop("__annotate_func__", None)
    for name, annotation in annotations.items():
        if name not in read:
            left[name] = annotation
            continue
        kind, argument, says_none = read[name]
        inner, is_list, is_optional = _argument(argument)
        is_optional = is_optional or says_none
        if isinstance(inner, str) and isinstance(scope.get(inner), typing.TypeVar):
            inner = scope[inner]
        target = Target(inner, owner, name, ns, scope, annotations)
        given = ns.pop(name, None)
        if isinstance(inner, typing.TypeVar):
            target.given_info = copy.deepcopy(given)
        if kind == "link":
            fields = _columns(owner, name, given, target, is_optional, ns, annotations, left, bases)
            made[name] = Declaration("link", name, target, False, is_optional, None, fields)
        else:
            wanted = BackLink if kind == "back" else ManyToMany
            if given is not None and not isinstance(given, wanted):
                raise ConfigurationError(f"{owner}.{name} = {wanted.__name__}(…) belongs behind {wanted.__name__}[…]")
            if kind == "many" and given is None:
                raise ConfigurationError(f"{owner}.{name} needs its table: = ManyToMany(through=…)")
            made[name] = Declaration(kind, name, target, is_list or kind == "many", is_optional, given, ())
    return made


def _columns(
    owner: str,
    name: str,
    given: Any,
    target: Target,
    optional: bool,
    ns: dict[str, Any],
    declared: dict[str, Any],
    left: dict[str, Any],
    bases: tuple[type, ...],
) -> tuple[str, ...]:
    """Adds the columns of a link to the class body, or completes those that are there."""
    info: FieldInfo = given if isinstance(given, FieldInfo) else Column()
    spec = spec_of(info) or spec_of(_plain(info))
    assert spec is not None  # Column() made one
    keys = target.keys_now(bases)
    fields = spec.link_fields or _names(owner, name, keys)
    if spec.foreign_key is not None:
        target.column = spec.foreign_key
    target.options = spec
    if spec.link_fields or any(f in declared for f in fields):
        if keys is not None and len(keys) != len(fields):
            raise ConfigurationError(
                f"{owner}.{name}: fields={fields} for a key of {len(keys)} columns ({', '.join(keys)})"
            )
        for field in fields if len(fields) == 1 else ():
            own = ns.get(field)
            own_spec = spec_of(own) if isinstance(own, FieldInfo) else None
            if own_spec is None:
                default = own if field in ns else PydanticUndefined
                own = ns[field] = Column(default=default)
                own_spec = spec_of(own)
            assert own_spec is not None
            if own_spec.foreign_key is None:
                own_spec.foreign_key = target
            own_spec.link_part = (target, 0)
            own_spec.on_delete = own_spec.on_delete or spec.on_delete
            own_spec.on_update = own_spec.on_update or spec.on_update
        return fields
    if len(fields) > 1 and spec.name is not None:
        raise ConfigurationError(f"{owner}.{name}: name= for a key of several columns")
    for i, field in enumerate(fields):
        left[field] = target.annotation(i, optional)
        ns[field] = info if len(fields) == 1 else _copy(info)
        own_spec = spec_of(ns[field])
        if own_spec is None:
            ns[field] = _plain(ns[field])
            own_spec = spec_of(ns[field])
        assert own_spec is not None
        own_spec.foreign_key = target if len(fields) == 1 else None
        own_spec.link_part = (target, i)
        if optional and own_spec.nullable is None:
            own_spec.nullable = True
    return fields


def _names(owner: str, name: str, keys: tuple[str, ...] | None) -> tuple[str, ...]:
    return (f"{name}_id",) if keys is None or len(keys) == 1 else tuple(f"{name}_{k}" for k in keys)


def _plain(info: FieldInfo) -> FieldInfo:
    """A pydantic.Field() with what Column() adds."""
    made: FieldInfo = Column(default=info.default)
    return made


def _copy(info: FieldInfo) -> FieldInfo:
    spec = spec_of(info)
    made: FieldInfo = Column(
        default=info.default, primary_key=spec.primary_key if spec else False, nullable=spec.nullable if spec else None
    )
    return made
