"""Queries as applications write them: every one runs on a live server with its values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from query_shop import events as e
from query_shop import posts as p
from query_shop import script
from query_shop import users as u

from data_bridge import core
from data_bridge.query import (
    aliased,
    any_,
    case,
    compile,
    delete,
    excluded,
    exists,
    func,
    insert,
    literal,
    row,
    select,
    sql,
    update,
    values,
)  # fmt: skip

QUERIES: list[Callable[[], Any]] = []


def query(make: Callable[[], Any]) -> Callable[[], Any]:
    """Collects it."""
    QUERIES.append(make)
    return make


@query
def top_per_author() -> Any:
    r = select(
        p.author_id, p.title, func.row_number().over(partition_by=p.author_id, order_by=-p.price).label("rn")
    ).subquery("r")
    return select(u.name, r.c.title).join(r, r.c.author_id == u.id).where(r.c.rn <= 3).order_by(u.name, r.c.rn)


@query
def cohort() -> Any:
    m = func.date_trunc("month", u.created_at)
    return (
        select(
            m.label("month"),
            func.count().label("n"),
            func.count().filter(u.active).label("act"),
            (func.count().filter(u.active) * 100.0 / func.nullif(func.count(), 0)).label("pct"),
        )
        .group_by(m)
        .having(func.count() > 1)
        .order_by("month")
    )


@query
def running() -> Any:
    return select(p.published_on, func.sum(func.sum(p.price)).over(order_by=p.published_on)).group_by(p.published_on)


@query
def latest_lateral() -> Any:
    last = (
        select(p.id, p.title)
        .where(p.author_id == u.id)
        .order_by(p.created_at.desc().nulls_last())
        .limit(1)
        .subquery("l", lateral=True)
    )
    return select(u.id, last.c.title).join(last, sql("true"), how="left")


@query
def upsert_many() -> Any:
    return (
        insert(u)
        .values([{"name": f"n{i}", "email": f"e{i}", "age": i} for i in range(200)])
        .on_conflict(u.email)
        .do_update(
            {u.age: func.greatest(u.age, excluded(u.age)), u.name: excluded(u.name)},
            where=u.age.is_distinct_from(excluded(u.age)),
        )
        .returning(u.id, (sql("xmax = 0")).label("created"))
    )


@query
def queue() -> Any:
    nxt = select(p.id).where(p.qty > 0).order_by(p.id).limit(1).for_update(skip_locked=True).cte("nxt")
    return update(p).set({p.qty: p.qty - 1}).from_(nxt).where(p.id == nxt.c.id).returning(p.id, p.qty)


@query
def tree() -> Any:
    boss = aliased(u, "boss")
    t = (
        select(u.id, u.name, literal(0).label("depth"))
        .where(u.manager_id.is_null())
        .cte("t", recursive=lambda t: select(boss.id, boss.name, t.c.depth + 1).join(t, boss.manager_id == t.c.id))
    )
    return select(t.c.name, t.c.depth).order_by(t.c.depth)


@query
def json_agg() -> Any:
    return (
        select(u.id, func.jsonb_agg(func.jsonb_build_object("id", p.id, "title", p.title)).filter(p.id.is_not_null()))
        .join(p, how="left")
        .group_by(u.id)
    )


@query
def search() -> Any:
    wanted = func.websearch_to_tsquery("english", "fat cat")
    vec = func.to_tsvector("english", func.coalesce(p.title, "") + " " + func.coalesce(p.body, ""))
    return select(p.id, func.ts_rank(vec, wanted).label("rank")).where(vec.op("@@", wanted)).order_by("-rank").limit(5)


@query
def dates() -> Any:
    days = func.generate_series(dt.date(2024, 1, 1), dt.date(2024, 1, 31), dt.timedelta(days=1)).table("d")
    return (
        select(days.c.d.cast(dt.date), func.count(p.id))
        .join(p, p.published_on == days.c.d.cast(dt.date), how="left")
        .group_by(days.c.d)
        .order_by(days.c.d)
    )


@query
def archive() -> Any:
    gone = delete(p).where(p.created_at < func.now() - dt.timedelta(days=365)).returning(p.id, p.title).cte("gone")
    return insert(u).from_select(select(gone.c.title), ["name"])


@query
def anti() -> Any:
    return select(u.id).where(
        ~exists(select(p.id).where(p.author_id == u.id, p.price > Decimal("9.99"))), u.email.is_not_null()
    )


@query
def percentiles() -> Any:
    return select(
        p.author_id, func.percentile_cont([0.5, 0.9]).within_group(p.price), func.mode().within_group(p.title)
    ).group_by(p.author_id)


@query
def gaps() -> Any:
    return select(
        p.id,
        (p.id - func.lag(p.id, 1).over(order_by=p.id)).label("gap"),
        func.first_value(p.title).over(partition_by=p.author_id, order_by=p.id, rows=(None, None)),
    )


@query
def keyset() -> Any:
    return select(p.id, p.title).where(row(p.price, p.id) < (Decimal(5), 10)).order_by(-p.price, -p.id).limit(20)


@query
def setops() -> Any:
    return select(u.name.label("x")).union(select(p.title), all=True).order_by("x").limit(3)


@query
def overlaps_range() -> Any:
    return select(e.id).where(
        e.during.overlaps(func.tstzrange(func.now(), func.now() + dt.timedelta(hours=1))),
        e.at > "2024-01-01",
        e.took > dt.timedelta(minutes=5),
        e.numbers[1] == 5,
        e.numbers.contains([1]),
        e.kind.in_(["a", "b"]),
    )


@query
def casec() -> Any:
    return select(func.sum(case((p.qty > 5, p.price * p.qty), else_=0)), func.count(p.author_id).distinct()).from_(p)


@query
def bucket() -> Any:
    b = func.width_bucket(u.score, 0.0, 1.0, 10)
    return select(b.label("b"), func.count()).group_by("b").order_by("b")


@query
def arr() -> Any:
    return select(p.id, func.unnest(p.tags).label("tag")).where(p.tags.length() > 0, any_(p.tags) == "x")


@query
def str_() -> Any:
    return select(
        func.concat(u.name, " <", u.email, ">"),
        func.to_char(u.created_at, "YYYY-MM"),
        func.split_part(u.email, "@", 2),
        func.regexp_replace(u.name, "a+", "b", "g"),
        func.lpad(u.name, 10, "*"),
        func.format("%s-%s", u.name, u.age),
        u.name.concat("x", 5),
    )


@query
def upd_case() -> Any:
    return (
        update(u)
        .set(
            {
                u.age: case((u.age < 18, 18), else_=u.age),
                u.score: None,
                u.created_at: func.now(),
                u.name: func.trim(u.name),
            }
        )
        .where(u.id.in_([1, 2, 3]))
    )


@query
def jsonupd() -> Any:
    return (
        update(p)
        .set({p.meta: p.meta.set(["a"], [1, {"b": None}]), p.tags: func.array_append(p.tags, "z")})
        .where(
            p.meta["a"].is_null(),
            p.meta["k"].cast(int) > 5,
            p.meta["f"].cast(float) < 1.5,
            p.meta["b"].cast(bool),
            p.meta["s"] == "x",
            p.meta.contains({"a": [1]}),
        )
    )


@query
def vals() -> Any:
    v = values([(1, "a", Decimal("1.5")), (2, "b", None)], columns=["id", "n", "d"]).table("v")
    return update(u).set({u.name: v.c.n}).from_(v).where(u.id == v.c.id)


@query
def grp() -> Any:
    return (
        select(p.author_id, func.grouping(p.author_id), func.sum(p.qty))
        .group_by(func.rollup(p.author_id))
        .order_by(p.author_id.asc().nulls_last())
    )


@query
def distinct_lower() -> Any:
    k = func.lower(u.name)
    return select(k).distinct_on(k).order_by(k, -u.id)


@query
def jt() -> Any:
    j = sql("JSON_TABLE($1::jsonb, '$[*]' COLUMNS (a int PATH '$.a'))", '[{"a":1}]').table("jt", ("a", int))
    return select(j.c.a).where(j.c.a > 0)


@pytest.mark.parametrize("make", QUERIES, ids=lambda make: make.__name__)
async def test_it_runs(postgres_dsn: str, make: Callable[[], Any]) -> None:
    text, params = compile(make())
    async with core.Database(postgres_dsn) as db, core.pg_transaction(using=db) as tx:
        await tx.execute_script(f"CREATE SCHEMA everyday; SET LOCAL search_path = everyday; {script()}")
        await tx.fetch(text, *params, as_=tuple)
        tx.set_rollback_only()
