"""The classes of a schema that the catalog describes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.inspection.columns import add_columns, used_types
from data_bridge.orm.inspection.names import attribute_name, class_name, free, table_names
from data_bridge.orm.inspection.relations import add_relations
from data_bridge.orm.inspection.table_class import EnumClass, Key, TableClass
from data_bridge.orm.inspection.table_settings import add_settings
from data_bridge.orm.mapping.settings import snake_case
from data_bridge.orm.models.table import Table
from data_bridge.query import ddl
from data_bridge.query.catalog import Schema

__all__ = ["classes_of"]


class _Reserved:
    """Names that a field cannot have: those of Table and of Pydantic."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and hasattr(Table, name)


def classes_of(
    schema: Schema, *, names: Mapping[str, str], left_out: Collection[str] = ()
) -> tuple[list[EnumClass], list[TableClass], list[str]]:
    """The enums, the tables and the views as classes, and the tables that have no primary key, of which a class cannot be made.

    `names` are those of classes by table, `schema.table` or `table`; `left_out` are tables that never become models.

    Raises:
        ConfigurationError: a name is given for a table that is not there, or is not a name.
    """
    tables = [t for t in schema.tables.values() if set(left_out).isdisjoint(table_names(schema, t))]
    without_key = [t.name for t in tables if not t.primary_key]
    tables = [t for t in tables if t.primary_key]
    tables.sort(key=lambda t: (t.schema or "", t.name))
    views = {(view.schema, view.name): view for view in ddl.views_in_order(schema.views.values())}
    tables += [v.source.__table_def__.replace(comment=v.comment, indexes=v.indexes) for v in views.values()]
    known = {name for t in tables for name in table_names(schema, t)}
    for path, name in names.items():
        if path not in known:
            raise ConfigurationError(f"a class name is given for the table {path!r}, which is not there")
        if not name.isidentifier():
            raise ConfigurationError(f"{name!r} is not a name for the class of {path!r}")
    taken: set[str] = set(_IMPORTED)
    made: list[TableClass] = []
    for table in tables:
        plain, path = table_names(schema, table)
        given = names.get(path) or names.get(plain)
        usual = class_name(table.name)
        name = given or free(
            [usual, f"{class_name(table.schema or '')}{usual}" if table.schema else f"{usual}Row"], taken
        )
        taken.add(name)
        made.append(TableClass(name, table, views.get((table.schema, table.name))))
    enums: dict[Key, EnumClass] = {}
    used = used_types(tables)
    for key, enum in schema.enums.items():
        if key not in used:
            continue
        usual = class_name(enum.name)
        name = free([usual, f"{usual}Kind"], taken)
        taken.add(name)
        enums[key] = EnumClass(name, enum.name, enum.schema, _members(enum.values))
    for item in made:
        add_columns(item, schema, enums, _Reserved())
    add_relations(made, _Reserved())
    for item in made:
        add_settings(item, snake_case(item.name))
    return list(enums.values()), made, without_key


_IMPORTED = frozenset(
    {
        "Any", "BackLink", "Check", "Col", "Column", "Decimal", "Enum", "Exclude", "ForeignKey", "Index", "Link", "ManyToMany",
        "Range", "Table", "UUID", "Unique", "View", "date", "datetime", "sql", "time", "timedelta", "types",
    }
)  # fmt: skip


def _members(labels: Collection[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for label in labels:
        word = re.sub(r"\W+", "_", label).strip("_").upper() or "EMPTY"
        name = attribute_name(word, ("MRO",)).upper()
        found.append((free([name], {n for n, _ in found}), label))
    return found
