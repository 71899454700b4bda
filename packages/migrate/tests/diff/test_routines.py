"""Functions and triggers follow every change of what they use, on a real server, there and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from migrate_schema_laws import operations_lead, two_databases

from data_bridge.query import ColumnDef, ConstraintDef, FunctionDef, SQLType, TableDef, TriggerDef, ViewDef, sql, types
from data_bridge.testing import EmbeddedServer

KEY = ConstraintDef("primary_key", "t_pkey", ("id",))
MOOD = types.Enum("mood", "sad", "ok")
TURNED = types.Enum("mood", "ok", "sad")


def table(*parts: Any, name: str = "t", **options: Any) -> TableDef:
    columns = [p for p in parts if isinstance(p, ColumnDef)]
    triggers = tuple(p for p in parts if isinstance(p, TriggerDef))
    constraints = (KEY.replace(name=f"{name}_pkey"), *(p for p in parts if isinstance(p, ConstraintDef)))
    own = (ColumnDef("id", types.BigInt, nullable=False), *columns)
    return TableDef(name, own, constraints=constraints, triggers=triggers, **options)


def col(name: str, of: SQLType = types.BigInt, **options: Any) -> ColumnDef:
    return ColumnDef(name, of, **options)


def function(text: str, **options: Any) -> FunctionDef:
    return FunctionDef(f"CREATE FUNCTION {text}", **options)


def touch(body: str = "RETURN new;", name: str = "touch", **options: Any) -> FunctionDef:
    return function(f"{name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$", **options)


def fires(
    event: str = "BEFORE UPDATE", action: Any = "FOR EACH ROW EXECUTE FUNCTION touch()", **options: Any
) -> TriggerDef:
    return TriggerDef(options.pop("name", "tr"), event, action, **options)


ONE = function("f(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN n + 1")
TWO = function("f(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN n + 2")
A = col("a")
T = table(A)
LATER = fires("AFTER INSERT", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch()", constraint=True)
POSITIVE = ConstraintDef("check", "t_check", check=sql("f(a) > 0"))
STEPS: dict[str, tuple[list[Any], list[Any]]] = {
    "a function comes": ([T], [T, ONE]),
    "another body": ([T, ONE], [T, TWO]),
    "another argument": ([T, ONE], [T, function("f(n bigint, m bigint) RETURNS bigint RETURN n + m")]),
    "another result": ([T, ONE], [T, function("f(n bigint) RETURNS text LANGUAGE sql RETURN n::text")]),
    "another name of an argument": ([T, ONE], [T, function("f(m bigint) RETURNS bigint RETURN m + 1")]),
    "a default of an argument": ([T, ONE], [T, function("f(n bigint DEFAULT 5) RETURNS bigint RETURN n")]),
    "an option": ([T, ONE], [T, function("f(n bigint) RETURNS bigint LANGUAGE sql STABLE STRICT COST 5 RETURN n + 1")]),
    "a function becomes a procedure": (
        [T, function("f(n bigint) RETURNS void LANGUAGE sql AS 'SELECT 1'")],
        [T, FunctionDef("CREATE PROCEDURE f(n bigint) LANGUAGE sql AS 'SELECT 1'")],
    ),
    "a procedure changes": (
        [T, FunctionDef("CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM t'")],
        [T, FunctionDef("CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM t WHERE id > 1'")],
    ),
    "a comment of a function": ([T, ONE], [T, ONE.replace(comment="it's")]),
    "a function in another schema": ([T, ONE], [T, function("shop.f(n bigint) RETURNS bigint RETURN n + 1")]),
    "a text with quotes": (
        [T], [T, touch("RAISE NOTICE E'a''b\\n%', '$1 \"x\"'; RETURN new;", name='"Odd $name"')],
    ),
    "a function that reads a new table": (
        [T], [T, table(A, name="u"), function("total() RETURNS numeric LANGUAGE sql AS 'SELECT sum(a) FROM u'")],
    ),
    "functions that call each other": (
        [T],
        [T, function("a() RETURNS bigint LANGUAGE sql AS 'SELECT b()'"), function("b() RETURNS bigint LANGUAGE sql AS 'SELECT 1'")],
    ),
    "a function that a default calls": ([T], [table(A, col("b", default=sql("f(1)"))), ONE]),
    "a function that a check of a new table calls": ([], [table(A, POSITIVE), ONE]),
    "a function that a default calls changes": (
        [table(col("a", default=sql("f(1)"))), ONE], [table(col("a", default=sql("f(1)"))), TWO],
    ),
    "a function that a view calls": (
        [T, ONE, ViewDef("v", "SELECT f(a) AS b FROM t")],
        [T, function("f(n bigint) RETURNS text LANGUAGE sql RETURN n::text"), ViewDef("v", "SELECT f(a) AS b FROM t")],
    ),
    "a function that reads a view": (
        [T], [T, ViewDef("v", "SELECT a FROM t"), function("f() RETURNS bigint LANGUAGE sql AS 'SELECT max(a) FROM v'")],
    ),
    "a function over rows of a table": (
        [T, function("f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'")],
        [table(A, col("b")), function("f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t WHERE a > 0'")],
    ),
    "a function whose column changes": (
        [T, function("f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT max(a)::text FROM t; END")],
        [table(col("a", types.Integer)), function("f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT max(a)::text FROM t; END")],
    ),
    "an enum of an argument": (
        [table(col("m", MOOD)), function("f(m mood) RETURNS text LANGUAGE sql AS 'SELECT m::text'")],
        [table(col("m", TURNED)), function("f(m mood) RETURNS text LANGUAGE sql AS 'SELECT m::text'")],
    ),
    "a trigger comes": ([T], [table(A, fires()), touch()]),
    "a trigger of a new table": ([], [table(A, fires()), touch()]),
    "a trigger with its function": ([T], [table(A, fires(action=touch())), touch()]),
    "a trigger goes, and its function stays": ([table(A, fires()), touch()], [T, touch()]),
    "the body of a trigger": ([table(A, fires()), touch()], [table(A, fires()), touch("new.a := 1; RETURN new;")]),
    "another event": ([table(A, fires()), touch()], [table(A, fires("AFTER INSERT OR UPDATE OF a")), touch()]),
    "another condition": (
        [table(A, fires("BEFORE UPDATE", "FOR EACH ROW WHEN (old.a > 1) EXECUTE FUNCTION touch()")), touch()],
        [table(A, fires("BEFORE UPDATE", "FOR EACH ROW WHEN (old.a > 2) EXECUTE FUNCTION touch()")), touch()],
    ),
    "another function": (
        [table(A, fires()), touch()],
        [table(A, fires(action="FOR EACH ROW EXECUTE FUNCTION other()")), touch(name="other")],
    ),
    "a constraint trigger": ([table(A, fires()), touch()], [table(A, LATER), touch()]),
    "a constraint trigger changes": (
        [table(A, LATER), touch()],
        [table(A, LATER.replace(event="AFTER INSERT OR DELETE")), touch()],
    ),
    "a comment of a trigger": ([table(A, fires()), touch()], [table(A, fires(comment="why")), touch()]),
    "a trigger for each statement": (
        [table(A, fires()), touch()],
        [table(A, fires("AFTER UPDATE", "REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION touch()")), touch()],
    ),
    "a type below a trigger": (
        [table(A, fires("BEFORE UPDATE OF a")), touch()],
        [table(col("a", types.Text), fires("BEFORE UPDATE OF a")), touch()],
    ),
    "a column below a trigger goes": (
        [table(A, col("b"), fires("BEFORE UPDATE OF a, b")), touch()], [table(A, fires("BEFORE UPDATE OF a")), touch()],
    ),
    "a table with a trigger goes": ([T, table(A, fires(), name="u"), touch()], [T]),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_change_leads_there_and_back(step: str, lead: Any) -> None:
    old, new = STEPS[step]
    lead(old, new)
    lead(new, old)


RENAMES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a column below a trigger": (
        [table(A, fires("BEFORE UPDATE OF a", "FOR EACH ROW WHEN (old.a > 1) EXECUTE FUNCTION touch()")), touch()],
        [table(col("x"), fires("BEFORE UPDATE OF x", "FOR EACH ROW WHEN (old.x > 1) EXECUTE FUNCTION touch()")), touch()],
        ["t.a:x"],
    ),
    "a table with a trigger": ([table(A, fires()), touch()], [table(A, fires(), name="u"), touch()], ["t:u"]),
    "a table whose trigger changes": (
        [table(A, LATER), touch()],
        [table(A, LATER.replace(event="AFTER INSERT OR DELETE"), name="u", schema="shop"), touch()],
        ["t:shop.u"],
    ),
    "a table below a function": (
        [T, function("f() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'")],
        [table(A, name="u"), function("f() RETURNS SETOF u LANGUAGE sql AS 'SELECT * FROM u'")],
        ["t:u"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RENAMES)
def test_triggers_and_functions_follow_a_rename(case: str, lead: Any) -> None:
    old, new, renames = RENAMES[case]
    lead(old, new, renames=renames)


@pytest.mark.servers
def test_postgresql_15_does_the_same() -> None:
    async def run(dsn: str) -> None:
        async with two_databases(dsn) as place:
            for old, new in STEPS.values():
                await operations_lead(place, old, new)
                await operations_lead(place, new, old)
            for old, new, renames in RENAMES.values():
                await operations_lead(place, old, new, renames=renames)

    with EmbeddedServer(provider="local") as server:
        asyncio.run(run(server.dsn))
