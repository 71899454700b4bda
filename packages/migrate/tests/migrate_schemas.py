"""Schemas for property tests: few names and few types, so that two schemas that were drawn apart have much in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    FunctionDef,
    GrantDef,
    IndexDef,
    Order,
    PolicyDef,
    SQLType,
    TableDef,
    TriggerDef,
    ViewDef,
    sql,
    types,
)

MOODS = (("sad", "ok"), ("sad", "ok", "glad"), ("glad", "sad", "it's"), ("sad",), ("new", "sad", "ok"))
_DEFAULTS = {
    "bigint": ("0", "1 + 1"),
    "integer": ("7",),
    "text": ("'x'", "''", "lower('A')", "gen_random_uuid()::text"),
    "character varying(20)": ("'y'",),
    "numeric(10,2)": ("0", "1.5"),
    "boolean": ("true",),
    "timestamp with time zone": ("now()", "clock_timestamp()"),
    "jsonb": ("'{}'",),
    "uuid": ("gen_random_uuid()",),
    "text[]": ("'{}'", "ARRAY['a']"),
    '"mood"': ("'sad'",),
}
_CHECKS = {
    "bigint": ("{} > 0", "{} IN (1, 2)"),
    "integer": ("{} > 0",),
    "numeric(10,2)": ("{} >= 0",),
    "text": ("{} <> ''", "length({}) > 1"),
    "character varying(20)": ("{} <> ''",),
    '"mood"': ("{} = 'sad'",),
    "timestamp with time zone": ("{} > '2020-01-01 00:00:00+00'",),
}
_COMMENTS = (None, None, None, "a\nb", "it's")
_EVENTS = ("BEFORE UPDATE", "AFTER INSERT OR DELETE", "BEFORE UPDATE OF id")
_ACTIONS = (
    "FOR EACH ROW EXECUTE FUNCTION touch()",
    "FOR EACH STATEMENT EXECUTE FUNCTION touch()",
    "FOR EACH ROW EXECUTE FUNCTION touch('a', 'b c')",
)
_GRANTS = (GrantDef("SELECT", "policy_a"), GrantDef(("INSERT", "UPDATE"), "policy_a"), GrantDef("ALL", "public"))
_ROWS = ("id > 0", "true", "id = current_setting('app.id', true)::bigint")
_FUNCTIONS = {
    "touch": [
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $x$BEGIN\n  -- it's\n  RETURN old;\nEND$x$",
    ],
    "f": [
        "CREATE FUNCTION f(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN n + 1",
        "CREATE FUNCTION f(n bigint) RETURNS bigint LANGUAGE sql STABLE RETURN n + 2",
        "CREATE FUNCTION f(n text) RETURNS text LANGUAGE sql AS 'SELECT n'",
    ],
    "g": [
        "CREATE FUNCTION g(n bigint DEFAULT 5) RETURNS bigint LANGUAGE sql AS 'SELECT $1'",
        "CREATE FUNCTION g(n bigint) RETURNS bigint LANGUAGE sql STRICT AS 'SELECT 2 * n'",
        "CREATE PROCEDURE g() LANGUAGE sql AS ''",
    ],
}
_NOTHING: Any = (None,)


def sql_types(moods: Sequence[str]) -> list[SQLType]:
    mood = types.Enum("mood", *moods)
    return [
        types.BigInt, types.Integer, types.Text, types.Varchar(20), types.Numeric(10, 2), types.Boolean, types.Timestamptz,
        types.Jsonb, types.Uuid, types.Array(types.Text), mood, types.Array(mood),
    ]  # fmt: skip


@st.composite
def columns(draw: Any, moods: Sequence[str]) -> list[ColumnDef]:
    """A key, and up to five others."""
    found = [
        ColumnDef(
            "id", types.BigInt, nullable=False,
            identity=draw(st.sampled_from([None, "by default", "by default", "always"])),
        )
    ]  # fmt: skip
    for name in draw(st.lists(st.sampled_from(["a", "b", "c", "order", "Odd name"]), unique=True, max_size=4)):
        of = draw(st.sampled_from(sql_types(moods)))
        default = draw(st.sampled_from([*_NOTHING, *_DEFAULTS.get(of.name, ())]))
        found.append(
            ColumnDef(
                name, of, nullable=draw(st.booleans()), default=None if default is None else sql(default),
                collation=draw(st.sampled_from([None, None, "C"])) if of.name == "text" else None,
                comment=draw(st.sampled_from(_COMMENTS)),
            )
        )  # fmt: skip
    if draw(st.integers(0, 3)) == 0:
        # A virtual column must not use a type of somebody's own.
        base = draw(st.sampled_from([c for c in found if "mood" not in c.type.name]))
        text = f'("{base.name}" IS NULL)' if base.name == "id" else f'("{base.name}" IS NOT NULL)'
        found.append(ColumnDef("made", types.Boolean, generated=sql(text), stored=draw(st.booleans())))
    return found


@st.composite
def tables(draw: Any, moods: Sequence[str]) -> list[TableDef]:
    """Up to three tables with keys between them, also in a circle."""
    names = draw(st.lists(st.sampled_from([(None, "t"), (None, "u"), ("shop", "user")]), unique=True, max_size=3))
    made: list[TableDef] = []
    for schema, name in names:
        found = draw(columns(moods))
        constraints = [ConstraintDef("primary_key", f"{name}_pkey", ("id",))]
        constraints += draw(_constraints(found, name, names))
        indexes = draw(_indexes(found, name))
        comment = draw(st.sampled_from(_COMMENTS))
        made.append(
            TableDef(
                name,
                tuple(found),
                schema=schema,
                constraints=tuple(constraints),
                indexes=tuple(indexes),
                comment=comment,
            )
        )
    return made


@st.composite
def _constraints(draw: Any, found: list[ColumnDef], table: str, names: list[Any]) -> list[ConstraintDef]:
    made: list[ConstraintDef] = []
    for column in found:
        key = f"{table}_{column.name}"
        if column.name == "made":
            continue
        if column.type.name in _CHECKS and draw(st.integers(0, 2)) == 0:
            text = draw(st.sampled_from(_CHECKS[column.type.name])).format(f'"{column.name}"')
            comment = draw(st.sampled_from(_COMMENTS))
            made.append(ConstraintDef("check", f"{key}_check", (column.name,), check=sql(text), comment=comment))
        if column.name != "id" and column.type.name != "jsonb" and draw(st.integers(0, 3)) == 0:
            made.append(
                ConstraintDef(
                    "unique", draw(st.sampled_from([f"{key}_key", f"{key}_other"])), (column.name,),
                    nulls_not_distinct=draw(st.booleans()), deferrable=draw(st.sampled_from([None, None, "deferrable"])),
                )
            )  # fmt: skip
        if column.type.name == "bigint" and draw(st.integers(0, 1)):
            made.append(
                ConstraintDef(
                    "foreign_key", f"{key}_fkey", (column.name,), references=draw(st.sampled_from(names)),
                    references_columns=("id",),
                    on_delete=draw(st.sampled_from([None, "cascade", "restrict"])),
                    on_update=draw(st.sampled_from([None, "cascade"])),
                    deferrable=draw(st.sampled_from([None, None, "initially deferred"])),
                )
            )  # fmt: skip
    return made


@st.composite
def _indexes(draw: Any, found: list[ColumnDef], table: str) -> list[IndexDef]:
    made: list[IndexDef] = []
    for column in found:
        if column.name == "made" or draw(st.integers(0, 2)):
            continue
        key: Any = column.name
        name = f"{table}_{column.name}_{draw(st.sampled_from(['idx', 'ix']))}"
        comment = draw(st.sampled_from(_COMMENTS))
        if column.type.name == "jsonb":
            made.append(
                IndexDef(name, (key,), method="gin", opclasses=draw(st.sampled_from([(), ((key, "jsonb_path_ops"),)])))
            )
            continue
        if column.type.name == "text" and draw(st.booleans()):
            key = sql(f'lower("{column.name}")')
        elif draw(st.booleans()):
            order: Order = sql(f'"{column.name}"').desc()
            key = draw(st.sampled_from([order, order.nulls_last()]))
        where = draw(st.sampled_from([None, f'"{column.name}" IS NOT NULL', "id > 5"]))
        made.append(
            IndexDef(
                name, (key,), unique=draw(st.booleans()), where=None if where is None else sql(where),
                include=draw(st.sampled_from([(), ("id",)])) if column.name != "id" else (),
                with_=draw(st.sampled_from([(), (("fillfactor", 70),)])), comment=comment,
            )
        )  # fmt: skip
    return made


@st.composite
def views(draw: Any, tables: Sequence[TableDef]) -> list[ViewDef]:
    """Up to three views over the tables, and over each other; a copy may have an index."""
    made: list[ViewDef] = []
    sources = [(t.schema, t.name, [c.name for c in t.columns]) for t in tables]
    for name in draw(st.lists(st.sampled_from(["v", "w", "Odd v"]), unique=True, max_size=3)) if tables else ():
        schema, source, columns = draw(st.sampled_from(sources))
        chosen = draw(st.lists(st.sampled_from(columns), unique=True, min_size=1))
        query = draw(_queries(schema, source, chosen))
        is_copy = draw(st.integers(0, 3)) == 0
        indexes = (IndexDef(f"{name}_ix", (chosen[0],)),) if is_copy and draw(st.booleans()) else ()
        made.append(
            ViewDef(
                name, query, materialized=is_copy, indexes=indexes, comment=draw(st.sampled_from(_COMMENTS)),
                security_barrier=not is_copy and draw(st.booleans()),
                grants=tuple(draw(st.lists(st.sampled_from(_GRANTS), unique=True, max_size=1))),
            )
        )  # fmt: skip
        sources.append((None, name, chosen))
    return made


@st.composite
def _queries(draw: Any, schema: str | None, source: str, columns: list[str]) -> str:
    of = f'"{source}"' if schema is None else f'"{schema}"."{source}"'
    where = draw(st.sampled_from(["", "", ' WHERE "{}" IS NOT NULL', " WHERE 1 = 1"])).format(columns[0])
    names = ", ".join(f'"{name}"' for name in columns)
    return f"SELECT {names} FROM {of}{where}"


@st.composite
def with_triggers(draw: Any, tables: Sequence[TableDef]) -> list[Any]:
    """The tables with triggers and policies, and functions, which the triggers call or nobody."""
    made: list[Any] = []
    for table in tables:
        triggers = [
            TriggerDef(
                name, draw(st.sampled_from(_EVENTS)), draw(st.sampled_from(_ACTIONS)), comment=draw(st.sampled_from(_COMMENTS))
            )
            for name in draw(st.lists(st.sampled_from(["tr", "Odd tr"]), unique=True, max_size=2))
        ]  # fmt: skip
        policies = [
            PolicyDef(
                name, command=draw(st.sampled_from(["all", "all", "select"])), using=sql(draw(st.sampled_from(_ROWS))),
                restrictive=draw(st.booleans()), comment=draw(st.sampled_from(_COMMENTS)),
            )
            for name in draw(st.lists(st.sampled_from(["p", "Odd p"]), unique=True, max_size=2))
        ]  # fmt: skip
        security = draw(st.sampled_from([None, "enabled", "forced"]))
        grants = tuple(draw(st.lists(st.sampled_from(_GRANTS), unique=True, max_size=2)))
        made.append(
            table.replace(triggers=tuple(triggers), policies=tuple(policies), row_security=security, grants=grants)
        )
    names = {"touch"} if any(table.triggers for table in made) else set[str]()
    for name in sorted(names | set(draw(st.lists(st.sampled_from([*_FUNCTIONS]), unique=True)))):
        made.append(FunctionDef(draw(st.sampled_from(_FUNCTIONS[name])), comment=draw(st.sampled_from(_COMMENTS))))
    return made


@st.composite
def schemas(draw: Any) -> list[Any]:
    """The tables of a schema, whose enum has the same labels everywhere, its functions and its views."""
    made: list[Any] = draw(tables(draw(st.sampled_from(MOODS))))
    return [*draw(with_triggers(made)), *draw(views(made))]


@st.composite
def edited(draw: Any, definitions: list[Any]) -> list[Any]:
    """The same tables and views after a small change or two, as people make them."""
    made = [d for d in definitions if isinstance(d, TableDef)]
    rest = [d for d in definitions if isinstance(d, FunctionDef)]
    seen = [d for d in definitions if isinstance(d, ViewDef)]
    for _ in range(draw(st.integers(1, 2))):
        if not made:
            break
        at = draw(st.integers(0, len(made) - 1))
        made[at] = draw(_changed(made[at]))
    if draw(st.integers(0, 3)) == 0:
        moods = draw(st.sampled_from(MOODS))
        made = [table.replace(columns=tuple(_with_moods(c, moods) for c in table.columns)) for table in made]
    if draw(st.booleans()):
        made, rest = draw(with_triggers(made)), []
    return [*made, *rest, *(draw(views([d for d in made if isinstance(d, TableDef)])) if draw(st.booleans()) else seen)]


def _with_moods(column: ColumnDef, moods: Sequence[str]) -> ColumnDef:
    mood = types.Enum("mood", *moods)
    return column.replace(type={'"mood"': mood, '"mood"[]': types.Array(mood)}.get(column.type.name, column.type))


@st.composite
def _changed(draw: Any, table: TableDef) -> TableDef:
    what = draw(st.sampled_from(["column", "constraint", "index", "comment"]))
    if what == "column" and len(table.columns) > 1:
        at = draw(st.integers(1, len(table.columns) - 1))
        column = table.columns[at]
        default = draw(st.sampled_from([*_NOTHING, *_DEFAULTS.get(column.type.name, ())]))
        changes: dict[str, Any] = {"comment": draw(st.sampled_from(_COMMENTS))}
        if column.generated is None:
            changes |= {"nullable": draw(st.booleans()), "default": None if default is None else sql(default)}
        columns = list(table.columns)
        columns[at] = column.replace(**changes)
        return table.replace(columns=tuple(columns))
    if what == "constraint" and len(table.constraints) > 1:
        at = draw(st.integers(1, len(table.constraints) - 1))
        constraint = table.constraints[at]
        changes = {"comment": draw(st.sampled_from(_COMMENTS))}
        if constraint.kind == "foreign_key":
            changes["on_delete"] = draw(st.sampled_from([None, "cascade", "restrict"]))
        kept = [*table.constraints[:at], *table.constraints[at + 1 :]]
        return table.replace(constraints=(*kept, *([constraint.replace(**changes)] if draw(st.integers(0, 3)) else [])))
    if what == "index" and table.indexes:
        at = draw(st.integers(0, len(table.indexes) - 1))
        index = table.indexes[at]
        where = draw(st.sampled_from([None, "id > 5", "id > 6"]))
        changed = index.replace(where=None if where is None else sql(where), comment=draw(st.sampled_from(_COMMENTS)))
        kept_indexes = [*table.indexes[:at], *table.indexes[at + 1 :]]
        return table.replace(indexes=(*kept_indexes, *([changed] if draw(st.integers(0, 3)) else [])))
    return table.replace(comment=draw(st.sampled_from(["x", "y", None])))


@st.composite
def near_pairs(draw: Any) -> tuple[list[Any], list[Any]]:
    """A schema, and what a few edits make of it."""
    first = draw(schemas())
    return first, draw(edited(first))


@st.composite
def pairs(draw: Any) -> tuple[list[Any], list[Any]]:
    """Two schemas, near or far from each other."""
    if draw(st.booleans()):
        made: tuple[list[Any], list[Any]] = draw(near_pairs())
        return made
    return draw(schemas()), draw(schemas())
