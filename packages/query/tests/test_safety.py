"""What must be refused, with the remedy in the message; what is never refused; what never becomes text."""

from __future__ import annotations

import random
from typing import Any

import pytest
from query_shop import posts, users

from data_bridge import core
from data_bridge.query import (
    ColumnDef,
    TableDef,
    column,
    compile,
    ddl,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    row,
    select,
    sql,
    table,
    types,
    update,
)


def test_truth_iteration_and_membership_name_the_fix() -> None:
    x = users.age
    for use in (lambda: bool(x > 1), lambda: x > 1 and x < 5, lambda: not x, lambda: 1 < x < 5, lambda: 5 if x else 6):
        with pytest.raises(TypeError, match=r"write & \| ~"):
            use()
    for use in (lambda: 1 in x, lambda: list(x), lambda: [*x], lambda: any(posts.tags)):
        with pytest.raises(TypeError, match="in_"):
            use()


@pytest.mark.parametrize("condition", [True, False, None, 1, "age > 5", users.age])
def test_conditions_are_expressions(condition: Any) -> None:
    with pytest.raises(TypeError, match=r"condition|compare it"):
        select(users.id).where(condition)
    with pytest.raises(TypeError, match=r"condition|compare it"):
        select(users.id).having(condition)
    with pytest.raises(TypeError):
        not_(condition) if condition is not users.age else users.age & condition & 5


def test_a_bool_column_is_a_condition() -> None:
    assert (
        select(users.id)
        .where(users.active, ~users.active)
        .sql()
        .sql.endswith('WHERE "users"."active" AND NOT "users"."active"')
    )


def test_unknown_names_have_a_near_match() -> None:
    for use in (
        lambda: select(users.id).order_by("-agee"),
        lambda: select(users.id).where(agee=5),
        lambda: select(users.id).where({"agee": 5}),
        lambda: users.agee,
        lambda: users.c.agee,
        lambda: update(users).set(agee=5),
        lambda: insert(users).values(agee=5),
        lambda: select(users.id).group_by("agee"),
        lambda: select(users.id).subquery("s").c.idd,
    ):
        with pytest.raises((AttributeError, LookupError), match=r"did you mean '(age|id)'\?"):
            use()


def test_columns_of_other_tables_are_not_written() -> None:
    with pytest.raises(LookupError, match=r"posts\.title is not a column of users"):
        update(users).set({posts.title: "x"})


def test_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="twice"):
        update(users).set({users.age: 1, "age": 2})
    with pytest.raises(ValueError, match="twice"):
        update(users).set(age=1).set(age=2)
    with pytest.raises(ValueError, match="twice"):
        insert(users).values({users.age: 1, "age": 2})


def test_writes_without_a_filter_are_refused() -> None:
    for write in (delete(users), update(users).set(age=1), delete(users).where()):
        with pytest.raises(core.UnfilteredWrite, match="all_rows"):
            write.sql()
    assert delete(users).all_rows().sql().sql == 'DELETE FROM "users"'


def test_joins_say_what_is_missing() -> None:
    other = table("other", column("id", int))
    with pytest.raises(TypeError, match=r"no foreign key between other and users"):
        select(users.id).join(other)
    twice = table("twice", column("a", int, references="users.id"), column("b", int, references="users.id"))
    with pytest.raises(TypeError, match="2 foreign keys"):
        select(users.id).join(twice)
    with pytest.raises(TypeError, match="from_"):
        select(func.now()).join(users)


@pytest.mark.parametrize("name", ["a\0b", "x" * 64, "é" * 32, ""])
def test_impossible_identifiers_are_refused_with_their_name(name: str) -> None:
    bad = table("t", column(name, int))
    for use in (
        lambda: select(bad.c[name]).sql(),
        lambda: select(literal(1).label(name)).sql(),
        lambda: select(users.id).from_(users.alias(name)).sql(),
        lambda: str(ddl.DropTable(name)),
    ):
        with pytest.raises(core.CompileError) as caught:
            use()
        assert "identifier" in str(caught.value)
        assert caught.value.path.startswith("$")


def test_long_identifiers_that_fit_are_fine() -> None:
    assert "é" * 31 in select(table("t", column("é" * 31, int)).c["é" * 31]).sql().sql


def test_str_and_wrong_things_in_lists() -> None:
    with pytest.raises(TypeError, match="in_"):
        users.name.in_("alice")
    with pytest.raises(TypeError, match="like"):
        users.name.like(None)
    with pytest.raises(TypeError, match="startswith"):
        users.name.startswith(5)
    with pytest.raises(TypeError, match="row of 2"):
        _ = row(users.id, users.age) > (1, 2, 3)
    with pytest.raises(TypeError, match="literal"):
        select("id")
    with pytest.raises(TypeError, match="limit"):
        select(users.id).limit(True)
    with pytest.raises(ValueError, match=">= 0"):
        select(users.id).offset(-1)
    with pytest.raises(TypeError, match="placeholders"):
        sql("a = $1")
    with pytest.raises(TypeError, match="placeholders"):
        sql("a = $2", 1)
    with pytest.raises(TypeError, match="joins conditions"):
        (users.age > 1) & True
    with pytest.raises(TypeError, match="joins conditions"):
        or_(True)


