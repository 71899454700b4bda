"""Building statements: data-bridge-query beside SQLAlchemy Core, pypika and Oxyde's builder, interleaved in one run.

Every peer builds the same two queries again each time, as an application does, and gives text and parameters:

- ``one``: two columns of one table, one condition;
- ``six``: three joins, six conditions, an order and a limit (Oxyde's builder has no joins by condition: it is asked for
  ``one`` only).

``build`` is what a repeated query costs until its plan is found: expressions, statement, one lookup by structure (for
SQLAlchemy: with its compiled cache). ``first`` is the first compile of a shape. Peers that are not installed are left out:
``pip install sqlalchemy pypika oxyde``. Run it alone on the machine: ``python benchmarks/query_build.py [ROUNDS]``.
"""

from __future__ import annotations

import gc
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

Peer = dict[str, Callable[[], Any]]


def ours() -> Peer:
    """data-bridge-query: the structure is the key of the plan cache, so a repeated query is never compiled."""
    from data_bridge import core
    from data_bridge.query import aliased, column, insert, select, table

    users = table(
        "users",
        column("id", int, primary_key=True),
        column("name", str),
        column("age", int),
        column("created_at", datetime),
    )
    posts = table("posts", column("id", int), column("author_id", int, references="users.id"), column("title", str))
    a, b = aliased(posts, "a"), aliased(posts, "b")
    plans: dict[Any, str] = {}

    def found(query: Any) -> Any:
        statement = query.__statement__()
        sql = plans.get(statement.ir)
        if sql is None:
            sql = plans[statement.ir] = core.compile(statement).sql
        return sql, statement.params

    def one() -> Any:
        return select(users.id, users.age).where(users.age > 25)

    def six() -> Any:
        return (
            select(users.id, users.age)
            .join(posts, posts.author_id == users.id)
            .join(a, a.author_id == users.id)
            .join(b, b.author_id == users.id)
            .where(users.age > 25, users.name == "x", posts.title == "y", posts.id > 4, users.id < 9, users.age < 80)
            .order_by(-users.age)
            .limit(10)
        )

    rows = [{"name": "x", "age": i} for i in range(10_000)]
    return {
        "one build": lambda: found(one()),
        "six build": lambda: found(six()),
        "one first": lambda: core.compile(one().__statement__()),
        "six first": lambda: core.compile(six().__statement__()),
        "insert 10,000 rows": lambda: insert(users).values(rows).__statement__(),
    }


def sqlalchemy() -> Peer:
    """SQLAlchemy Core, with the cache its engines use."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    meta = sa.MetaData()
    users = sa.Table(
        "users",
        meta,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("age", sa.BigInteger),
    )
    posts = sa.Table(
        "posts",
        meta,
        sa.Column("id", sa.BigInteger),
        sa.Column("author_id", sa.BigInteger),
        sa.Column("title", sa.Text),
    )
    a, b = posts.alias("a"), posts.alias("b")
    dialect = postgresql.dialect(paramstyle="numeric_dollar")
    cache: dict[Any, Any] = {}

    def found(query: Any) -> Any:
        compiled, extracted, *_ = query._compile_w_cache(dialect, compiled_cache=cache, column_keys=[])
        return compiled.string, compiled.construct_params(extracted_parameters=extracted)

    def one() -> Any:
        return sa.select(users.c.id, users.c.age).where(users.c.age > 25)

    def six() -> Any:
        return (
            sa.select(users.c.id, users.c.age)
            .join(posts, posts.c.author_id == users.c.id)
            .join(a, a.c.author_id == users.c.id)
            .join(b, b.c.author_id == users.c.id)
            .where(
                users.c.age > 25,
                users.c.name == "x",
                posts.c.title == "y",
                posts.c.id > 4,
                users.c.id < 9,
                users.c.age < 80,
            )
            .order_by(users.c.age.desc())
            .limit(10)
        )

    return {
        "one build": lambda: found(one()),
        "six build": lambda: found(six()),
        "one first": lambda: one().compile(dialect=dialect),
        "six first": lambda: six().compile(dialect=dialect),
    }


def pypika() -> Peer:
    """pypika: text again every time, values inside it."""
    from pypika import Order, PostgreSQLQuery, Table

    users, posts = Table("users"), Table("posts")
    a, b = Table("posts").as_("a"), Table("posts").as_("b")

    def one() -> Any:
        return PostgreSQLQuery.from_(users).select(users.id, users.age).where(users.age > 25).get_sql()

    def six() -> Any:
        query = PostgreSQLQuery.from_(users).select(users.id, users.age)
        for other in (posts, a, b):
            query = query.join(other).on(other.author_id == users.id)
        for condition in (
            users.age > 25, users.name == "x", posts.title == "y", posts.id > 4, users.id < 9, users.age < 80,
        ):  # fmt: skip
            query = query.where(condition)
        return query.orderby(users.age, order=Order.desc).limit(10).get_sql()

    return {"one build": one, "six build": six, "one first": one, "six first": six}


def oxyde() -> Peer:
    """Oxyde's builder: its Python half makes the structure, its Rust half the text."""
    from oxyde import Field, Model

    class User(Model):
        id: int | None = Field(default=None, db_pk=True)
        name: str
        age: int

        class Meta:
            is_table = True
            table_name = "users"

    def one() -> Any:
        return User.objects.filter(age__gt=25).sql(dialect="postgres")

    return {"one build": one, "one first": one}


def cost(run: Callable[[], Any], seconds: float = 0.05) -> float:
    """Microseconds of one call, over calls for this long."""
    count, started = 0, time.process_time()
    deadline = started + seconds
    while True:
        for _ in range(20):
            run()
        count += 20
        if (now := time.process_time()) >= deadline:
            return (now - started) / count * 1e6


def main(rounds: int = 15) -> None:
    """Prints the medians, and how many times longer the peers take."""
    makers = {"data-bridge": ours, "sqlalchemy": sqlalchemy, "pypika": pypika, "oxyde": oxyde}
    peers = {name: make() for name, make in makers.items() if name == "data-bridge" or importlib.util.find_spec(name)}
    cases = list(peers["data-bridge"])
    found: dict[tuple[str, str], list[float]] = {}
    gc.disable()
    for _ in range(rounds):
        for case in cases:
            for name, peer in peers.items():
                if case in peer:
                    found.setdefault((case, name), []).append(cost(peer[case]))
        gc.collect()
    print(f"{'µs per statement':22}" + "".join(f"{name:>22}" for name in peers))
    for case in cases:
        line = f"{case:22}"
        own = statistics.median(found[case, "data-bridge"])
        for name in peers:
            times = found.get((case, name))
            middle = statistics.median(times) if times else None
            shown = (
                "–"
                if middle is None
                else f"{middle:.2f}" + ("" if name == "data-bridge" else f" ({middle / own:.1f} ×)")
            )
            line += f"{shown:>22}"
        print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
