"""Relations of generic classes: `Link[T]` is a relation when T is given, of `Base[User]` to User."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.forward_ref import key_names
from data_bridge.orm.mapping.link import RelationAnnotation


def give_types(owner: str, ns: dict[str, Any], generic: Mapping[str, Any] | None) -> None:
    """Declares in a parametrised class the relations of its origin that are to what its type variables stand for.

    Raises:
        ConfigurationError: for a link to a table with a key of several columns.
    """
    origin: Any = None if generic is None else generic.get("origin")
    if generic is None or origin is None or not hasattr(origin, "__db_declared__"):
        return
    meant = dict(zip(origin.__pydantic_generic_metadata__["parameters"], generic["args"], strict=False))
    for name, declared in _open_relations(origin):
        of = meant.get(declared.target.given)
        if of is None:
            continue
        if declared.kind == "link" and isinstance(of, type) and len(key_names(of)) > 1:
            raise ConfigurationError(
                f"{owner}.{name}: {of.__name__} has a key of several columns, which a link of a generic class cannot hold: declare "
                f"{name}: Link[{of.__name__}] in a class of its own"
            )
        argument: Any = list[of] if declared.is_list and declared.kind == "back" else of  # type: ignore[valid-type]
        annotation = RelationAnnotation(declared.kind, argument, is_optional=declared.is_optional)
        ns.setdefault("__annotations__", {})[name] = annotation
        given = copy.deepcopy(declared.target.given_info)
        if given is not None:
            ns[name] = given


def refuse_open_relations(cls: Any) -> None:
    """A table whose base has relations to a type variable says what it stands for.

    Raises:
        ConfigurationError: naming the relation, with the spelling.
    """
    for name, declared in _open_relations(cls):
        origin = declared.target.owner
        variable = declared.target.given.__name__
        raise ConfigurationError(
            f"{cls.__name__}.{name} points to {variable}, which stands for nothing here: say for what, as in class "
            f"{cls.__name__}({origin}[User]), or make {cls.__name__} abstract with Settings.abstract = True"
        )


def _open_relations(cls: Any) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, declared in base.__dict__.get("__db_declared__", {}).items():
            if name not in seen and isinstance(declared.target.given, TypeVar):
                yield name, declared
            seen.add(name)
