"""What applications do: documents and arrays in filters, odd names, concurrent writers, web frameworks."""

import asyncio
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Page,
    Table,
    aliased,
    create_all,
    execute,
    fetch_val,
    func,
    pg_transaction,
)


class Doc(IdMixin):
    body: Col[dict[str, Any]] = Column(default_factory=dict)
    tags: Col[list[str]] = Column(default_factory=list)
    note: Col[dict[str, Any] | None] = Column(default=None)


async def test_documents_and_arrays(db: Any) -> None:
    await create_all(Doc)
    await Doc.insert_many(
        [
            {"body": {"a": {"b": 1}, "list": [1, 2, 3]}, "tags": ["x", "y"]},
            {"body": {"a": {"b": 2}}, "tags": ["y"], "note": {}},
            {"body": {}, "tags": []},
        ]
    )

    async def ids(*conditions: Any) -> list[int]:
        first = await fetch_val("SELECT min(id) FROM doc")
        return [d.id - first for d in await Doc.find(*conditions).order_by("id")]

    assert await ids(Doc.body["a"]["b"] == 1) == [0]
    assert await ids(Doc.body["a"]["b"] > 1) == [1]
    assert await ids(Doc.body.contains({"a": {"b": 2}})) == [1]
    assert await ids(Doc.body.has_key("list")) == [0]
    assert await ids(Doc.body.path("$.list[*] ? (@ > 2)")) == [0]
    assert await ids(Doc.body["a"]["b"].cast(str) == "2") == [1]
    assert await ids(Doc.body == {}) == [2]
    assert await ids(Doc.note == None) == [0, 2]  # noqa: E711
    assert await ids(Doc.note == {}) == [1]
    assert await ids(Doc.tags.contains(["y"])) == [0, 1]
    assert await ids(Doc.tags.any_("x")) == [0]
    assert await ids(Doc.tags.overlaps(["x", "z"])) == [0]
    assert await ids(Doc.tags.length() == 1) == [1]
    assert await ids(Doc.tags[1] == "y") == [1]
    assert await ids(Doc.tags == []) == [2]
    assert await ids(Doc.tags == ["x", "y"]) == [0]
    assert await Doc.find(Doc.tags == ["y"]).update(body=Doc.body.set(("a", "b"), 9)) == 1
    assert await ids(Doc.body["a"]["b"] == 9) == [1]


class Odd(Table):
    class Settings:
        name = 'My "odd" táble'

    id: Col[int] = Column(primary_key=True, name="select")
    from_: Col[str] = Column(name="from")
    upper: Col[str] = Column(default="u", name="Upper Case; --")


async def test_odd_names(db: Any) -> None:
    await create_all(Odd)
    row = await Odd(id=1, from_="x").save()
    assert await Odd.find(Odd.from_ == "x").order_by(Odd.upper) == [row]
    row.from_ = "y"
    await row.save()
    await row.update(upper="V")
    await Odd.insert_many([Odd(id=2, from_="z")])
    row.upper = "W"
    await Odd.bulk_update([row])
    await Odd.upsert(Odd(id=1, from_="q", upper="Q"), conflict=["id"])
    assert [(o.id, o.from_, o.upper) for o in await Odd.find().order_by("id")] == [(1, "q", "Q"), (2, "z", "u")]
    assert await Odd.find(from_="z").values("from_", "upper") == [{"from_": "z", "upper": "u"}]
    other = aliased(Odd)
    assert await Odd.find().join(other, other.id > Odd.id).tuples(Odd.id, other.id) == [(1, 2)]
    assert (await Odd.find().order_by(Odd.from_).paginate(1)).items[0].id == 1


class Camel(Table):
    model_config = ConfigDict(alias_generator=lambda s: s.title())
    id: int = Column(primary_key=True)
    first: str
    second: int = Field(default=1, validation_alias=AliasChoices("two", "zwei"))
    tags: list[str] = Column(default_factory=list)

    @model_validator(mode="after")
    def _positive(self) -> "Camel":
        if self.second < 0:
            raise ValueError("negative")
        return self


async def test_a_model_validator_and_aliases_together(db: Any) -> None:
    await create_all(Camel)
    await Camel(Id=1, First="a", two=2, Tags=["t"]).save()  # type: ignore[call-arg]
    row = await Camel.get(1)
    assert (row.first, row.second, row.is_changed) == ("a", 2, False)
    assert await Camel.find(first="a") == [row]
    row.tags.append("u")
    assert row.get_changes() == {"tags": ["t", "u"]}
    await row.save()
    assert (await Camel.find().select("first"))[0].first == "a"
    await Camel.insert_many([{"Id": 2, "First": "b"}])
    row.second = 7
    await Camel.bulk_update([row])
    loaded = await Camel.find().order_by("id")
    assert [(c.first, c.second, c.tags) for c in loaded] == [("a", 7, ["t", "u"]), ("b", 1, [])]


