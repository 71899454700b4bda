"""MERGE, INSERT … SELECT, statements that are not run, samples, batches by key, models for requests, drift, progress."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError, field_validator

from data_bridge.postgres import (
    Col,
    Column,
    ConfigurationError,
    Conflict,
    EncodeError,
    IdMixin,
    MultipleRowsFound,
    RowNotFound,
    Table,
    TimestampMixin,
    add_observer,
    create_all,
    execute,
    fetch_val,
    param,
    progress_bar,
    remove_observer,
)
from data_bridge.query import select


class Stock(TimestampMixin):
    sku: Col[str] = Column(primary_key=True)
    price: Col[Decimal] = Column(precision=10, scale=2, default=Decimal(1))
    tags: Col[list[str]] = Column(default_factory=list)
    n: Col[int] = Column(default=0)


class Archive(Table):
    sku: Col[str] = Column(primary_key=True)
    n: Col[int]


async def stock(count: int = 5) -> list[Stock]:
    await create_all(Stock, Archive)
    return await Stock.insert_many([Stock(sku=f"s{i}", n=i) for i in range(count)])


async def test_merge(db: Any, sent: Any) -> None:
    await stock()
    merged = Stock.merge([{"sku": "s1", "n": 10}, {"sku": "s9", "n": 9}], on=[Stock.sku])
    with sent(
        r'^MERGE INTO "stock" USING \(VALUES .* WHEN MATCHED THEN UPDATE SET "n" = "new"."n", "updated_at" = now\(\) WHEN'
    ):
        assert await merged.when_matched().update().when_not_matched().insert() == 2
    assert (await Stock.get("s1")).n == 10 and (await Stock.get("s9")).n == 9
    assert (await Stock.get("s1")).updated_at is not None
    again = Stock.merge([Stock(sku="s1", n=1, tags=["x"]), Stock(sku="s2", n=0, tags=[])], on=["sku"])
    changed = (
        again.when_matched(lambda new: new.n > Stock.n)
        .delete()
        .when_matched()
        .update(lambda new: {Stock.n: Stock.n + new.n})
    )
    assert await changed.when_not_matched().do_nothing() == 2
    assert (await Stock.get("s1")).n == 11
    with sent(r'^MERGE INTO "archive" USING unnest\(\$1::text\[\], \$2::bigint\[\]\) AS "new"'):
        await Archive.merge([{"sku": "s7", "n": 1}], on=["sku"]).when_not_matched().insert()
    await Archive.delete_all()
    query = Stock.find(Stock.n > 5).values(Stock.sku, Stock.n)
    copied = Archive.merge(query, on=[Archive.sku])
    assert await copied.when_not_matched().insert(["sku", "n"]) == 2
    assert {a.sku for a in await Archive.find()} == {"s1", "s9"}
    assert "MERGE INTO" in copied.when_not_matched().insert().sql().sql
    with pytest.raises(ConfigurationError, match="at least one row"):
        Stock.merge([], on=["sku"])
    with pytest.raises(ConfigurationError, match="on="):
        Stock.merge([{"sku": "x"}], on=[])


async def test_insert_from_and_statements_as_parts_of_others(db: Any, sent: Any) -> None:
    await stock()
    with sent(r'^INSERT INTO "archive" \("sku", "n"\) SELECT'):
        assert (
            await Archive.insert_from(Stock.find(Stock.n > 2).tuples(Stock.sku, Stock.n), columns=[Archive.sku, "n"])
            == 2
        )
    assert await Archive.insert_from(Stock.find().values(Stock.sku, Stock.n), on_conflict="nothing") == 3
    doubled = Conflict(["sku"], update={"n": 100})
    assert await Archive.insert_from(Stock.find().values(Stock.sku, Stock.n), on_conflict=doubled) == 5
    assert await Archive.find(n=100).count() == 5
    await Archive.delete_all()
    gone = Stock.find(Stock.n < 2).delete_query().returning(Stock.sku, Stock.n).cte("gone")
    assert await Archive.insert_from(select(gone.c.sku, gone.c.n), columns=["sku", "n"]) == 2
    assert await Stock.count() == 3 and await Archive.count() == 2
    update = Stock.find(sku="s3").update_query({Stock.n: Stock.n + 1})
    assert (
        update.sql().sql.startswith('UPDATE "stock" SET "n" = "stock"."n" + $1') and await Stock.find(n=4).count() == 1
    )


async def test_batches_by_key(db: Any, sent: Any) -> None:
    await stock(10)
    with sent(*[r'ORDER BY "stock"."sku" LIMIT'] * 3):
        batches = [[s.sku for s in b] async for b in Stock.find(Stock.n != 4).by_pk_batches(4)]
    assert batches == [["s0", "s1", "s2", "s3"], ["s5", "s6", "s7", "s8"], ["s9"]]
    async for batch in Stock.find().by_pk_batches(5):  # rows that were seen may go
        for row in batch:
            await row.delete()
    assert await Stock.count() == 0
    with pytest.raises(ConfigurationError, match="goes by key"):
        await anext(Stock.find().order_by(Stock.n).by_pk_batches(2))


class Pair(Table):
    a: Col[int] = Column(primary_key=True)
    b: Col[str] = Column(primary_key=True)


async def test_batches_by_a_key_of_two_columns(db: Any) -> None:
    await create_all(Pair)
    await Pair.insert_many([Pair(a=a, b=b) for a in (1, 2) for b in "xyz"])
    assert [[f"{p.a}{p.b}" for p in batch] async for batch in Pair.find().by_pk_batches(4)] == [
        ["1x", "1y", "1z", "2x"],
        ["2y", "2z"],
    ]


async def test_tablesample(db: Any, sent: Any) -> None:
    await stock(50)
    with sent(r'FROM "stock" TABLESAMPLE bernoulli \(\$1\)'):
        assert len(await Stock.find().tablesample(100)) == 50
    assert len(await Stock.find(Stock.n < 10).tablesample(100, method="system", seed=1)) == 10
    assert await Stock.find().tablesample(0).count() == 0
    assert await Stock.find(Stock.n < 3).tablesample(100).delete() == 3


class Signup(IdMixin, TimestampMixin):
    email: Col[str] = Column(max_length=20, alias="eMail")
    age: Col[int] = Column(ge=18)
    nick: Col[str | None] = Column(default=None)
    role: Col[str] = Column(default="user")

    @field_validator("email")
    @classmethod
    def lower(cls, value: str) -> str:
        return value.lower()


def test_input_models() -> None:
    body = Signup.input_model(exclude=["role"])
    assert body.__name__ == "SignupInput" and set(body.model_fields) == {"email", "age", "nick"}
    made: Any = body(eMail="A@X", age=20)
    assert made.email == "a@x"
    with pytest.raises(ValidationError):
        body(eMail="a@x", age=3)
    with pytest.raises(ValidationError):
        body(eMail="a" * 21, age=30)
    patch = Signup.input_model("SignupPatch", optional=True)
    assert patch.__name__ == "SignupPatch" and patch().model_dump(exclude_unset=True) == {}
    assert patch(age=30).model_dump(exclude_unset=True) == {"age": 30}
    assert "id" not in body.model_json_schema()["properties"]


def test_schemas_of_what_is_saved() -> None:
    sent, given = Signup.model_json_schema(mode="serialization"), Signup.model_json_schema()
    assert sent["properties"]["id"] == {"title": "Id", "type": "integer"} and {"id", "created_at"} <= set(
        sent["required"]
    )
    assert "id" not in given["required"] and sent["properties"]["nick"]["anyOf"]


async def test_check_schema(db: Any) -> None:
    await create_all(Stock, Signup)
    assert await Stock.check_schema() == [] and await Signup.check_schema() == []
    assert [str(d) for d in await Archive.check_schema()] == ["archive: table archive is missing in the database"]
    await execute("ALTER TABLE stock DROP COLUMN tags, ADD COLUMN extra int, ALTER n TYPE int, ALTER n DROP NOT NULL")
    await execute("ALTER TABLE stock DROP CONSTRAINT stock_pkey")
    found = {(d.kind, d.name): (d.expected, d.found) for d in await Stock.check_schema()}
    assert found["type", "stock.n"] == ("bigint", "integer") and found["nullable", "stock.n"] == (False, True)
    assert {("column", "stock"), ("primary key", "stock")} <= found.keys()


async def test_the_catalogs_are_read_without_compiling_the_query(isolated_db: Any) -> None:
    before = await fetch_val("SHOW jit")
    texts: list[str] = []

    class Texts:
        def started(self, event: Any) -> None:
            texts.append(event.sql)

        def finished(self, token: Any, event: Any) -> None: ...

    hear = Texts()
    add_observer(hear)
    try:
        await Archive.check_schema()
    finally:
        remove_observer(hear)
    assert texts.index("SET LOCAL jit = off") < next(i for i, text in enumerate(texts) if "pg_constraint" in text)
    assert await fetch_val("SHOW jit") == before


async def test_progress(db: Any) -> None:
    await create_all(Archive)
    file = io.StringIO()
    seen: list[int] = []
    bar = progress_bar(10, label="stock", file=file)

    def progress(done: int) -> None:
        seen.append(done)
        bar(done)

    with bar:
        await Archive.insert_many(
            ({"sku": str(i), "n": i} for i in range(10)), batch_size=4, progress=progress, returning=False
        )
    assert seen == [4, 8, 10] and "100% 10/10" in file.getvalue() and file.getvalue().endswith("\n")
    assert progress_bar(file=file).text(1.0).startswith("rows 0")


async def test_prepared_queries(db: Any, sent: Any) -> None:
    await stock()
    between = (
        Stock.find(Stock.n >= param("low"), Stock.n <= param("high"), Stock.sku != "s9").order_by(Stock.n).prepare()
    )
    assert between.parameters == ("low", "high")
    with sent(r'WHERE "stock"."n" >= \$1 AND "stock"."n" <= \$2'):
        assert [s.n for s in await between(low=1, high=3)] == [1, 2, 3]
    first = await between.first(low=4, high=9)
    assert first is not None and first.n == 4 and await between.first(low=7, high=9) is None
    only = Stock.find(Stock.sku == param("sku")).prepare()
    assert (await only.one(sku="s2")).n == 2
    with pytest.raises(RowNotFound):
        await only.one(sku="?")
    with pytest.raises(MultipleRowsFound):
        await between.one(low=0, high=9)
    with pytest.raises(TypeError, match="takes low, high, not low"):
        await between(low=1)
    with pytest.raises(EncodeError):
        await between(low="x", high=1)
    names = Stock.find(Stock.n > param("n")).order_by(Stock.n).scalars(Stock.sku).prepare()
    assert await names(n=2) == ["s3", "s4"]
    with pytest.raises(ConfigurationError, match="without fetch_links"):
        Stock.find().fetch_links().prepare()
