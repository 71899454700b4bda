"""What was not loaded is never a default: whoever reads it gets the error with the remedy, and loaded rows work everywhere."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, computed_field
from pydantic_core import PydanticSerializationError

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    ColumnNotLoaded,
    DataBridgeError,
    IdMixin,
    Link,
    LinkNotLoaded,
    ManyToMany,
    create_all,
)


class Parent(IdMixin):
    name: Col[str]
    bio: Col[str | None] = Column(default=None)
    children: BackLink[list[Child]] = BackLink("parent")
    only: BackLink[Only | None] = BackLink("parent")
    tags: ManyToMany[Tag] = ManyToMany(through="parent_tags")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def loud(self) -> str:
        return (self.bio or "").upper()


class Child(IdMixin):
    parent: Link[Parent]


class Only(IdMixin):
    parent: Link[Parent] = Column(unique=True)


class Tag(IdMixin):
    word: Col[str]


class Out(BaseModel):
    """A model for answers in which everything has a default."""

    model_config = ConfigDict(from_attributes=True)


class BioOut(Out):
    name: str = "?"
    bio: str | None = None


class ChildOut(Out):
    id: int


class ChildrenOut(Out):
    children: list[ChildOut] = []


class OnlyOut(Out):
    only: ChildOut | None = None


class TagOut(Out):
    word: str = "?"


class TagsOut(Out):
    tags: list[TagOut] = []


class LoudOut(Out):
    loud: str = "?"


class ParentOut(Out):
    parent: BioOut | None = None


@dataclasses.dataclass
class Holder:
    row: Any


async def family() -> Any:
    await create_all(Parent, Child, Only, Tag)
    parent = await Parent(name="Ann", bio="writes").save()
    await Child(parent=parent).save()
    await Only(parent=parent).save()
    await parent.tags.add(await Tag(word="kind").save())
    return parent


async def full() -> Any:
    row = await Parent.find().fetch_links().one()
    child = await Child.find().fetch_links(Child.parent).one()
    return row, child


async def partial() -> Any:
    return (await Parent.find().select(Parent.name).one()), await Child.find().one()


READS: dict[str, tuple[Callable[[Any, Any], Any], Any, str]] = {
    "from_attributes, column": (lambda r, c: BioOut.model_validate(r), BioOut(name="Ann", bio="writes"), r"Parent\.bio was not loaded: add it to select"),
    "from_attributes, list": (lambda r, c: ChildrenOut.model_validate(r), ChildrenOut(children=[ChildOut(id=1)]), r"Parent\.children was not fetched: add .fetch_links"),
    "from_attributes, one": (lambda r, c: OnlyOut.model_validate(r), OnlyOut(only=ChildOut(id=1)), r"Parent\.only was not fetched: add .fetch_links"),
    "from_attributes, many to many": (lambda r, c: TagsOut.model_validate(r), TagsOut(tags=[TagOut(word="kind")]), r"Parent\.tags was not fetched: add .fetch_links"),
    "from_attributes, link": (lambda r, c: ParentOut.model_validate(c), ParentOut(parent=BioOut(name="Ann", bio="writes")), r"Child\.parent\.name needs the row.*add .fetch_links"),
    "from_attributes, computed": (lambda r, c: LoudOut.model_validate(r), LoudOut(loud="WRITES"), r"Parent\.bio was not loaded"),
    "TypeAdapter": (lambda r, c: TypeAdapter(list[BioOut]).validate_python([r]), [BioOut(name="Ann", bio="writes")], r"Parent\.bio was not loaded"),
    "attribute, column": (lambda r, c: r.bio, "writes", r"Parent\.bio was not loaded"),
    "attribute, list": (lambda r, c: len(r.children), 1, r"Parent\.children was not fetched"),
    "getattr": (lambda r, c: getattr(r, "bio", None), "writes", r"Parent\.bio was not loaded"),
    "getattr, list": (lambda r, c: len(getattr(r, "children", [])), 1, r"Parent\.children was not fetched"),
    "getattr, link": (lambda r, c: getattr(c.parent, "name", "?"), "Ann", r"Child\.parent\.name needs the row"),
    "hasattr": (lambda r, c: hasattr(r, "bio"), True, r"Parent\.bio was not loaded"),
    "hasattr, list": (lambda r, c: hasattr(r, "children"), True, r"Parent\.children was not fetched"),
    "hasattr, link": (lambda r, c: hasattr(c.parent, "name"), True, r"Child\.parent\.name needs the row"),
    "list": (lambda r, c: [t.word for t in r.tags], ["kind"], r"Parent\.tags was not fetched"),
    "len": (lambda r, c: len(r.tags), 1, r"Parent\.tags was not fetched"),
    "bool": (lambda r, c: bool(r.tags), True, r"Parent\.tags was not fetched"),
    "in": (lambda r, c: r.tags[0] in r.tags, True, r"Parent\.tags was not fetched"),
    "members": (lambda r, c: _members(r)["bio"], "writes", r"not (loaded|fetched): add"),
    "dump of a computed field": (lambda r, c: r.model_dump()["loud"], "WRITES", r"Parent\.bio was not loaded"),
    "JSON of a computed field": (lambda r, c: '"loud":"WRITES"' in r.model_dump_json(), True, r"Parent\.bio was not loaded"),
    "match": (lambda r, c: _matched(r), True, r"Parent\.bio was not loaded"),
}  # fmt: skip


def _members(row: Any) -> dict[str, Any]:
    with warnings.catch_warnings():  # Pydantic's own deprecated attributes
        warnings.simplefilter("ignore")
        return dict(inspect.getmembers(row))


def _matched(row: Any) -> bool:
    match row:
        case Parent(bio="writes"):
            return True
        case _:
            return False


@pytest.mark.parametrize("read", READS)
async def test_what_is_loaded_is_read(db: Any, read: str) -> None:
    await family()
    do, expected, _ = READS[read]
    assert do(*await full()) == expected


@pytest.mark.parametrize("read", READS)
async def test_what_is_not_loaded_is_an_error_with_the_remedy(db: Any, read: str) -> None:
    await family()
    do, _, message = READS[read]
    rows = await partial()
    with pytest.raises((DataBridgeError, ValidationError, PydanticSerializationError), match=message):
        do(*rows)


CARRIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda r: pickle.loads(pickle.dumps(r)),
    "model_copy": lambda r: r.model_copy(),
    "model_copy, deep": lambda r: r.model_copy(deep=True),
    "asdict": lambda r: dataclasses.asdict(Holder(r))["row"],
    "replace": lambda r: dataclasses.replace(Holder(r)).row,
}


@pytest.mark.parametrize("carry", CARRIES)
async def test_copies_have_what_was_loaded_and_nothing_more(db: Any, carry: str) -> None:
    await family()
    row, child = await full()
    made = CARRIES[carry](row)
    assert (made.bio, len(made.children), len(made.tags)) == ("writes", 1, 1)
    row, child = await partial()
    made = CARRIES[carry](row)
    assert (made.name, made.id) == ("Ann", 1)
    for read in (lambda: made.bio, lambda: made.children, lambda: made.tags[0]):
        with pytest.raises((ColumnNotLoaded, LinkNotLoaded)):
            read()
    with pytest.raises(LinkNotLoaded):
        _ = CARRIES[carry](child).parent.name


@pytest.mark.parametrize("carry", ["copy", "deepcopy", "pickle", "asdict", "replace"])
async def test_links_and_lists_are_copied_too(db: Any, carry: str) -> None:
    await family()
    row, child = await full()
    assert CARRIES[carry](child.parent).name == "Ann"
    assert [t.word for t in CARRIES[carry](row.tags)] == ["kind"]
    _, child = await partial()
    made = CARRIES[carry](child.parent)
    assert made.pk == child.parent_id
    with pytest.raises(LinkNotLoaded):
        _ = made.name


async def test_repr_never_fails(db: Any) -> None:
    await family()
    row, child = await full()
    assert repr(row) == "Parent(id=1, name='Ann', bio='writes', loud='WRITES')"
    assert "Ann" in repr(child.parent)
    row, child = await partial()
    assert repr(row) == "Parent(id=1, name='Ann', loud=<not loaded>)"
    assert str(row) == "id=1 name='Ann' loud=<not loaded>"
    assert list(row.__rich_repr__())[-1][0] == "loud"
    assert repr(row.tags) == "<Many Parent.tags>"
    assert repr(child.parent) == "<Linked Parent 1>"


async def test_answers_of_fastapi(db: Any) -> None:
    await family()
    shown: list[Any] = [*await full(), *await partial()]
    app = FastAPI()
    app.get("/bio/{i}", response_model=BioOut)(lambda i: shown[int(i)])
    app.get("/children/{i}", response_model=list[ChildrenOut])(lambda i: [shown[int(i)]])
    app.get("/tags/{i}", response_model=TagsOut)(lambda i: shown[int(i)])
    app.get("/parent/{i}", response_model=ParentOut)(lambda i: shown[int(i)])
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/bio/0")).json() == {"name": "Ann", "bio": "writes"}
        assert (await client.get("/children/0")).json() == [{"children": [{"id": 1}]}]
        assert (await client.get("/tags/0")).json() == {"tags": [{"word": "kind"}]}
        assert (await client.get("/parent/1")).json() == {"parent": {"name": "Ann", "bio": "writes"}}
        for url, message in (
            ("/bio/2", r"Parent\.bio was not loaded: add it to select"),
            ("/children/2", r"Parent\.children was not fetched: add .fetch_links\(Parent\.children\)"),
            ("/tags/2", r"Parent\.tags was not fetched"),
            ("/parent/3", r"Child\.parent\.name needs the row.*fetch_links\(Child\.parent\)"),
        ):
            with pytest.raises(ResponseValidationError, match=message):
                await client.get(url)


def test_they_are_no_attribute_errors() -> None:
    assert not issubclass(ColumnNotLoaded, AttributeError)
    assert not issubclass(LinkNotLoaded, AttributeError)
    assert not hasattr(Parent(name="x"), "nothing of the kind")