class Counter(Table):
    name: Col[str] = Column(primary_key=True)
    n: Col[int] = Column(default=0)


async def test_concurrent_writers(isolated_db: Any) -> None:
    await create_all(Counter)
    made = await asyncio.gather(*(Counter.get_or_create({"n": i}, name="a") for i in range(8)))
    assert sum(m.created for m in made) == 1 and len({m.row.n for m in made}) == 1
    await asyncio.gather(*(Counter.find(name="a").update(n=Counter.n + 1) for _ in range(20)))
    before = made[0].row.n
    assert (await Counter.get("a")).n == before + 20
    await asyncio.gather(
        *(Counter.upsert(Counter(name="b", n=1), conflict=["name"], update={"n": Counter.n + 1}) for _ in range(10))
    )
    assert (await Counter.get("b")).n == 10
    async with pg_transaction():
        await asyncio.gather(*(Counter(name=f"t{i}").save() for i in range(5)))
    assert await Counter.find(Counter.name.startswith("t")).count() == 5


async def test_a_save_in_a_task_group_that_fails_leaves_nothing(isolated_db: Any) -> None:
    await create_all(Counter)
    with pytest.raises(ExceptionGroup):
        async with pg_transaction():
            async with asyncio.TaskGroup() as group:
                group.create_task(Counter(name="x").save())
                group.create_task(execute("SELECT 1 / 0"))
    assert await Counter.count() == 0


async def test_fastapi(isolated_db: Any) -> None:
    import httpx
    from fastapi import FastAPI

    await create_all(Counter)
    app = FastAPI()

    @app.post("/counters")
    async def make(counter: Counter) -> Counter:
        return await counter.save()

    @app.get("/counters")
    async def pages(after: str | None = None) -> Page[Counter]:
        return await Counter.find().order_by("name").paginate(2, after=after)

    @app.get("/counters/{name}")
    async def one(name: str) -> Counter | None:
        return await Counter.get_or_none(name)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for name in "abc":
            answer = await client.post("/counters", json={"name": name, "n": 1})
            assert answer.json() == {"name": name, "n": 1}
        assert (await client.post("/counters", json={"name": "d", "n": "many"})).status_code == 422
        assert (await client.post("/counters", json={"name": "a", "n": 5})).json()["n"] == 5
        first = (await client.get("/counters")).json()
        assert [c["name"] for c in first["items"]] == ["a", "b"] and first["prev"] is None
        second = (await client.get("/counters", params={"after": first["next"]})).json()
        assert [c["name"] for c in second["items"]] == ["c"] and second["next"] is None
        assert (await client.get("/counters/zzz")).json() is None
        assert "Counter" in (await client.get("/openapi.json")).json()["components"]["schemas"]


class Nested(BaseModel):
    doc: Doc
    others: list[Doc] = []


async def test_rows_inside_other_models(db: Any) -> None:
    await create_all(Doc)
    row = await Doc(tags=["a"]).save()
    holder = Nested(doc=row, others=[row])
    assert holder.doc is row and not row.is_changed
    again = Nested.model_validate_json(holder.model_dump_json())
    assert again.doc == row
    holder.doc.tags.append("b")
    await holder.doc.save()
    assert (await Doc.get(row.id)).tags == ["a", "b"]


async def test_expressions_in_results(db: Any) -> None:
    await create_all(Counter)
    await Counter.insert_many([{"name": c, "n": i} for i, c in enumerate("abcd")])
    ranked = (
        await Counter.find()
        .tuples(Counter.name, func.rank().over(order_by=[-Counter.n]), func.sum(Counter.n).over())
        .order_by("name")
    )
    assert [(n, r) for n, r, _ in ranked] == [("a", 4), ("b", 3), ("c", 2), ("d", 1)]
    labelled = await Counter.find(Counter.n > 1).values((Counter.n * 10).label("ten"), Counter.name).order_by("-ten")
    assert labelled == [{"ten": 30, "name": "d"}, {"ten": 20, "name": "c"}]
    assert await Counter.find().scalars(func.string_agg(Counter.name, ",")).one() == "a,b,c,d"
