"""What update() takes: mappings, keywords, operators; and what a field sends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from data_bridge.core.errors import EncodeError
from data_bridge.orm.mapping.field import Field
from data_bridge.orm.persistence.operators import Operator
from data_bridge.query import ColumnProxy, DocumentPath, Node
from data_bridge.query.spi import build, place_of, with_parts

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

Assignment = tuple[Field, Any, tuple[Any, ...]]


def stored(entity: Entity, field: Field, value: Any) -> Any:
    """The value as it is sent for a column.

    Raises:
        EncodeError: naming the field.
    """
    if value is None or type(value) is field.type.python:
        return value
    if field.key in entity.documents:
        value = entity.document(field.key, value)
    return entity.columns[field.key].bind(value)


def rounded(entity: Entity, sent: Iterable[str], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The sent fields whose values the server may round."""
    known = entity.rounded
    return tuple([k for k in sent if k in known and not known[k](values[k])]) if known else ()


def refuse_computed(entity: Entity, keys: Iterable[str]) -> None:
    """Looks whether the database accepts values for these fields.

    Raises:
        EncodeError: it computes one of them.
    """
    for k in keys:
        if entity.by_key[k].spec.computed:
            raise EncodeError(f"{entity.label}.{k} is computed by the database and cannot be set")


def assignments(
    entity: Entity, values: Any, operators: Iterable[Any], keywords: Mapping[str, Any], *, defaults: bool = True
) -> list[Assignment]:
    """Field, structure and parameters for everything that is to be set.

    Raises:
        AttributeError: for an unknown field, with a near match.
        ValidationError: of Pydantic, with Settings.validate_on_save.
        EncodeError: for a value that does not fit, or a field, or a part of a document, that is set twice.
    """
    made: list[Assignment] = []
    seen: set[str] = set()

    parts: dict[str, list[tuple[DocumentPath[Any], Any]]] = {}

    def add_part(path: DocumentPath[Any], value: Any) -> None:
        root, _ = place_of(path)
        parts.setdefault(entity.field(root).key, []).append((path, value))

    def add(key: Any, value: Any) -> None:
        if isinstance(key, DocumentPath):
            add_part(key, value)  # pyright: ignore[reportUnknownArgumentType]
            return
        if entity.links and not isinstance(key, ColumnProxy):
            name = getattr(key, "__link_name__", key)
            relation = entity.relations.get(name) if isinstance(name, str) else None
            if relation is not None and relation.kind == "link":
                for near, part in zip(relation.near, relation.key_of(value), strict=True):
                    add(near, part)
                return
        field = entity.field(key)
        if field.key in seen:
            raise EncodeError(f"{entity.label}.{field.key} is set twice")
        refuse_computed(entity, (field.key,))
        seen.add(field.key)
        if isinstance(value, Node):
            made.append((field, value.s, value.p))
        elif hasattr(value, "__operand__") and not isinstance(value, type):
            s, p = value.__operand__()
            made.append((field, s, p))
        else:
            if entity.settings.validate_on_save:
                value = entity.validated(field.key, value)
            made.append((field, build.PLACE, (stored(entity, field, value),)))

    given: tuple[Any, ...] = (*operators,) if values is None else (values, *operators)
    for operator in (*given, keywords):
        if isinstance(operator, Mapping):
            for key, value in dict[Any, Any](operator).items():  # pyright: ignore[reportUnknownArgumentType]
                add(key, value)
            continue
        if not isinstance(operator, Operator):
            raise TypeError(
                f"update() takes mappings, keywords and operators such as Inc(…), not {type(operator).__name__}"
            )
        for key, value in operator.pairs.items():
            if isinstance(key, DocumentPath):
                add_part(key, operator.expression(key, value))  # pyright: ignore[reportUnknownArgumentType]
                continue
            field = entity.field(key)
            add(field.key, operator.expression(entity.columns[field.key], value))
    for key, set_parts in parts.items():
        if key in seen:
            raise EncodeError(f"{entity.label}.{key} is set twice")
        seen.add(key)
        made.append((entity.by_key[key], *with_parts(entity.columns[key].s, set_parts)))
    return made + update_defaults(entity, seen) if defaults and made else made


def plain_assignments(entity: Entity, given: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...]] | None:
    """What assignments() makes of values by the names of their fields, by a shape that is made once for these names.

    Returns:
        What build.update() takes, and the parameters; None where a value is an expression, or a name is not that of a field.
    """
    at = ("plain", *given)
    shape = entity.shapes.get(at)
    if shape is None:
        shape = entity.shapes[at] = _plain_shape(entity, given)
    fields, sets, constants = shape
    params: list[Any] = []
    for field, value in zip(fields, given.values(), strict=False):
        if value is None or type(value) is field.type.python:
            params.append(value)
        elif isinstance(value, Node) or hasattr(value, "__operand__"):
            return None
        else:
            params.append(stored(entity, field, value))
    return (sets, (*params, *constants)) if fields else None


def _plain_shape(entity: Entity, given: Collection[str]) -> tuple[Any, Any, Any]:
    fields = [entity.by_key.get(k) for k in given]
    defaults = [(n, d) for n, d in entity.update_defaults if entity.source.columns[n].__column__.key not in given]
    is_special = entity.settings.validate_on_save or not all(isinstance(d, Node) for _, d in defaults)
    if is_special or any(f is None or f.spec.computed for f in fields):
        return (), (), ()
    sets = (*((f.name, build.PLACE) for f in fields if f is not None), *((n, d.s) for n, d in defaults))
    return tuple(fields), sets, tuple(v for _, d in defaults for v in d.p)


def update_defaults(entity: Entity, named: Collection[str]) -> list[Assignment]:
    """What every UPDATE sets, beside the fields that it names."""
    made: list[Assignment] = []
    for name, default in entity.update_defaults:
        field = entity.by_key[entity.source.columns[name].__column__.key]
        if field.key in named:
            continue
        if isinstance(default, Node):
            made.append((field, default.s, default.p))
        else:
            made.append((field, build.PLACE, (stored(entity, field, default() if callable(default) else default),)))
    return made


def getter(names: tuple[str, ...]) -> Any:
    """A function from a dict to the tuple of these values."""
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return _nothing
    only = names[0]

    def one(values: dict[str, Any]) -> tuple[Any]:
        return (values[only],)

    return one


def _nothing(_: object) -> tuple[()]:
    return ()