def test_operators_and_types_cannot_carry_text() -> None:
    for use in (
        lambda: users.id.op("= 1; drop table users --", 1),
        lambda: users.id.op("--", 1),
        lambda: users.id.op("/*", 1),
        lambda: users.id.cast(types.Other("text; drop table users")),
        lambda: users.id.cast("text) union select"),
    ):
        with pytest.raises(core.CompileError):
            select(use()).sql()
    with pytest.raises(core.CompileError, match=r"\*/"):
        select(users.id).tag("x */ drop table users /*").sql()
    with pytest.raises(core.CompileError, match="plain word"):
        from data_bridge.query import extract

        select(extract("year from now()) --", users.created_at)).sql()


INJECTIONS = [
    "'; DROP TABLE canary; --",
    '"; DROP TABLE canary; --',
    "'); DROP TABLE canary; --",
    "\\'; DROP TABLE canary; --",
    "$1; DROP TABLE canary; --",
    "*/ DROP TABLE canary; /*",
    "$$; DROP TABLE canary; $$",
    "' OR '1'='1",
    "x' UNION SELECT * FROM canary --",
    "E'\\'' ; DROP TABLE canary",
    "%s; DROP TABLE canary",
    "\u2019; DROP TABLE canary; --",
    "U&'\\0027'; DROP TABLE canary; --",
    "a\r\nDROP TABLE canary",
    "\ufeff'; DROP TABLE canary; --",
]


@pytest.mark.fault("I1", "I4")
async def test_injection_in_every_position_leaves_the_canary_alive(postgres_dsn: str) -> None:
    async with core.Database(postgres_dsn) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS canary, victim; CREATE TABLE canary (id int); INSERT INTO canary VALUES (1)"
        )
        for text in INJECTIONS:
            name = text[:60]
            odd = table(name, column(name, str), column("n", int))
            c = odd.c[name]
            await db.execute(str(ddl.CreateTable(odd.__table_def__)))
            statements = [
                insert(odd).values({c: text, "n": 1}),
                update(odd).set({c: text}).where(c == text),
                select(c.label(name)).where(c == text, c.in_([text]), c.contains(text), c.startswith(text)).order_by(c),
                select(c).where(c.like(text) | c.regex("^x") | (c + text == text)).tag("x"),
                select(func.concat(c, text).label(name), odd.n[text] if False else literal(text).label("t")),
                select(aliased_column(odd, name)).from_(odd.alias(name)),
                select(c).cte(name),
            ]
            for statement in statements[:6]:
                compiled = compile(statement)
                await db.fetch(compiled.sql, *compiled.params, as_=tuple)
            found = compile(select(c).where(c == text))
            assert await db.fetch_val(found.sql, *found.params) == text
            # DDL has no parameters: this is the literal writer.
            extra = ColumnDef("extra", types.Text, default=literal(text), comment=text)
            await db.execute(str(ddl.AddColumn(odd.__table_def__, extra)))
            await db.execute(str(ddl.Comment("column", odd.__table_def__, text, "extra")))
            copied = compile(insert(odd).values(n=2))
            await db.execute(copied.sql, *copied.params)
            quoted = TableDef(name, (*odd.__table_def__.columns, ColumnDef("extra", types.Text)))
            back = compile(select(quoted.source.c.extra).where(quoted.source.c.n == 2))
            assert await db.fetch_val(back.sql, *back.params) == text
            await db.execute(str(ddl.DropTable(odd.__table_def__)))
        assert await db.fetch_val("SELECT count(*) FROM canary") == 1
        await db.execute("DROP TABLE canary")


def aliased_column(odd: Any, name: str) -> Any:
    return odd.alias(name).c[name]


def _text(rng: random.Random, length: int) -> str:
    kinds = ("'\"\\;$%-/*\n\t ", "abcXYZ019_", "äßøλжあ漢😀", "".join(map(chr, range(1, 32))))
    return "".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randint(1, length)))


@pytest.mark.fault("I1")
async def test_100_000_values_and_identifiers_round_trip(postgres_dsn: str) -> None:
    rng = random.Random(5)
    async with core.Database(postgres_dsn) as db:
        await db.execute_script("DROP TABLE IF EXISTS fuzz; CREATE TABLE fuzz (i int, v text)")
        t = table("fuzz", column("i", types.Integer), column("v", str))
        values = [_text(rng, 24) for _ in range(90_000)]
        sent = compile(insert(t).values([{"i": i, "v": v} for i, v in enumerate(values)]))
        assert await db.execute(sent.sql, *sent.params) == len(values)
        read = compile(select(t.v).order_by(t.i))
        assert [v for (v,) in await db.fetch(read.sql, as_=tuple)] == values
        # Identifiers: many result columns in each statement, under random names.
        for _ in range(20):
            names = list({_text(rng, 12) for _ in range(520)})[:500]
            statement = compile(select(*(literal(i).label(n) for i, n in enumerate(names))))
            (found,) = await db.fetch(statement.sql, *statement.params)
            assert list(found) == names
            assert list(found.values()) == list(range(len(names)))
        # Literals of DDL, through the literal writer.
        for _ in range(200):
            text = _text(rng, 30)
            await db.execute(str(ddl.Comment("table", "fuzz", text)))
            assert await db.fetch_val("SELECT obj_description('fuzz'::regclass)") == text
        await db.execute("DROP TABLE fuzz")
