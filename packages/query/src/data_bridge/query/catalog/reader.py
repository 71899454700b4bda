"""Rows of the system catalogs to definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from data_bridge.core import Statement, quote_identifier

from ..definitions.tables import (
    ColumnDef,
    ConstraintDef,
    DomainDef,
    EnumDef,
    ExtensionDef,
    FunctionDef,
    GrantDef,
    IndexDef,
    PolicyDef,
    SequenceDef,
    TableDef,
    TriggerDef,
    Use,
    ViewDef,
)
from ..expressions.expr import Built
from ..expressions.raw import raw, sql
from ..types.sql_types import Array, Enum, SQLType
from ..types.typemap import parse_type
from .other_texts import OTHERS
from .sql_texts import TEXTS

__all__ = ["Rows", "Schema", "Unmodelled", "queries", "read"]

Rows = Mapping[str, Sequence[Sequence[Any]]]
"""The rows of every query by its name."""
Key = tuple[str | None, str]
"""Schema and name; schema None is the default one, so that definitions of a search path compare equal."""


class Unmodelled(NamedTuple):
    """An object that no definition can say."""

    kind: str
    """aggregate, partition, rule and so on."""
    schema: str | None
    name: str
    """Of a trigger, policy or rule with its table before it."""
    digest: str
    """Of what it says: equal where two databases have the same."""


@dataclass(frozen=True)
class Schema:
    """What is there, by (schema, name)."""

    tables: dict[Key, TableDef] = field(default_factory=dict[Key, TableDef])
    views: dict[Key, ViewDef] = field(default_factory=dict[Key, ViewDef])
    functions: dict[Key, FunctionDef] = field(default_factory=dict[Key, FunctionDef])
    """Functions and procedures that are alone under their name."""
    enums: dict[Key, EnumDef] = field(default_factory=dict[Key, EnumDef])
    domains: dict[Key, DomainDef] = field(default_factory=dict[Key, DomainDef])
    sequences: dict[Key, SequenceDef] = field(default_factory=dict[Key, SequenceDef])
    extensions: dict[str, ExtensionDef] = field(default_factory=dict[str, ExtensionDef])
    default_schema: str = "public"
    server_version: int = 0
    """As the server says it: 180001."""
    unmodelled: tuple[Unmodelled, ...] = ()
    """What is there and has no definition here: overloaded functions, partitions and the like."""


def queries(schemas: Sequence[str] | None = None) -> dict[str, Statement]:
    """The statements to run, by name. Without `schemas` they look into the schemas of the search path.

    >>> from data_bridge.query import catalog
    >>> print(*sorted(catalog.queries(["public"]))[:5])
    columns constraints domains enums extensions
    """
    wanted = None if schemas is None else list(schemas)
    return {
        name: raw(text, wanted).__statement__() if "$1" in text else raw(text).__statement__()
        for name, text in {**TEXTS, "others": OTHERS}.items()
    }


def read(rows: Rows) -> Schema:
    """The definitions the rows describe. Pure: the same rows give the same definitions.

    >>> from data_bridge.query import catalog
    >>> catalog.read({"server": [("public", 180001)]}).server_version
    180001
    """
    default, version = next(iter(rows.get("server", ())), ("public", 0))
    reader = _Reader(rows, default)
    return Schema(
        tables=reader.tables(),
        views=reader.views(),
        functions=reader.functions(),
        enums={(d.schema, d.name): d for d in reader.enums.values()},
        domains=reader.domains(),
        sequences=reader.sequences(),
        extensions={
            name: ExtensionDef(name, version=v, schema=reader.where(s)) for name, v, s in rows.get("extensions", ())
        },
        default_schema=default,
        server_version=version,
        unmodelled=tuple(
            Unmodelled(kind, reader.where(where), name, digest)
            for kind, where, name, digest in (*rows.get("unmodelled", ()), *rows.get("others", ()))
        ),
    )


_ACTIONS: dict[str, Any] = {"r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_KINDS: dict[str, Any] = {"p": "primary_key", "u": "unique", "c": "check", "f": "foreign_key", "x": "exclude"}
_COMMANDS: dict[str, Any] = {"*": "all", "r": "select", "a": "insert", "w": "update", "d": "delete"}
_TRUE = ("true", "on", "yes", "1")
_DESCENDING, _NULLS_FIRST = 1, 2


class _Reader:
    """Rows grouped by what they belong to."""

    def __init__(self, rows: Rows, default: str) -> None:
        self.rows = rows
        self.default = default
        self.enums: dict[Key, EnumDef] = {}
        for schema, name, values, comment in rows.get("enums", ()):
            self.enums[schema, name] = EnumDef(name, tuple(values), schema=self.where(schema), comment=comment)

    def where(self, schema: str | None) -> str | None:
        return None if schema == self.default else schema

    def _grouped(self, name: str) -> dict[Key, list[Sequence[Any]]]:
        groups: dict[Key, list[Sequence[Any]]] = {}
        for schema, table, *rest in self.rows.get(name, ()):
            groups.setdefault((schema, table), []).append(rest)
        return groups

    def tables(self) -> dict[Key, TableDef]:
        columns, constraints, indexes, triggers, policies, grants = map(
            self._grouped, ("columns", "constraints", "indexes", "triggers", "policies", "grants")
        )
        found: dict[Key, TableDef] = {}
        for schema, name, comment, row_security in self.rows.get("tables", ()):
            key = (schema, name)
            definition = TableDef(
                name,
                tuple(self._column(row) for row in columns.get(key, ())),
                schema=self.where(schema),
                constraints=tuple(self._constraint(row) for row in constraints.get(key, ())),
                indexes=tuple(self._index(row) for row in indexes.get(key, ())),
                comment=comment,
                triggers=tuple(
                    TriggerDef(called, event, action, constraint=is_constraint, comment=said)
                    for called, is_constraint, event, action, said in triggers.get(key, ())
                ),
                policies=tuple(self._policy(row) for row in policies.get(key, ())),
                grants=tuple(GrantDef(tuple(sorted(privileges)), role) for role, privileges in grants.get(key, ())),
                row_security=row_security,
            )
            found[definition.schema, name] = definition
        return found

    def views(self) -> dict[Key, ViewDef]:
        columns, indexes, uses, grants = map(self._grouped, ("columns", "indexes", "uses", "grants"))
        found: dict[Key, ViewDef] = {}
        for schema, name, materialized, text, options, comment in self.rows.get("views", ()):
            key = (schema, name)
            said = dict(item.split("=", 1) for item in options or () if not materialized)
            made = ViewDef(
                name,
                text,
                schema=self.where(schema),
                columns=tuple(self._column(row) for row in columns.get(key, ())),
                materialized=materialized,
                security_barrier=said.get("security_barrier") in _TRUE,
                security_invoker=said.get("security_invoker") in _TRUE,
                check_option=said.get("check_option"),  # pyright: ignore[reportArgumentType]
                indexes=tuple(self._index(row) for row in indexes.get(key, ())),
                comment=comment,
                grants=tuple(GrantDef(tuple(sorted(privileges)), role) for role, privileges in grants.get(key, ())),
                uses=self._uses(uses.get(key, ())),
            )
            found[made.schema, name] = made
        return found

    def functions(self) -> dict[Key, FunctionDef]:
        uses = self._grouped("function_uses")
        found: dict[Key, FunctionDef] = {}
        for schema, name, is_procedure, text, serves_tables, comment in self.rows.get("functions", ()):
            where = self.where(schema)
            path = ".".join(quote_identifier(part) for part in (where, name) if part is not None)
            found[where, name] = FunctionDef(
                f"CREATE {'PROCEDURE' if is_procedure else 'FUNCTION'} {path}{text}",
                comment=comment,
                uses=self._uses(uses.get((schema, name), ())),
                serves_tables=serves_tables,
            )
        return found

    def _uses(self, rows: Sequence[Sequence[Any]]) -> tuple[Use, ...]:
        return tuple(Use(kind, self.where(schema), name, part) for kind, schema, name, part in rows)

    @staticmethod
    def _policy(row: Sequence[Any]) -> PolicyDef:
        name, command, permissive, roles, using, check, comment = row
        return PolicyDef(
            name,
            command=_COMMANDS[command],
            using=None if using is None else sql(using),
            check=None if check is None else sql(check),
            roles=tuple(roles or ()),
            restrictive=not permissive,
            comment=comment,
        )

    def _type(self, spelling: str, enum_schema: str | None, enum: str | None) -> SQLType:
        if enum is None or enum_schema is None:
            return parse_type(spelling)
        known = self.enums.get((enum_schema, enum))
        of = Enum(enum, *(known.values if known else ()), schema=self.where(enum_schema))
        return Array(of) if spelling.endswith("[]") else of

    def _column(self, row: Sequence[Any]) -> ColumnDef:
        name, spelling, enum_schema, enum, not_null, default, identity, generated, collation, comment = row
        return ColumnDef(
            name,
            self._type(spelling, enum_schema, enum),
            nullable=not not_null,
            default=sql(default) if default is not None and not generated else None,
            identity={"a": "always", "d": "by default"}.get(identity),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            generated=sql(default) if default is not None and generated else None,
            stored=generated != "v",
            collation=collation,
            comment=comment,
        )

    def _constraint(self, row: Sequence[Any]) -> ConstraintDef:
        (
            name,
            kind,
            columns,
            check,
            ref_schema,
            ref_table,
            ref_columns,
            on_delete,
            on_update,
            deferrable,
            deferred,
            valid,
            nulls_not_distinct,
            include,
            method,
            elements,
            operators,
            where,
            comment,
        ) = row
        return ConstraintDef(
            _KINDS[kind],
            name,
            tuple(columns or ()) if kind in "puf" else (),
            check=None if check is None or kind != "c" else sql(check),
            references=None if ref_table is None else (self.where(ref_schema), ref_table),
            references_columns=tuple(ref_columns or ()),
            on_delete=_ACTIONS.get(on_delete) if kind == "f" else None,
            on_update=_ACTIONS.get(on_update) if kind == "f" else None,
            deferrable="initially deferred" if deferred else "deferrable" if deferrable else None,
            nulls_not_distinct=bool(nulls_not_distinct),
            include=tuple(include or ()),
            method=method if kind == "x" else None,
            elements=tuple(zip(map(self._element, elements), operators, strict=True)) if kind == "x" else (),
            where=None if where is None or kind != "x" else sql(where),
            not_valid=not valid,
            comment=comment,
        )

    @staticmethod
    def _element(text: str) -> Any:
        return _unquoted(text) or sql(text)

    def _index(self, row: Sequence[Any]) -> IndexDef:
        (
            name,
            unique,
            method,
            keys,
            options,
            opclasses,
            collations,
            include,
            where,
            nulls_not_distinct,
            valid,
            storage,
            comment,
        ) = row
        columns: list[Any] = []
        for text, option in zip(keys, options, strict=True):
            column: Any = _unquoted(text)
            expression = sql(text) if column is None else None
            if option and method == "btree":
                order = (
                    (expression if expression is not None else Built(("col", None, column))).desc()
                    if option & _DESCENDING
                    else (expression if expression is not None else Built(("col", None, column))).asc()
                )
                # DESC puts NULLs first by itself, ASC puts them last.
                if bool(option & _NULLS_FIRST) != bool(option & _DESCENDING):
                    order = order.nulls_first() if option & _NULLS_FIRST else order.nulls_last()
                columns.append(order)
            else:
                columns.append(column if expression is None else expression)
        named = [_unquoted(text) or text for text in keys]
        return IndexDef(
            name,
            tuple(columns),
            unique=unique,
            method=None if method == "btree" else method,
            include=tuple(include or ()),
            where=None if where is None else sql(where),
            nulls_not_distinct=bool(nulls_not_distinct),
            opclasses=tuple((n, o) for n, o in zip(named, opclasses, strict=True) if o),
            collations=tuple((n, c) for n, c in zip(named, collations, strict=True) if c),
            with_=tuple(_setting(item) for item in storage or ()),
            comment=comment,
            valid=valid,
        )

    def domains(self) -> dict[Key, DomainDef]:
        found: dict[Key, DomainDef] = {}
        for schema, name, base, default, not_null, names, checks in self.rows.get("domains", ()):
            pairs = tuple(zip(names or (), checks or (), strict=True))
            made = DomainDef(name, base, schema=self.where(schema), default=default, not_null=not_null, checks=pairs)
            found[made.schema, name] = made
        return found

    def sequences(self) -> dict[Key, SequenceDef]:
        found: dict[Key, SequenceDef] = {}
        for schema, name, kind, start, increment, low, high, cache, cycle, table, column in self.rows.get(
            "sequences", ()
        ):
            limits = {"smallint": 2**15, "integer": 2**31}.get(kind, 2**63)
            made = SequenceDef(
                name,
                schema=self.where(schema),
                type=kind,
                start=start,
                increment=increment,
                minimum=None if low in (1, -limits) else low,
                maximum=None if high in (-1, limits - 1) else high,
                cache=cache,
                cycle=cycle,
                owned_by=None if table is None else (table, column),
            )
            found[made.schema, name] = made
        return found


def _unquoted(text: str) -> str | None:
    """The column a key names, None for an expression: the server quotes names that need it."""
    if text.startswith('"') and text.endswith('"') and text.count('"') % 2 == 0:
        inner = text[1:-1].replace('""', "\0")
        return None if '"' in inner else inner.replace("\0", '"')
    return text if text.replace("_", "a").replace("$", "a").isalnum() and not text[0].isdigit() else None


def _setting(item: str) -> tuple[str, str | int]:
    name, _, value = item.partition("=")
    return name, int(value) if value.lstrip("-").isdigit() else value
