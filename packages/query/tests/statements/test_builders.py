"""What the builders do beside their golden texts: immutability, names, common table expressions, many rows."""

from __future__ import annotations

import enum
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Network
from typing import Any

import pytest
from query_shop import posts, stock, users

from data_bridge import core
from data_bridge.core import Range
from data_bridge.query import (
    aliased,
    any_,
    column,
    compile,
    default,
    delete,
    func,
    insert,
    literal,
    merge,
    parse_type,
    raw,
    select,
    source_of,
    sql,
    table,
    type_of,
    types,
    update,
    values,
)


def text(thing: Any) -> str:
    return compile(thing).sql


def test_every_method_gives_a_new_query() -> None:
    base = select(users.id)
    before = text(base)
    for step in (
        base.where(users.age > 1),
        base.order_by(users.age),
        base.limit(1),
        base.offset(1),
        base.join(posts),
        base.group_by(users.id),
        base.having(func.count() > 1),
        base.distinct(),
        base.for_update(),
        base.tag("x"),
        base.columns(users.age),
        base.from_(aliased(users, "u")),
    ):
        assert step is not base
        assert text(step) != before
        assert text(base) == before
    write = update(users).where(users.id == 1)
    write.set(age=1)
    with pytest.raises(ValueError, match="no set"):
        write.sql()


def test_order_by_appends_and_none_clears() -> None:
    q = select(users.id).order_by(users.age).order_by("-name")
    assert text(q).endswith('ORDER BY "users"."age", "users"."name" DESC')
    assert "ORDER" not in text(q.order_by(None))


def test_the_text_of_a_shape_does_not_vary() -> None:
    def shape(n: int, names: list[str]) -> Any:
        return select(users.id).where(users.age > n, users.name.in_(names)).limit(n).offset(n).__statement__().ir

    assert shape(1, ["a"]) == shape(500, ["b", "c", "d"])
    assert hash(shape(1, ["a"])) == hash(shape(2, []))


def test_structures_hold_nothing_but_names() -> None:
    def walk(node: Any) -> None:
        assert type(node) in (str, int, type(None), tuple), node
        if type(node) is tuple:
            for child in node:
                walk(child)

    walk(select(users.id).where(users.active == True, users.score > 1.5).limit(True + 1).__statement__().ir)  # noqa: E712
    walk(insert(users).values(name="x", active=False).__statement__().ir)


def test_subqueries_have_the_columns_they_select() -> None:
    s = select(users.id, (users.age + 1).label("next"), func.lower(users.name), users.active).subquery("s")
    assert list(s.columns) == ["id", "next", "lower", "active"]
    assert s.c.id.t == types.BigInt
    with pytest.raises(core.EncodeError, match=r"s\.id"):
        s.c.id == "x"  # noqa: B015
    both = select(users.id).union(select(posts.id)).subquery("both")
    assert list(both.columns) == ["id"]
    assert list(select(users).cte("c").columns) == list(users.__table_source__.columns)


def test_common_table_expressions_stand_once_and_at_the_top() -> None:
    a = select(users.id).where(users.age > 1).cte("a")
    b = select(a.c.id).where(a.c.id > 2).cte("b")
    q = select(b.c.id).join(a, a.c.id == b.c.id).where(b.c.id < 9)
    assert text(q).count("WITH") == 1
    assert text(q).startswith('WITH "a" AS (SELECT "users"."id" FROM "users" WHERE "users"."age" > $2), "b" AS (')
    assert compile(q).params == (9, 1, 2)
    with pytest.raises(ValueError, match="two different common table expressions are called 'a'"):
        select(a.c.id).join(select(posts.id).cte("a"), how="cross")
    union = select(a.c.id).union(select(b.c.id))
    assert text(union).count("WITH") == 1


def test_self_join_by_alias() -> None:
    boss = aliased(users, "boss")
    assert text(select(users.name, boss.name).join(boss, users.manager_id == boss.id)).endswith(
        'FROM "users" JOIN "users" AS "boss" ON "users"."manager_id" = "boss"."id"'
    )
    assert source_of(boss).name == "boss"


def test_many_rows_travel_as_arrays() -> None:
    rows = [{"sku": str(i), "n": i} for i in range(1000)]
    statement = insert(stock).values(rows).__statement__()
    assert len(statement.params) == 2
    assert "unnest($1::text[], $2::bigint[])" in core.compile(statement).sql
    # An array cannot be unnested by element, and expressions cannot travel in one.
    arrays = insert(posts).values([{"title": "x", "tags": ["a"]}] * 100).__statement__()
    assert len(arrays.params) == 200
    mixed = insert(stock).values([{"sku": "a", "n": 1}] * 99 + [{"sku": "b", "n": func.length("xx")}])
    assert text(mixed).endswith("length($200))")
    some = insert(stock).values([{"sku": "a"}] * 60 + [{"sku": "b", "n": default}])
    assert text(some).endswith("($61, DEFAULT)")


