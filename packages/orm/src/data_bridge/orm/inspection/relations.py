"""Links, back links and many-to-many relations, from the foreign keys between the tables of some classes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from data_bridge.orm.inspection.column_types import quoted
from data_bridge.orm.inspection.names import attribute_name, free, plural, singular
from data_bridge.orm.inspection.table_class import FieldLine, Key, TableClass
from data_bridge.orm.mapping.settings import snake_case
from data_bridge.query import ConstraintDef

__all__ = ["add_relations"]


def add_relations(classes: Sequence[TableClass], reserved: Container[str]) -> None:
    """Turns columns with a foreign key into links, and adds back links to the other classes."""
    by_key = {made.key: made for made in classes}
    for made in classes:
        for constraint in made.table.constraints:
            _add_link(made, constraint, by_key, reserved)
        made.is_association = _is_association(made)
    for made in classes:
        if made.is_association:
            _add_many(made, by_key, reserved)
        else:
            _add_back_links(made, by_key, reserved)


def _target(c: ConstraintDef, by_key: Mapping[Key, TableClass]) -> TableClass | None:
    return None if c.references is None else by_key.get(c.references)


def _linked(link: FieldLine, by_key: Mapping[Key, TableClass]) -> TableClass | None:
    return None if link.key is None else _target(link.key, by_key)


def _add_link(made: TableClass, c: ConstraintDef, by_key: Mapping[Key, TableClass], reserved: Container[str]) -> None:
    """A link for a key of one column that points to the primary key of a class."""
    target = _target(c, by_key)
    if c.kind != "foreign_key" or target is None or len(c.columns) != 1:
        return
    if c.references_columns != target.table.primary_key:
        return
    at = next(i for i, f in enumerate(made.fields) if f.column == c.columns[0])
    field = made.fields[at]
    if field.key is not None:
        return
    column = c.columns[0]
    base = column[:-3] if column.lower().endswith("_id") and len(column) > 3 else column
    others = made.names - {field.name}
    names = [n for n in (base, f"{base}_link") if f"{attribute_name(n, reserved)}_id" not in others]
    name = free([attribute_name(n, reserved) for n in names] or [f"{base}_row"], others)
    may_be_none = "None" in field.annotation
    kept = {k: v for k, v in field.arguments.items() if k in ("primary_key", "server_default", "comment", "default")}
    # A link has the type of the key that it holds, unless the database says otherwise.
    if made.table.column(column).type.name != target.table.column(c.references_columns[0]).type.name:
        kept.update({k: v for k, v in field.arguments.items() if k in ("type", "max_length", "precision", "scale")})
        kept.setdefault("type", quoted(made.table.column(column).type.name))
    if f"{name}_id" != column:
        kept["name"] = quoted(column)
    annotation = f"Link[{target.name}{' | None' if may_be_none else ''}]"
    made.fields[at] = FieldLine(name, annotation, "Column", kept, column, c)
    made.imports.add(("data_bridge.postgres", "Link"))


def _is_association(made: TableClass) -> bool:
    """Whether the table has nothing but links to two tables, which are its key."""
    links = [f for f in made.fields if f.key is not None]
    columns = {f.column for f in links}
    if len(links) != 2 or len(made.table.columns) != 2:
        return False
    keys = [set(c.columns) for c in made.table.constraints if c.kind in ("primary_key", "unique")]
    return columns in keys


def _add_many(made: TableClass, by_key: Mapping[Key, TableClass], reserved: Container[str]) -> None:
    first, second = (f for f in made.fields if f.key is not None)
    for near, far in ((first, second), (second, first)):
        owner, target = _linked(near, by_key), _linked(far, by_key)
        if owner is None or target is None:
            continue
        arguments = {"through": quoted(made.name)}
        if owner is target:
            arguments.update(near=quoted(near.name), far=quoted(far.name))
        # The way back of a relation between rows of one table: a user's friends, and those who have the user as a friend.
        wanted = [plural(far.name) if near is first else f"{plural(near.name)}_of"]
        if owner is not target:
            wanted = [plural(_word(target)), f"{_word(made)}_{plural(_word(target))}"]
        name = free([attribute_name(w, reserved) for w in wanted], _taken(owner))
        owner.fields.append(FieldLine(name, f"ManyToMany[{target.name}]", "ManyToMany", arguments))
        owner.imports.add(("data_bridge.postgres", "ManyToMany"))


def _add_back_links(made: TableClass, by_key: Mapping[Key, TableClass], reserved: Container[str]) -> None:
    links = [f for f in made.fields if f.key is not None]
    for link in links:
        target = _linked(link, by_key)
        if target is None or link.key is None:
            continue
        unique = [c.columns for c in made.table.constraints if c.kind in ("primary_key", "unique")]
        is_one = (link.column,) in unique
        word = _word(made) if is_one else plural(_word(made))
        same = [f for f in links if f.key is not None and f.key.references == link.key.references]
        own = f"{link.name}_{word}"
        wanted = [word, own] if len(same) == 1 else [own]
        if target is made:
            wanted = ["children" if link.name == "parent" else own]
        name = free([attribute_name(w, reserved) for w in wanted], _taken(target))
        inner = f"{made.name} | None" if is_one else f"list[{made.name}]"
        target.fields.append(FieldLine(name, f"BackLink[{inner}]", "BackLink", {"": quoted(link.name)}))
        target.imports.add(("data_bridge.postgres", "BackLink"))


def _taken(made: TableClass) -> set[str]:
    """Names of attributes, and of the columns that links make."""
    return made.names | {f"{f.name}_id" for f in made.fields if f.key is not None}


def _word(made: TableClass) -> str:
    return singular(snake_case(made.name))
