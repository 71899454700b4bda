"""Which columns a query of a Table selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data_bridge.query.spi import Columns, build

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.field import Field


def chosen_columns(fields: Sequence[Field], source: Any) -> Columns:
    """These columns of `source`."""
    names = tuple((f.name, f.type) for f in fields)
    return Columns((build.columns(source.name if source else None, (f.name for f in fields)),), (), source, names)


def loaded_columns(entity: Entity, source: Any) -> Columns:
    """All columns of an instance; one object for each source, so that the same query is the same structure."""
    at = ("columns", source.name)
    found: Columns | None = entity.shapes.get(at)
    if found is None:
        found = entity.shapes[at] = chosen_columns(entity.loaded, source)
    return found