def test_a_failing_row_is_named_by_its_index() -> None:
    for count in (3, 100):
        rows: list[dict[str, Any]] = [{"sku": "x", "n": i} for i in range(count)]
        rows[2]["n"] = "many"
        with pytest.raises(core.EncodeError, match=r"row 2: stock\.n") as caught:
            insert(stock).values(rows)
        assert caught.value.row_index == 2  # type: ignore[attr-defined]


def test_misuse_of_writes_is_explained() -> None:
    with pytest.raises(TypeError, match="not both"):
        insert(stock).values([{"sku": "a"}], n=1)
    with pytest.raises(TypeError, match="know the conflict"):
        insert(stock).values(sku="a").on_conflict().do_update(n=1)
    with pytest.raises(TypeError, match="columns or a constraint"):
        insert(stock).values(sku="a").on_conflict("sku", constraint="c")
    with pytest.raises(ValueError, match="at least one column"):
        insert(stock).values(sku="a").on_conflict("sku").do_update({})
    with pytest.raises(ValueError, match="using"):
        merge(stock).sql()
    with pytest.raises(TypeError, match="only tables are written"):
        insert(select(users.id).subquery("s"))
    with pytest.raises(TypeError, match="inner join"):
        delete(posts).join(users, how="left")
    with pytest.raises(ValueError, match="one width"):
        values([(1,), (1, 2)])
    with pytest.raises(ValueError, match="at least one row"):
        values([])


def test_raw_text_keeps_what_is_not_a_placeholder() -> None:
    body = "select $1, '$2', \"$3\", $$ $4 $$, $tag$ $5 $tag$, a$6 -- $7\n, /* $8 */ E'\\'$9', $2"
    statement = raw(body, "x", "y").__statement__()
    assert core.compile(statement).sql == body
    assert statement.params == ("x", "y")
    twice = raw("select $2, $1, $2", 1, 2).__statement__()
    assert (core.compile(twice).sql, twice.params) == ("select $1, $2, $1", (2, 1))


def test_styles() -> None:
    q = select(users.id).where(users.age % 2 == 1, sql("name like 'a%'"))
    assert compile(q, style="format").sql.endswith('"users"."age" %% %s = %s AND (name like \'a%%\')')
    assert compile(q, style="format").params == (2, 1)
    assert compile(q, style="named").params == {"p1": 2, "p2": 1}
    assert compile(raw("select $1::int, $1", 5), style="format").params == (5, 5)
    with pytest.raises(ValueError, match="style"):
        compile(q, style="strange")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a query"):
        compile(5)


def test_pretty_text_is_for_humans() -> None:
    q = select(users.id, users.name).join(posts).where(users.age > 1, posts.qty > 2).order_by(users.id).limit(5)
    assert q.sql(pretty=True).sql.splitlines() == [
        'SELECT "users"."id", "users"."name"',
        'FROM "users"',
        'JOIN "posts" ON "posts"."author_id" = "users"."id"',
        'WHERE "users"."age" > $1',
        '  AND "posts"."qty" > $2',
        'ORDER BY "users"."id"',
        "LIMIT $3",
    ]


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "bigint"), (str, "text"), (bool, "boolean"), (float, "double precision"), (Decimal, "numeric"), (bytes, "bytea"),
        (list[int], "bigint[]"), (set[str], "text[]"), (tuple[int, ...], "bigint[]"), (tuple[int, str], "jsonb"), (dict, "jsonb"),
        (dict[str, int], "jsonb"), (list[dict[str, int]], "jsonb"), (int | None, "bigint"), (Level, "bigint"), (int | str, "jsonb"),
        (types.Varchar(3), "character varying(3)"), (Point, "jsonb"), (Range[int], "int8range"), (Range[datetime], "tstzrange"), (Range[Decimal] | None, "numrange"), (IPv4Address, "inet"), (IPv6Network, "cidr"),
    ],
)  # fmt: skip
def test_annotations_have_types(annotation: Any, name: str) -> None:
    assert type_of(annotation).name == name


def test_an_annotation_without_a_type_says_so() -> None:
    with pytest.raises(TypeError, match="no SQL type is natural for object"):
        type_of(object)


