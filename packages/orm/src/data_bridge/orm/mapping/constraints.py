"""Constraints and indexes of a Table class: from columns and from Settings."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from data_bridge.core import quote_identifier, quote_literal
from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.mapping.field import Field
from data_bridge.orm.mapping.forward_ref import Target
from data_bridge.orm.mapping.natural_type import is_enum
from data_bridge.orm.mapping.settings import Settings
from data_bridge.orm.registry import entity_if_table
from data_bridge.query import ColumnProxy, ConstraintDef, IndexDef, Node, TableDef, TableSource, default_name, sql
from data_bridge.query.spi import constraint_name

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity

_INDEX_KEYS = {
    "fields",
    "columns",
    "unique",
    "name",
    "method",
    "using",
    "where",
    "include",
    "nulls_not_distinct",
    "opclasses",
    "with_",
}


class Index:
    """An index for Settings.indexes: fields or expressions, and PostgreSQL's options.

    Args:
        fields: names of fields, paths into documents, or expressions; `sql("lower(email)").desc()` is one with an order.
        unique: whether equal rows are refused.
        name: of the index.
        method: btree, gin, gist, brin, hash or that of an extension.
        where: the condition of a partial index, as SQL text or an expression.
        include: fields that are only kept in the index.
        nulls_not_distinct: whether NULLs are equal, from PostgreSQL 15 on.
        opclasses: operator classes by field: `{"title": "gin_trgm_ops"}`.
        with_: storage parameters: `{"fillfactor": 70}`.

    >>> from data_bridge.postgres import Index
    >>> Index("email", unique=True).unique
    True
    """

    def __init__(
        self, *fields: Any, unique: bool = False, name: str | None = None, method: str | None = None, where: Any = None,
        include: tuple[str, ...] = (), nulls_not_distinct: bool = False, opclasses: Mapping[str, str] | None = None,
        with_: Mapping[str, str | int] | None = None,
    ) -> None:  # fmt: skip
        self.fields = fields
        self.unique = unique
        self.name = name
        self.method = method
        self.where = where
        self.include = include
        self.opclasses = dict(opclasses or {})
        self.with_ = dict(with_ or {})
        self.nulls_not_distinct = nulls_not_distinct


class Unique:
    """A unique constraint over several fields."""

    def __init__(
        self, *fields: str, name: str | None = None, nulls_not_distinct: bool = False, deferrable: Any = None
    ) -> None:
        self.fields = fields
        self.name = name
        self.nulls_not_distinct = nulls_not_distinct
        self.deferrable = deferrable


class Check:
    """A condition that every row fulfils, as SQL text or an expression."""

    def __init__(self, condition: Any, name: str | None = None) -> None:
        self.condition = condition
        self.name = name


class ForeignKey:
    """A foreign key over several fields: `ForeignKey(["a", "b"], "other", ["x", "y"])`.

    `table` is a Table or its name, `"schema.table"` in another schema. A key over the field of a Link is that of the link:
    it says its name.
    """

    def __init__(
        self, fields: list[str], table: Any, columns: list[str], *, name: str | None = None, on_delete: str | None = None,
        on_update: str | None = None, deferrable: Any = None,
    ) -> None:  # fmt: skip
        self.fields = fields
        self.table = table
        self.columns = columns
        self.name = name
        self.on_delete = on_delete
        self.on_update = on_update
        self.deferrable = deferrable


class Exclude:
    """An exclusion constraint: pairs of field and operator."""

    def __init__(
        self, *elements: tuple[str, str], method: str = "gist", where: str | None = None, name: str | None = None
    ) -> None:
        self.elements = elements
        self.method = method
        self.where = where
        self.name = name


def _condition(given: Any) -> Any:
    return sql(given) if isinstance(given, str) else given


def _deferrable(given: Any) -> Any:
    return {None: None, False: None, True: "deferrable"}.get(given, given)


def _action(given: str | None) -> Any:
    return None if given is None else given.upper().replace("_", " ").lower()


def target_of(field: Field, owner: str, cls: Any = None) -> tuple[str | None, str, str]:
    """Schema, table and column that a foreign key points to."""
    given = field.spec.foreign_key
    if isinstance(given, Target):
        return (*_table_of(given.cls(cls)), given.fields(cls)[0].name)
    if isinstance(given, str):
        parts = given.split(".")
        if len(parts) == 2:
            return None, parts[0], parts[1]
        if len(parts) == 3:
            return parts[0], parts[1], parts[2]
        raise ConfigurationError(
            f"{owner}.{field.key}: foreign_key={given!r} is not 'table.column' or 'schema.table.column'"
        )
    if isinstance(given, ColumnProxy):
        definition: Any = getattr(given.__column__.source, "__table_def__")  # noqa: B009 - only sources of tables have it
        return definition.schema, definition.name, given.__column__.name
    entity = entity_if_table(given)
    if entity is None or len(entity.pk_names) != 1:
        raise ConfigurationError(
            f"{owner}.{field.key}: foreign_key takes 'table.column', a Table with a key of one column, or a column"
        )
    return entity.definition.schema, entity.definition.name, entity.pk_names[0]


def _table_of(cls: Any) -> tuple[str | None, str]:
    """Schema and name of the table of a class, which may still wait for others."""
    entity = cls.__dict__.get("__db__")
    settings = Settings(cls) if entity is None else entity.settings
    return settings.schema, settings.name


def _link_keys(entity: Entity) -> list[ConstraintDef]:
    """The foreign keys of links to tables with a key of several columns."""
    said = {tuple(c.fields) for c in entity.settings.constraints if isinstance(c, ForeignKey)}
    made: list[ConstraintDef] = []
    for link in entity.links:
        if len(link.near) > 1 and link.near not in said:
            target, options = link.declaration.target, link.declaration.target.options
            made.append(
                ConstraintDef(
                    "foreign_key",
                    columns=tuple(entity.by_key[k].name for k in link.near),
                    references=_table_of(target.cls(entity.cls)),
                    references_columns=tuple(f.name for f in target.fields(entity.cls)),
                    on_delete=_action(options.on_delete),
                    on_update=_action(options.on_update),
                    deferrable=_deferrable(options.deferrable),
                )
            )
    return made


def table_constraints(entity: Entity) -> tuple[ConstraintDef, ...]:
    """In the order: key, uniques, checks, foreign keys, those of Settings."""
    made: list[ConstraintDef] = []
    if entity.primary_key:
        made.append(ConstraintDef("primary_key", columns=entity.pk_names))
    named = _named_uniques(entity)
    made += [ConstraintDef("unique", named.get(f.key), columns=(f.name,)) for f in entity.fields if f.spec.unique]
    for f in entity.fields:
        if f.spec.check is not None:
            made.append(ConstraintDef("check", columns=(f.name,), check=_condition(f.spec.check)))
        elif is_enum(f.annotation) and f.type.family == "text":
            labels = ", ".join(quote_literal(str(m.value)).lstrip() for m in f.annotation)
            check = sql(f"{quote_identifier(f.name)} IN ({labels})")
            made.append(ConstraintDef("check", columns=(f.name,), check=check))
    said = {_names(entity, c.fields, "constraints") for c in entity.settings.constraints if isinstance(c, ForeignKey)}
    for f in entity.fields:
        if f.spec.foreign_key is not None and (f.name,) not in said:
            schema, table, column = target_of(f, entity.label, entity.cls)
            made.append(
                ConstraintDef(
                    "foreign_key",
                    columns=(f.name,),
                    references=(schema, table),
                    references_columns=(column,),
                    on_delete=_action(f.spec.on_delete),
                    on_update=_action(f.spec.on_update),
                    deferrable=_deferrable(f.spec.deferrable),
                )
            )
    made += _link_keys(entity)
    made += [_from_settings(entity, c) for c in entity.settings.constraints]
    return _with_names(entity, made)


def _with_names(entity: Entity, constraints: list[ConstraintDef]) -> tuple[ConstraintDef, ...]:
    """The constraints, with a number behind names that several of them would have, as PostgreSQL makes it.

    Raises:
        ConfigurationError: for a name that was given twice.
    """
    taken = [c.name for c in constraints if c.name is not None]
    twice = next((n for n in taken if taken.count(n) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"{entity.label} has two constraints called {twice!r}")
    made: list[ConstraintDef] = []
    for c in constraints:
        name = constraint_name(entity.settings.name, c)
        if c.name is None and name in taken:
            name = _free(name, taken)
            c = c.replace(name=name)
        taken.append(name)
        made.append(c)
    return tuple(made)


def _names(entity: Entity, keys: Any, where: str) -> tuple[str, ...]:
    named: list[str] = []
    for k in keys:
        relation = entity.relations.get(k)
        if relation is not None and relation.kind == "link":
            named += relation.near
        elif k in entity.by_key:
            named.append(k)
        else:
            raise ConfigurationError(
                f"{entity.label}.Settings.{where} names {k!r}, which is not a field; fields are {', '.join(entity.keys)}"
            )
    return tuple(entity.by_key[k].name for k in named)


def _from_settings(entity: Entity, given: Any) -> ConstraintDef:
    if isinstance(given, Unique):
        return ConstraintDef("unique", given.name, _names(entity, given.fields, "constraints"),
                             nulls_not_distinct=given.nulls_not_distinct, deferrable=_deferrable(given.deferrable))  # fmt: skip
    if isinstance(given, Check):
        return ConstraintDef("check", given.name, check=_condition(given.condition))
    if isinstance(given, ForeignKey):
        other = entity_if_table(given.table)
        schema, _, name = str(given.table).rpartition(".")
        table = (other.definition.schema, other.definition.name) if other else (schema or None, name)
        return ConstraintDef(
            "foreign_key", given.name, _names(entity, given.fields, "constraints"), references=table,
            references_columns=tuple(given.columns), on_delete=_action(given.on_delete), on_update=_action(given.on_update),
            deferrable=_deferrable(given.deferrable),
        )  # fmt: skip
    if isinstance(given, Exclude):
        elements = tuple((entity.by_key[e].name if e in entity.by_key else e, op) for e, op in given.elements)
        return ConstraintDef(
            "exclude",
            given.name,
            elements=elements,
            method=given.method,
            where=sql(given.where) if given.where else None,
        )
    raise ConfigurationError(
        f"{entity.label}.Settings.constraints takes Unique, Check, ForeignKey and Exclude, not {type(given).__name__}"
    )


def table_indexes(entity: Entity) -> tuple[IndexDef, ...]:
    """Of columns, of foreign keys, and of Settings."""
    given = [_index(entity, i) for i in entity.settings.indexes]
    # Settings say what an index of these columns is called: it is the one that a foreign key needs.
    said = {i.columns for i in given if _is_plain(i)}
    # The key of a view is no constraint, and has no index.
    key = () if entity.settings.view is not None else entity.pk_names
    keyed: set[str] = {*key[:1]}
    made: list[IndexDef] = []
    for f in entity.fields:
        is_key = f.spec.foreign_key is not None and not f.spec.unique and f.name not in keyed
        if (f.spec.index or (f.spec.index is None and is_key)) and (f.name,) not in said:
            name = f.spec.index if isinstance(f.spec.index, str) else None
            made.append(IndexDef(name or default_name(entity.settings.name, [f.name], "idx"), (f.name,)))
    for link in entity.links:
        if len(link.near) > 1:
            names = tuple(entity.by_key[k].name for k in link.near)
            if names != key[: len(names)] and names not in said and link.declaration.target.options.index is not False:
                made.append(IndexDef(default_name(entity.settings.name, names, "idx"), names))
    # A unique constraint has its index already: saying both, as a class may well do, makes one.
    covered = {(f.name,) for f in entity.fields if f.spec.unique} | {key}
    made += [i for i in given if not (i.unique and _is_plain(i) and i.columns in covered)]
    named = {_given(entity, i).name for i in entity.settings.indexes} | {f.spec.index for f in entity.fields}
    return _numbered(entity, made, named)


def _numbered(entity: Entity, indexes: list[IndexDef], named: set[Any]) -> tuple[IndexDef, ...]:
    """The indexes, with a number behind names of their own that several would have.

    Raises:
        ConfigurationError: for a name that was given twice.
    """
    taken: list[str | None] = [i.name for i in indexes if i.name in named]
    twice = next((n for n in taken if taken.count(n) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"{entity.label} has two indexes called {twice!r}")
    made: list[IndexDef] = []
    for index in indexes:
        if index.name not in named:
            index = index.replace(name=_free(str(index.name), taken))
            taken.append(index.name)
        made.append(index)
    return tuple(made)


def _free(name: str, taken: Collection[str | None]) -> str:
    """The name, or the first one with a number behind it that is not taken, as PostgreSQL makes it."""
    if name not in taken:
        return name
    return next(n for i in itertools.count(1) if (n := f"{name[: 63 - len(str(i))]}{i}") not in taken)


def _is_plain(index: IndexDef) -> bool:
    special = index.where is not None or index.include or index.opclasses or index.with_
    return not special and index.method in (None, "btree")


def _named_uniques(entity: Entity) -> dict[str, str]:
    """What Settings call the unique index of a column that is unique=True."""
    return {
        given.fields[0]: given.name
        for given in (_given(entity, i) for i in entity.settings.indexes)
        if given.unique and given.name and len(given.fields) == 1 and given.where is None and not given.include
    }


def _given(entity: Entity, given: Any) -> Index:
    """An index of Settings, which may be a dict."""
    if isinstance(given, dict):
        said = cast(dict[str, Any], given)
        unknown = set(said) - _INDEX_KEYS
        if unknown:
            raise ConfigurationError(
                f"{entity.label}.Settings.indexes: unknown key {min(unknown)!r}; known are {', '.join(sorted(_INDEX_KEYS))}"
            )
        fields = said.get("fields") or said.get("columns")
        if not fields:
            raise ConfigurationError(f"{entity.label}.Settings.indexes: an index needs 'fields'")
        given = Index(
            *fields, unique=said.get("unique", False), name=said.get("name"), method=said.get("method") or said.get("using"),
            where=said.get("where"), include=tuple(said.get("include", ())), nulls_not_distinct=said.get("nulls_not_distinct", False),
            opclasses=said.get("opclasses"), with_=said.get("with_"),
        )  # fmt: skip
    if not isinstance(given, Index):
        raise ConfigurationError(
            f"{entity.label}.Settings.indexes takes Index(…) and dicts, not {type(given).__name__}"
        )
    return given


def _index(entity: Entity, said: Any) -> IndexDef:
    given = _given(entity, said)
    columns: list[Any] = [_indexed(entity, f) for f in given.fields]
    plain = [_word(f, c) for f, c in zip(given.fields, columns, strict=True)]
    name = given.name or default_name(entity.settings.name, plain, "idx")
    where: Node[Any] | None = given.where if given.where is None or isinstance(given.where, Node) else sql(given.where)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return IndexDef(
        name, tuple(columns), unique=given.unique, method=given.method, where=where,
        include=_names(entity, given.include, "indexes"), nulls_not_distinct=given.nulls_not_distinct,
        opclasses=tuple((_names(entity, [f], "indexes")[0], o) for f, o in given.opclasses.items()),
        with_=tuple(given.with_.items()),
    )  # fmt: skip


def _indexed(entity: Entity, given: Any) -> Any:
    """What an index is of: the name of a column, or an expression; `"address.city"` is a part of a document."""
    if not isinstance(given, str):
        return given
    field, *steps = given.split(".")
    name = _names(entity, [field], "indexes")[0]
    if not steps:
        return name
    # The entity's own columns come after its indexes.
    definition = TableDef(entity.settings.name, (entity.by_key[field].definition,), owner=entity.label)
    made: Any = TableSource(definition, keys={name: field}).columns[name]
    try:
        for step in steps:
            made = made[int(step) if step.lstrip("-").isdigit() else step]
    except (AttributeError, TypeError) as e:
        raise ConfigurationError(f"{entity.label}.Settings.indexes names {given!r}: {e}") from None
    return made


def _word(given: Any, column: Any) -> str:
    """How the name of an index calls one of its columns."""
    if isinstance(column, str):
        return column
    if isinstance(given, str):
        return given.replace(".", "_")
    return column.__column__.name if isinstance(column, ColumnProxy) else "expr"
