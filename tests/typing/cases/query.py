"""Expressions and queries of data_bridge.query, as checkers see them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from data_bridge.query import (
    Call,
    ColumnProxy,
    Compiled,
    Expr,
    Order,
    Select,
    and_,
    case,
    cast,
    column,
    compile,
    delete,
    excluded,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    sql,
    table,
    types,
    update,
)


def comparisons(
    i: ColumnProxy[int],
    maybe_i: ColumnProxy[int | None],
    s: ColumnProxy[str],
    d: ColumnProxy[Decimal],
    maybe_d: ColumnProxy[Decimal | None],
    dt: ColumnProxy[datetime],
    maybe_dt: ColumnProxy[datetime | None],
    b: ColumnProxy[bool],
) -> None:
    q = select(i)
    assert_type(i == 2, Expr[bool])
    assert_type(i > 2, Expr[bool])
    assert_type(maybe_i == None, Expr[bool])  # noqa: E711
    q.where(maybe_i == i, i == maybe_i, maybe_i > i, i > maybe_i)
    q.where(d > 10, d > Decimal(1), maybe_d > 3, d == d)
    q.where(dt > dt - timedelta(days=7), maybe_dt > dt - timedelta(days=1))
    q.where(b, ~b, (i > 1) & (s == "x") | ~b)
    q.where({i: 5, "name": "x"}, name="x")
    q.where(sql("a = $1", 1))
    q.where(i == "x")  # error
    q.where(i == s)  # error
    q.where(i > "x")  # error
    q.where(d > "x")  # error
    q.where(i > s)  # error
    q.where(i)  # error
    q.where(True)  # error
    q.where(None)  # error
    q.having(i)  # error
    q.where(i & (s == "x"))  # error
    q.join(s)
    assert_type(and_(i > 1, s == "x"), Expr[bool])
    assert_type(or_(), Expr[bool])
    assert_type(not_(b), Expr[bool])
    not_(i)  # error


def traps(i: ColumnProxy[int], s: ColumnProxy[str]) -> None:
    for _ in s:  # error: mypy pyright ty
        pass
    _ = "x" in s  # error
    if i > 3:  # error: pyright
        pass


def arithmetic(
    i: ColumnProxy[int],
    s: ColumnProxy[str],
    d: ColumnProxy[Decimal],
    dt: ColumnProxy[datetime],
    f: ColumnProxy[float],
    td: ColumnProxy[timedelta],
) -> None:
    assert_type(i + 2, Expr[int])
    assert_type(i * 2, Expr[int])
    assert_type(-i, Expr[int])
    assert_type(d * i, Expr[Decimal])
    assert_type(i * d, Expr[Decimal])
    assert_type(d * 2, Expr[Decimal])
    assert_type(d + 2, Expr[Decimal])
    assert_type(f / 2.5, Expr[float])
    assert_type(dt - timedelta(days=7), Expr[datetime])
    assert_type(dt + timedelta(days=7), Expr[datetime])
    assert_type(dt - dt, Expr[timedelta])
    assert_type(td * 2, Expr[timedelta])
    assert_type(s + "x", Expr[str])
    s + 1  # error
    i + "x"  # error
    dt + 5  # error


def methods(
    i: ColumnProxy[int],
    s: ColumnProxy[str],
    maybe_s: ColumnProxy[str | None],
    tags: ColumnProxy[list[str]],
    j: ColumnProxy[dict[str, Any]],
) -> None:
    assert_type(s.like("x"), Expr[bool])
    assert_type(maybe_s.startswith("x"), Expr[bool])
    assert_type(i.in_([1, 2]), Expr[bool])
    assert_type(i.in_(select(i)), Expr[bool])
    assert_type(i.is_null(), Expr[bool])
    assert_type(i.between(1, 2), Expr[bool])
    assert_type(i.cast(str), Expr[str])
    assert_type(i.desc().nulls_last(), Order)
    assert_type(tags.length(), Expr[int])
    assert_type(tags.contains(["a"]), Expr[bool])
    assert_type(j["a"]["b"] == 1, Expr[bool])
    assert_type(s.matches({"s": "x"}), bool)
    assert_type(excluded(i), Expr[int])
    i.like("x")  # error
    i.startswith("x")  # error
    i.regex("x")  # error
    s.like(5)  # error
    s.nonsense()  # error


def functions(
    i: ColumnProxy[int],
    maybe_i: ColumnProxy[int | None],
    s: ColumnProxy[str],
    maybe_s: ColumnProxy[str | None],
    d: ColumnProxy[Decimal],
) -> None:
    assert_type(func.count(), Call[int])
    assert_type(func.count().filter(i > 3).over(partition_by=[s], order_by=[-i], rows=(None, 0)), Expr[int])
    assert_type(func.sum(i), Call[int | None])
    assert_type(func.sum(maybe_i), Call[int | None])
    assert_type(func.sum(d), Call[Decimal | None])
    assert_type(func.avg(i), Call[Decimal | None])
    assert_type(func.max(s), Call[str | None])
    assert_type(func.lower(s), Call[str])
    assert_type(func.lower(s) == "x", Expr[bool])
    assert_type(func.now(), Call[datetime])
    assert_type(func.current_date(), Call[date])
    assert_type(func.coalesce(maybe_s, "x"), Call[str])
    assert_type(func.array_agg(i), Call[list[int]])
    assert_type(func.anything(i, 5), Call[Any])
    assert_type(exists(select(i)), Expr[bool])
    assert_type(cast("5", int), Expr[int])
    assert_type(case((i > 1, "x"), else_="y"), Expr[Any])
    func.count().filter(i)  # error
    case("x")  # error


class Model:
    """Stands for a Table class."""


def rows(i: ColumnProxy[int], s: ColumnProxy[str], dt: ColumnProxy[datetime], maybe_s: ColumnProxy[str | None]) -> None:
    assert_type(select(i), Select[tuple[int]])
    assert_type(select(i, s), Select[tuple[int, str]])
    assert_type(select(i, s, dt), Select[tuple[int, str, datetime]])
    assert_type(select(i, maybe_s), Select[tuple[int, str | None]])
    assert_type(select(Model, func.count()), Select[tuple[Model, int]])
    assert_type(select(i, func.max(dt)).where(i > 1).order_by(-i).limit(5), Select[tuple[int, datetime | None]])
    assert_type(select(i, s, i, s, i, s, i, s), Select[tuple[int, str, int, str, int, str, int, str]])
    assert_type(compile(select(i), style="format"), Compiled)
    compile(select(i), style="strange")  # error
    select(i).limit("x")  # error
    select(i).join(s, how="sideways")  # error


def definitions() -> None:
    users = table("users", column("id", int, primary_key=True), column("name", types.Varchar(20)))
    assert_type(users.id, ColumnProxy[Any])
    assert_type(users.c.id, ColumnProxy[Any])
    select(users.id, users.name).where(users.id > 5, users.name.like("x"))
    insert(users).values(id=1).on_conflict(users.id).do_update([users.name]).returning(users.id)
    update(users).set({users.name: "x"}).where(users.id == 1)
    delete(users).where(users.id == 1)
    delete(users).where(True)  # error
    column("id", int, on_delete="sideways")  # error
    column("id", int, sideways=True)  # error