@pytest.mark.parametrize(
    "spelling",
    [
        "bigint",
        "numeric(12,2)",
        "character varying(20)[]",
        "timestamp with time zone",
        "bit(3)",
        "tstzrange",
        "geometry(Point,4326)",
    ],
)
def test_spellings_read_back(spelling: str) -> None:
    assert parse_type(spelling).name == spelling


def test_spellings_of_people() -> None:
    assert parse_type("VARCHAR(20)") == types.Varchar(20)
    assert parse_type("int4") == types.Integer
    assert parse_type("decimal(5, 2)") == types.Numeric(5, 2)


def test_lateral_and_scalar_subqueries_in_the_result() -> None:
    count = select(func.count()).from_(posts).where(posts.author_id == users.id)
    assert text(select(users.id, count)).startswith('SELECT "users"."id", (SELECT count(*) FROM "posts" WHERE')
    assert text(select(users.id).where(users.age > count.scalar())).endswith('= "users"."id")')
    with pytest.raises(core.EncodeError):
        count.scalar() > "x"  # noqa: B015


def test_columns_are_dictionary_keys() -> None:
    assert {users.id: 1, users.age: 2}[users.id] == 1


def test_expressions_show_their_sql_and_never_values() -> None:
    assert repr(users.name == "secret") == '<Expr "users"."name" = $1>'
    assert "secret" not in repr(select(users.id).where(users.name == "secret"))
    assert repr(func.lower(users.name) == users.name) == '<Expr lower("users"."name") = "users"."name">'
    assert "does not compile" in repr(literal(1).label("x").op("--", 1))


def test_import_is_light() -> None:
    heavy = ("pydantic", "asyncio", "ssl", "dataclasses", "inspect", "json", "ipaddress")
    code = f"import sys, data_bridge.query; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_table_may_have_columns_called_like_methods() -> None:
    odd = table(
        "odd", column("alias", int), column("c", int), column("name", str), column("columns", int), column("s", int)
    )
    assert text(select(odd.alias, odd.name, odd.columns, odd.s)) == (
        'SELECT "odd"."alias", "odd"."name", "odd"."columns", "odd"."s" FROM "odd"'
    )
    assert text(select(aliased(odd, "o").alias)) == 'SELECT "o"."alias" FROM "odd" AS "o"'


def test_columns_whose_values_are_all_looked_at_compare_with_columns() -> None:
    kind = table("events", column("kind", types.Varchar(20)), column("at", types.Timestamp))
    assert text(select(kind.kind).where(kind.kind == users.name, kind.kind != kind.kind, kind.at < kind.at)) == (
        'SELECT "events"."kind" FROM "events" WHERE "events"."kind" = "users"."name" '
        'AND "events"."kind" <> "events"."kind" AND "events"."at" < "events"."at"'
    )


def test_mixed_numbers_have_the_type_postgresql_gives_them() -> None:
    assert func.coalesce(posts.price, users.score).t == types.Double
    assert func.greatest(posts.price, posts.qty).t == types.Numeric()
    assert func.coalesce(posts.title, posts.qty).t is None
    assert func.coalesce(posts.title, "x").t == types.Text
    assert func.date_trunc("day", posts.created_at).t == types.Timestamptz


def test_the_table_is_that_of_the_first_column_anywhere() -> None:
    assert text(select(func.count()).where(users.active)) == 'SELECT count(*) FROM "users" WHERE "users"."active"'
    assert text(select(func.max(users.age) + 1)) == 'SELECT max("users"."age") + $1 FROM "users"'
    assert text(select(func.now())) == "SELECT now()"
    cte = select(users.id).cte("c")
    assert text(select(func.count()).where(cte.c.id > 1)).startswith('WITH "c" AS')


def test_any_stands_on_the_right_wherever_it_is_written() -> None:
    for condition in ("x" == any_(posts.tags), any_(posts.tags) == "x"):
        assert repr(condition) == '<Expr $1 = ANY("posts"."tags")>'
    assert repr(any_([1, 2]) < users.age) == '<Expr "users"."age" > ANY($1)>'
    assert repr(5 >= any_([1, 2])) == "<Expr $1 >= ANY($2)>"
    with pytest.raises(TypeError, match="None"):
        any_([1]) == None  # noqa: B015, E711


def test_names_of_the_catalogs_travel_as_text() -> None:
    assert repr(func.to_tsvector("english", posts.body)) == '<Call to_tsvector($1::text::regconfig, "posts"."body")>'
    assert repr(func.to_tsvector("a text")) == "<Call to_tsvector($1)>"
    assert repr(func.nextval("s")) == "<Call nextval($1::text::regclass)>"
