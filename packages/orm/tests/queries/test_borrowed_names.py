"""Names of Beanie, SQLModel, SQLAlchemy, Django and Tortoise: they work where they mean the same, or name the spelling."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import Field

from data_bridge.core.errors import ConfigurationError
from data_bridge.orm.queries import borrowed_names as borrowed
from data_bridge.postgres import Col, Column, IdMixin, Link, Table, create_all


class Borrower(IdMixin):
    name: Col[str]
    age: Col[int] = Column(default=1)
    chief: Link["Borrower | None"] = Column(default=None)


class Owner(IdMixin):
    """With fields and methods of these names."""

    sort: Col[int] = Column(default=0)
    skip: Col[bool] = Column(default=False)
    sync: Col[str] = Column(default="s")
    objects: Col[list[str]] = Column(default_factory=list)
    limit: Col[int] = Column(default=3)
    nesting_depth: Col[int] = Column(default=2)

    def rollback(self) -> str:
        return "own"

    @classmethod
    def filter(cls) -> str:
        return "own"

    @classmethod
    def insert_one(cls) -> str:
        return "own"


B: Any = Borrower
Make = Callable[[Any], Any]


async def made(*names: str) -> list[Any]:
    await create_all(Borrower)
    return await Borrower.insert_many([Borrower(name=n, age=i) for i, n in enumerate(names)])


WORKS: dict[str, tuple[Callable[[Any], Awaitable[Any]], Callable[[Any], Any]]] = {
    # Each with what it returns, or leaves in the rows a (0), b (1), c (2); `r` is the row b.
    "create on an instance": (lambda r: B(name="d").create(), lambda x: x.name == "d" and x.pk is not None),
    "insert_one": (lambda r: B.insert_one(B(name="d")), lambda x: x.pk is not None),
    "find_many": (lambda r: B.find_many(B.age > 0).to_list(), lambda x: len(x) == 2),
    "where": (lambda r: B.where(name="a").count(), lambda x: x == 1),
    "filter": (lambda r: B.filter(name="a").filter(age=0).all(), lambda x: [b.name for b in x] == ["a"]),
    "filter_by": (lambda r: B.filter_by(name="a").count(), lambda x: x == 1),
    "bulk_create": (lambda r: B.bulk_create([B(name="d")]), lambda x: len(x) == 1),
    "in_bulk": (lambda r: B.in_bulk([r.id]), lambda x: next(iter(x.values())).name == "b"),
    "sort": (lambda r: B.find().sort("-age").to_list(), lambda x: [b.name for b in x] == ["c", "b", "a"]),
    "sort by a column": (
        lambda r: B.find().sort(-B.age).skip(1).limit(1).to_list(),
        lambda x: [b.name for b in x] == ["b"],
    ),
    "query.set": (lambda r: B.find(B.age > 0).set({B.name: "z"}), lambda x: x == 2),
    "query.inc": (lambda r: B.find(B.age > 0).inc({B.age: 5}), lambda x: x == 2),
    "update_many": (lambda r: B.find(B.age > 0).update_many({B.name: "z"}), lambda x: x == 2),
    "delete_many": (lambda r: B.find(B.age > 0).delete_many(), lambda x: x == 2),
    "distinct": (lambda r: B.find(B.age > 0).order_by("name").distinct("name").to_list(), lambda x: x == ["b", "c"]),
    "distinct of a column": (lambda r: B.find(B.age > 0).distinct(B.name).to_list(), lambda x: sorted(x) == ["b", "c"]),
    "row.set": (lambda r: r.set({B.name: "z"}), lambda x: x.name == "z"),
    "row.inc": (lambda r: r.inc({B.age: 5}), lambda x: x.age == 6),
    "row.sync": (lambda r: r.sync(), lambda x: x.name == "b"),
    "fetch_link": (lambda r: r.fetch_link("chief"), lambda x: x.chief is None),
    "fetch_related": (lambda r: r.fetch_related("chief"), lambda x: x.chief is None),
    "refresh_from_db": (lambda r: r.refresh_from_db(), lambda x: x.name == "b"),
    "asave": (lambda r: r.asave(), lambda x: x.name == "b"),
    "adelete": (lambda r: r.adelete(), lambda x: x is True),
    "find_one as a task": (lambda r: asyncio.create_task(B.find_one(name="a")), lambda x: x.name == "a"),
    "find_one gathered": (
        lambda r: asyncio.gather(B.find_one(name="a"), B.find_one(name="no")),
        lambda x: x[1] is None,
    ),
}


@pytest.mark.parametrize("what", WORKS)
async def test_what_means_the_same_works(db: Any, what: str) -> None:
    do, check = WORKS[what]
    _, row, _ = await made("a", "b", "c")
    assert check(await do(row))


async def test_rollback_discards_changes(db: Any) -> None:
    (row,) = await made("a")
    row.name = "b"
    row.rollback()
    assert (row.name, row.is_changed) == ("a", False)


SPELLED = [
    *[("class", n, b) for n, b in borrowed.ON_CLASS.items() if b.same is None],
    *[("row", n, b) for n, b in borrowed.ON_ROW.items() if b.same is None],
    *[("query", n, b) for n, b in borrowed.ON_QUERY.items() if b.same is None],
    *[("find_one", n, b) for n, b in borrowed.ON_FIND_ONE.items()],
]
OWNERS: dict[str, Callable[[], Any]] = {
    "class": lambda: B,
    "row": lambda: Borrower(name="x"),
    "query": lambda: Borrower.find(),
    "find_one": lambda: Borrower.find_one(),
}


@pytest.mark.parametrize(("where", "name", "meant"), SPELLED, ids=[f"{w}.{n}" for w, n, _ in SPELLED])
def test_what_differs_names_the_spelling(where: str, name: str, meant: borrowed.Borrowed) -> None:
    with pytest.raises(
        AttributeError, match=re.escape(f"has no {name!r}: write {meant.spelling.format(T='Borrower')}")
    ) as e:
        getattr(OWNERS[where](), name)
    assert "{" not in str(e.value).replace("{Borrower", "")


@pytest.mark.parametrize("names", [borrowed.ON_CLASS, borrowed.ON_ROW, borrowed.ON_QUERY])
def test_every_alias_is_an_attribute(names: Any) -> None:
    owner = {id(borrowed.ON_CLASS): B, id(borrowed.ON_ROW): Borrower(name="x")}.get(id(names), Borrower.find())
    assert all(callable(getattr(owner, n)) for n, b in names.items() if b.same is not None)


@pytest.mark.parametrize("keyword", borrowed.KEYWORDS)
async def test_keywords_of_find(db: Any, keyword: str) -> None:
    meant = re.escape(borrowed.KEYWORDS[keyword].format(T="Borrower"))
    with pytest.raises(AttributeError, match=rf"for find\({keyword}=…\) write {meant}"):
        Borrower.find(Borrower.age > 1, **{keyword: 1})
    with pytest.raises(AttributeError, match=meant):
        await Borrower.find_one(**{keyword: 1})


def loaded_link() -> Any:
    row: Any = Borrower(name="x", chief=Borrower(id=1, name="y"))
    return row.chief


PROPERTIES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "row.is_changed": (lambda: Borrower(name="x"), lambda r: r.is_changed(), lambda r: r.is_changed),
    "Borrower.chief.is_loaded": (loaded_link, lambda r: r.is_loaded(), lambda r: r.is_loaded),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_that_is_called_says_that_it_is_one(name: str) -> None:
    make, call, read = PROPERTIES[name]
    owner = make()
    for _ in range(3):  # the interpreter rewrites what runs often
        with pytest.raises(TypeError, match=re.escape(f"{name} is a property: write {name}, without ()")):
            call(owner)
    for _ in range(100):
        assert read(owner) is True
    value = read(owner)
    assert type(value) is bool
    attribute = name.rsplit(".", 1)[1]
    assert getattr(owner, attribute) is True and [getattr(o, attribute) for o in (owner,)] == [True]
    assert bool(read(owner)) and str(read(owner)).lower() == "true"
    with pytest.raises(TypeError):
        getattr(owner, attribute)()


def test_properties_are_not_callable_values_elsewhere() -> None:
    row: Any = Borrower(name="x")
    assert (row.is_changed, not row.is_changed, {"is": row.is_changed}) == (True, False, {"is": True})
    assert sorted([row.is_changed]) == [True] and f"{row.is_changed}" == "True"
    names: list[Any] = [row.is_changed for _ in range(2)]
    names.append(row.is_changed)
    assert names == [True] * 3


def test_aggregate_takes_no_pipeline() -> None:
    query: Any = Borrower.find()
    with pytest.raises(TypeError, match="not a pipeline: group_by"):
        query.aggregate([{"$group": {}}])


async def test_fields_and_methods_of_the_user_come_first(db: Any) -> None:
    await create_all(Owner)
    row: Any = await Owner(sort=3, sync="t", objects=["o"]).insert()
    owner: Any = Owner
    assert (row.sync, row.rollback(), owner.filter(), owner.insert_one()) == ("t", "own", "own", "own")
    assert (await owner.find(owner.sort == 3, skip=False, limit=3, nesting_depth=2).one()).objects == ["o"]
    assert [f for f in Owner.model_fields if Owner.model_fields[f].is_required()] == []
    assert not hasattr(B, "objects") and not hasattr(row, "nothing") and not hasattr(Owner.find(), "nothing")


F: Any = Field


def with_body(**body: Any) -> Callable[[], Any]:
    def make() -> Any:
        options = body.pop("options", {})
        ns = {k: v() if k == "a" else v for k, v in body.items()}
        annotations = {"a": int} if "a" in ns else {}
        return type(Table)(
            "Foreign", (IdMixin,), {"__module__": __name__, "__annotations__": annotations, **ns}, **options
        )

    return make


CLASSES: dict[str, tuple[Callable[[], Any], str]] = {
    "table=True": (with_body(options={"table": True}), r"class Foreign\(…, table=…\).*leave table= out"),
    "primary_key": (with_body(a=lambda: F(default=None, primary_key=True)), r"Foreign.a = Field\(primary_key=…\).*Column\(primary_key=…\)"),
    "foreign_key": (with_body(a=lambda: F(foreign_key="t.id")), r"write Column\(foreign_key=…\)"),
    "index": (with_body(a=lambda: F(index=True)), r"write Column\(index=…\)"),
    "__tablename__": (with_body(__tablename__="x"), "Foreign.__tablename__ is not read: write class Settings: name"),
    "__table_args__": (with_body(__table_args__=()), "Foreign.__table_args__ is not read"),
    "Meta": (with_body(Meta=type("Meta", (), {"db_table": "x"})), "Foreign.Meta.db_table is not read: write class Settings"),
}  # fmt: skip


@pytest.mark.parametrize("what", CLASSES)
@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`")
def test_class_bodies_of_others_are_refused(what: str) -> None:
    make, message = CLASSES[what]
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_meta_of_the_users_own_is_left_alone() -> None:
    class WithMeta(IdMixin):
        class Meta:
            purpose = "mine"

    assert WithMeta.Meta.purpose == "mine"
