"""Functions, procedures and triggers that a live schema has are read as definitions, which make the same ones again."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from query_live import live

from data_bridge.query import FunctionDef, TableDef, TriggerDef, ddl
from data_bridge.query.definitions.tables import Use

SCRIPT = """
CREATE SCHEMA shop;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE item (id int PRIMARY KEY, "Odd ON name" text, price int);
CREATE TABLE shop."Log" (n int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.price := 1; RETURN new; END$$;
CREATE FUNCTION shop."Odd name"(a int DEFAULT 1, b mood DEFAULT 'sad') RETURNS mood LANGUAGE sql IMMUTABLE STRICT
    SET search_path = public AS 'SELECT b';
CREATE PROCEDURE put(n int) LANGUAGE sql AS 'INSERT INTO shop."Log" VALUES (n)';
CREATE FUNCTION positive(n int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN n > 0;
CREATE FUNCTION items() RETURNS SETOF item LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM item WHERE id > 0; END;
COMMENT ON FUNCTION touch() IS 'it''s';
ALTER TABLE item ADD CHECK (positive(price));
CREATE TRIGGER touch BEFORE UPDATE OF "Odd ON name", price ON item FOR EACH ROW WHEN (old.price > 5) EXECUTE FUNCTION touch();
COMMENT ON TRIGGER touch ON item IS 'why';
CREATE TRIGGER all_of_them AFTER INSERT ON item REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION touch('a b');
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR DELETE ON shop."Log" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION touch();
"""


async def test_routines_that_are_read_make_the_same_again(db: Any) -> None:
    await db.execute_script(SCRIPT)
    found = await live(db, "public", "shop")
    assert set(found.functions) == {
        (None, "touch"), ("shop", "Odd name"), (None, "put"), (None, "positive"), (None, "items"),
    }  # fmt: skip
    assert found.functions[None, "put"].kind == "procedure"
    assert [t.name for t in found.tables[None, "item"].triggers] == ["all_of_them", "touch"]
    assert found.unmodelled == ()
    for table in found.tables.values():
        for trigger in table.triggers:
            await db.execute(str(ddl.DropTrigger(table, trigger.name)))
    free = [f for f in found.functions.values() if not f.serves_tables]
    for function in free:
        await db.execute(str(ddl.DropFunction((function.schema, function.name), kind=function.kind)))
    for function in free:
        for operation in ddl.create_function_operations(function):
            await db.execute(str(operation))
    for table in found.tables.values():
        for operation in ddl.create_trigger_operations(table):
            await db.execute(str(operation))
    again = await live(db, "public", "shop")
    assert again.functions == found.functions
    assert again.tables == found.tables


async def test_what_functions_use_and_serve_is_known(db: Any) -> None:
    await db.execute_script(SCRIPT)
    functions = (await live(db, "public", "shop")).functions
    assert [f.name for f in functions.values() if f.serves_tables] == ["positive"]
    assert functions["shop", "Odd name"].uses == (Use("type", None, "mood"),)
    assert Use("relation", None, "item") in functions[None, "items"].uses
    assert Use("column", None, "item", "price") in functions[None, "items"].uses


async def test_what_is_not_modelled_of_routines_is_named(db: Any) -> None:
    await db.execute_script(
        SCRIPT
        + """
        CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
        CREATE FUNCTION twice(n text) RETURNS text LANGUAGE sql AS 'SELECT n || n';
        CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
        CREATE VIEW v AS SELECT 1 AS one;
        CREATE TRIGGER instead INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION touch();
        ALTER TABLE item DISABLE TRIGGER touch;
        CREATE TABLE parted (d int) PARTITION BY RANGE (d);
        CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
        CREATE TRIGGER each_part AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION touch();
        """
    )
    found = await live(db, "public", "shop")
    assert [(u.kind, u.name) for u in found.unmodelled if u.kind not in ("partition", "partitioned table")] == [
        ("aggregate", "total(integer)"),
        ("overloaded function", "twice(n integer)"),
        ("overloaded function", "twice(n text)"),
        ("trigger of the view", "v.instead"),
        ("trigger that is disabled or fires on replicas", "item.touch"),
    ]
    assert (None, "twice") not in found.functions


TEXTS = {
    "plain": ("CREATE FUNCTION f() RETURNS int RETURN 1", ("function", None, "f")),
    "replaced": ("create or replace function F(a int) returns int return a;", ("function", None, "f")),
    "qualified": ('CREATE PROCEDURE "Shop" . "a""b"() LANGUAGE sql AS $$SELECT 1;$$;\n', ("procedure", "Shop", 'a"b')),
    "behind comments": ("-- a\n/* b\n*/ CREATE FUNCTION x.f() RETURNS int RETURN 1", ("function", "x", "f")),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_statement_says_what_it_makes(case: str) -> None:
    text, expected = TEXTS[case]
    made = FunctionDef(text)
    assert (made.kind, made.schema, made.name) == expected
    assert made.definition.startswith("(") and not made.definition.endswith(";")
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made.replace(comment=None)


@pytest.mark.parametrize("text", ["", "SELECT 1", "CREATE TABLE f(a int)", "CREATE FUNCTION f"])
def test_another_statement_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a FunctionDef needs one statement, CREATE FUNCTION"):
        FunctionDef(text)


def test_a_trigger_may_name_its_function() -> None:
    touch = FunctionDef("CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'")
    table = TableDef("t", (), triggers=(TriggerDef("tr", "BEFORE UPDATE", touch, comment="x"),))
    assert ddl.script(table).splitlines()[1:] == [
        'CREATE FUNCTION "shop"."touch"() RETURNS trigger LANGUAGE plpgsql AS \'BEGIN RETURN new; END\';',
        'CREATE TRIGGER "tr" BEFORE UPDATE ON "t" FOR EACH ROW EXECUTE FUNCTION "shop"."touch"();',
        'COMMENT ON TRIGGER "tr" ON "t" IS \'x\';',
    ]
    assert ddl.functions_of(table, table) == [touch]
