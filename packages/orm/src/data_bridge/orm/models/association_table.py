"""The table between two others, where a many-to-many relation only names it."""

from __future__ import annotations

from typing import Any

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm import registry
from data_bridge.orm.mapping.column import Column
from data_bridge.orm.mapping.constraints import ForeignKey, Index
from data_bridge.orm.mapping.relation import Relation
from data_bridge.orm.models.metaclass import TableMeta
from data_bridge.orm.models.table import Table
from data_bridge.orm.registry import entity_of


def table(relation: Relation, name: str) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """The class of the table and its fields for either side; both sides of a relation share it."""
    owner, other = relation.owner, relation.cls
    given = relation.declaration.given
    near = _fields(relation, owner, given.near)
    far = _fields(
        relation, other, given.far or (None if other is not owner else f"other_{relation.side_name(other)}_id")
    )
    if set(near) & set(far):
        raise ConfigurationError(f"{relation.label}: near= and far= name the same column")
    for known in registry.through_tables():
        entity = known.__db__
        if entity.settings.name == name and entity.settings.schema == relation.entity.settings.schema:
            if set(entity.keys) == {*near, *far} and {s.cls for s in known.__db_sides__} == {owner, other}:
                relation.__dict__["_kept"] = known
                return known, near, far
            if {s.cls for s in known.__db_sides__} == {owner, other}:
                raise ConfigurationError(
                    f"{relation.label} and the other side call the columns of {name!r} differently: {', '.join(entity.keys)}"
                )
    made = _make(relation, name, near, far)
    relation.__dict__["_kept"] = made
    return made, near, far


def _fields(relation: Relation, cls: Any, given: str | None) -> tuple[str, ...]:
    keys = entity_of(cls).pk_keys
    if len(keys) == 1:
        return (given or f"{relation.side_name(cls)}_id",)
    prefix = given or relation.side_name(cls)
    return tuple(f"{prefix}_{k}" for k in keys)


class Side:
    """One side of a table between."""

    def __init__(self, cls: Any, fields: tuple[str, ...]) -> None:
        self.cls = cls
        self.fields = fields


def _make(relation: Relation, name: str, near: tuple[str, ...], far: tuple[str, ...]) -> Any:
    annotations: dict[str, Any] = {}
    ns: dict[str, Any] = {"__module__": relation.owner.__module__, "__annotations__": annotations}
    keys: list[Any] = []
    sides = (Side(relation.owner, near), Side(relation.cls, far))
    for side in sides:
        entity = entity_of(side.cls)
        for key, field in zip(side.fields, entity.primary_key, strict=True):
            annotations[key] = field.annotation
            ns[key] = Column(primary_key=True, type=field.type)
        keys.append(ForeignKey(list(side.fields), side.cls, list(entity.pk_names), on_delete="CASCADE"))
    owner = relation.entity.settings
    settings: dict[str, Any] = {"name": name, "constraints": keys, "indexes": [Index(*far)], "using": owner.using}
    if owner.schema is not None:
        settings["schema"] = owner.schema
    label = "".join(part.capitalize() for part in name.split("_"))
    ns["__qualname__"] = label
    # Pydantic takes it for an inner class by its name.
    ns["Settings"] = type(
        "Settings", (), {**settings, "__module__": ns["__module__"], "__qualname__": f"{label}.Settings"}
    )
    meta: Any = TableMeta
    made: Any = meta(label, (Table,), ns)
    type.__setattr__(made, "__db_sides__", sides)
    registry.add_through(made)
    return made


Relation.make_association = table
