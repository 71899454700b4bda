"""`Link[T]` in generic classes: a relation where T is given, an error with the spelling where it is not."""

from typing import Any, Generic, TypeVar

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import BackLink, Col, Column, IdMixin, Link, ManyToMany, Table, create_all

T = TypeVar("T")
U = TypeVar("U")


class GenericUser(IdMixin):
    name: Col[str]


class GenericPlace(Table):
    code: Col[str] = Column(primary_key=True)


class GenericPair(Table):
    a: Col[int] = Column(primary_key=True)
    b: Col[int] = Column(primary_key=True)


class Owned(IdMixin, Generic[T]):
    owner: Link[T] = Column(on_delete="CASCADE")
    note: Col[str] = Column(default="")

    class Settings:
        abstract = True


class Perhaps(IdMixin, Generic[T, U]):
    one: Link[T | None] = Column(default=None)
    other: "Link[U]"
    payload: Col[U | None] = Column(default=None, type="jsonb")


class Tagged(IdMixin, Generic[T]):
    tags: ManyToMany[T] = ManyToMany(through="generic_tags", near="left_id", far="right_id")

    class Settings:
        abstract = True


class Doc(Owned[GenericUser]):
    pass


class Slip(Owned[GenericPlace]):
    size: Col[int] = Column(default=1)


class Both(Perhaps[GenericUser, GenericPlace]):
    class Settings:
        name = "both_of_generic"


class Half(Perhaps[GenericUser, U], Generic[U]):
    class Settings:
        abstract = True


class Whole(Half[GenericPlace]):
    class Settings:
        name = "whole_of_generic"


class TaggedDoc(Tagged[GenericUser]):
    pass


async def fill() -> tuple[GenericUser, GenericPlace]:
    await create_all(GenericUser, GenericPlace, Doc, Slip, Both, Whole, TaggedDoc)
    return await GenericUser(name="ann").save(), await GenericPlace(code="x").save()


async def test_a_link_is_to_what_the_variable_stands_for(db: Any) -> None:
    user, place = await fill()
    doc = await Doc(owner=user, note="n").save()
    slip = await Slip(owner=place).save()
    assert (doc.owner_id, slip.owner_id) == (user.id, "x")  # type: ignore[attr-defined]
    assert (await (await Doc.get(doc.id)).owner).name == "ann"
    assert await Doc.find(Doc.owner.name == "ann").count() == 1
    assert await Slip.find(Slip.owner == place).count() == 1
    assert [d.owner.name for d in await Doc.find().fetch_links(Doc.owner)] == ["ann"]
    await user.delete()
    assert await Doc.count() == 0, "on_delete is that of the generic class"


async def test_several_variables_names_and_none(db: Any) -> None:
    user, place = await fill()
    for table in (Both, Whole):
        row = await table(other=place).save()  # type: ignore[call-arg]
        assert row.one is None
        row.one = user  # type: ignore[assignment]
        await row.save()
        found = (await table.find(table.one.name == "ann").fetch_links())[0]
        assert (found.one.name, found.other.code) == ("ann", "x")


async def test_relations_to_many(db: Any) -> None:
    user, _ = await fill()
    doc = await TaggedDoc().save()
    await doc.tags.add(user)
    assert [u.name for u in await doc.tags.find()] == ["ann"]


def test_what_the_variable_stands_for_is_asked_for() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Bare\.owner points to T, which stands for nothing here.*class Bare\(Owned\[User\]\)"
    ):

        class Bare(Owned):  # type: ignore[type-arg]
            pass

    with pytest.raises(ConfigurationError, match=r"Owned\[.*\]\.owner: GenericPair has a key of several columns"):

        class Paired(Owned[GenericPair]):
            pass

    class StillOpen(Owned[U], Generic[U]):
        pass

    assert "__db__" not in StillOpen.__dict__ or StillOpen.__dict__["__db__"] is None

    class Abstract(Owned):  # type: ignore[type-arg]
        class Settings:
            abstract = True

    class Closed(StillOpen[GenericUser]):
        pass

    assert 'REFERENCES "generic_user" ("id")' in Closed.ddl()


def test_back_links_of_a_generic_class() -> None:
    class WithBack(IdMixin, Generic[T]):
        parts: BackLink[list[T]] = BackLink("whole")

        class Settings:
            abstract = True

    class GenericWhole(WithBack["GenericPart"]):
        pass

    class GenericPart(IdMixin):
        whole: Link[GenericWhole]

    assert (
        GenericWhole.parts.any().sql
        if hasattr(GenericWhole.parts.any(), "sql")
        else GenericWhole.find(GenericWhole.parts.any()).sql()
    )
