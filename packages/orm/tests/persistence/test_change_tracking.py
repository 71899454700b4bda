"""What changed since a row was loaded, through every way of changing and copying one."""

import copy
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from data_bridge.postgres import Column, EncodeError, Table, create_all, execute, fetch_val

Sent = Any


class Inner(BaseModel):
    values: list[int] = []


class Changing(Table):
    id: int = Column(primary_key=True, auto_increment=True)
    name: str
    age: int | None = None
    meta: dict[str, Any] = Column(default_factory=dict)
    tags: list[str] = Column(default_factory=list)
    inner: Inner = Column(default_factory=Inner)


async def loaded(**values: Any) -> Changing:
    await create_all(Changing)
    made = await Changing(name="a", meta={"x": {"y": [1]}}, tags=["t"], inner=Inner(values=[1]), **values).save()
    return await Changing.get(made.id)


async def test_assigned_scalars(db: Any, sent: Sent) -> None:
    row = await loaded()
    assert not row.is_changed and row.get_changes() == {}
    row.name = "b"
    row.age = 3
    assert row.is_changed
    assert row.get_changes() == {"name": "b", "age": 3}
    assert row.get_previous_changes() == {"name": "a", "age": None}
    with sent(r'SET "name" = \$1, "age" = \$2 WHERE'):
        await row.save()
    assert not row.is_changed
    with sent():
        await row.save()


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda r: r.meta["x"]["y"].append(2), "meta"),
        (lambda r: r.tags.append("u"), "tags"),
        (lambda r: r.inner.values.append(2), "inner"),
        (lambda r: r.meta.clear(), "meta"),
        (lambda r: setattr(r.inner, "values", []), "inner"),
    ],
)
async def test_edits_in_place_are_found(db: Any, sent: Sent, edit: Any, key: str) -> None:
    row = await loaded()
    edit(row)
    assert list(row.get_changes()) == [key]
    with sent(f'SET "{key}" = '):
        await row.save()
    assert not row.is_changed
    again = await Changing.get(row.id)
    assert again == row
    edit_back = getattr(again, key)
    assert edit_back == getattr(row, key)


async def test_edits_in_place_are_found_again_after_a_save(db: Any) -> None:
    await create_all(Changing)
    row = await Changing(name="a", tags=["t"]).save()
    assert not row.is_changed
    row.tags.append("u")  # in place, on an instance that was made here
    assert row.get_changes() == {"tags": ["t", "u"]}
    await row.save()
    row.tags.append("v")
    row.meta["k"] = 1
    assert row.get_changes() == {"meta": {"k": 1}, "tags": ["t", "u", "v"]}
    await row.save()
    row.name = "other"  # an UPDATE of something else leaves their record alone
    await row.save()
    row.tags.pop()
    assert list(row.get_changes()) == ["tags"]
    await row.save()
    assert (await Changing.get(row.id)) == row


async def test_an_equal_value_in_a_mutable_column_is_no_change(db: Any) -> None:
    row = await loaded()
    row.meta["x"]["y"].append(2)
    row.meta["x"]["y"].pop()
    assert not row.is_changed


async def test_discard_and_mark(db: Any, sent: Sent) -> None:
    row = await loaded()
    row.name = "b"
    row.tags.append("u")
    row.discard_changes()
    assert (row.name, row.tags, row.is_changed) == ("a", ["t"], False)
    row.tags.append("x")
    assert row.is_changed
    row.discard_changes()
    row.mark_changed("age")
    with sent('SET "age"'):
        await row.save()


async def test_a_changed_key_updates_the_row_under_its_old_one(db: Any, sent: Sent) -> None:
    row = await loaded()
    old = row.id
    row.id = 4711
    with sent("^UPDATE"):
        await row.save()
    assert await Changing.get_or_none(old) is None
    assert (await Changing.get(4711)).name == "a"
    row.name = "b"
    await row.save()
    assert (await Changing.get(4711)).name == "b"
    assert await row.delete() and await Changing.count() == 0


async def test_only_and_force(db: Any, sent: Sent) -> None:
    row = await loaded()
    row.name, row.age = "b", 9
    await row.save(only=["name"])
    assert row.get_changes() == {"age": 9}
    assert (await Changing.get(row.id)).age is None
    await row.save()
    assert (await Changing.get(row.id)).age == 9
    with sent('"name" = .*"age" = .*"meta" = .*"tags" = .*"inner" = '):
        await row.save(force=True)


def copies() -> list[Any]:
    return [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda r: pickle.loads(pickle.dumps(r)), id="pickle"),
        pytest.param(lambda r: r.model_copy(), id="model_copy"),
        pytest.param(lambda r: r.model_copy(deep=True), id="model_copy deep"),
    ]


@pytest.mark.parametrize("how", copies())
async def test_copies_are_of_the_same_row(db: Any, sent: Sent, how: Any) -> None:
    row = await loaded()
    clone = how(row)
    assert clone == row and not clone.is_changed
    clone.name = "clone"
    assert row.name == "a" and not row.is_changed
    with sent(r'^UPDATE .* SET "name" = \$1 WHERE'):
        await clone.save()
    await row.refresh()
    assert row.name == "clone"
    row.age = 1
    dirty = how(row)
    assert dirty.get_changes() == {"age": 1} and dirty.get_previous_changes() == {"age": None}
    row.discard_changes()
    assert dirty.get_changes() == {"age": 1}


@pytest.mark.parametrize("how", copies()[1:3] + copies()[4:])
async def test_deep_copies_notice_edits_in_place(db: Any, how: Any) -> None:
    row = await loaded()
    clone = how(row)
    clone.tags.append("u")
    assert clone.get_changes() == {"tags": ["t", "u"]} and not row.is_changed
    await clone.save()
    assert (await Changing.get(row.id)).tags == ["t", "u"]


@pytest.mark.parametrize("how", copies())
def test_copies_of_new_rows_are_new(how: Any) -> None:
    row = Changing(name="a")
    clone = how(row)
    assert clone == row and clone.is_changed
    clone.name = "b"
    assert row.name == "a" and row.model_fields_set == {"name"}
    assert clone.get_changes() == {"name": "b"}


async def test_model_copy_with_update_counts_as_changed(db: Any) -> None:
    row = await loaded()
    clone = row.model_copy(update={"name": "b"})
    assert clone.get_changes() == {"name": "b"} and clone.get_previous_changes() == {"name": "a"}
    await clone.save()
    assert (await Changing.get(row.id)).name == "b"


async def test_rows_of_one_statement_do_not_share_what_they_know(db: Any) -> None:
    await create_all(Changing)
    await Changing.insert_many([{"name": "a"}, {"name": "b"}, {"name": "c"}])
    rows = await Changing.find().select("name").order_by("id")
    rows[0].age = 5
    assert rows[0].model_fields_set == {"id", "name", "age"}
    assert rows[1].model_fields_set == {"id", "name"}
    rows[1].model_fields_set.add("nonsense")
    assert rows[2].model_fields_set == {"id", "name"}


async def test_what_somebody_else_wrote_is_no_edit_of_this_instance(db: Any, sent: Sent) -> None:
    row = await loaded()
    await execute("UPDATE changing SET tags = '{theirs}'")
    row.name = "b"
    await row.save()
    assert not row.is_changed
    await row.update(age=1)
    await row.refresh("age")
    assert not row.is_changed and row.tags == ["t"]
    row.meta["z"] = 1
    await row.save()
    assert (await Changing.get(row.id)).tags == ["theirs"]
    row.tags.append("mine")
    assert row.get_changes() == {"tags": ["t", "mine"]}


async def test_partial_instances_notice_edits_in_place(db: Any, sent: Sent) -> None:
    row = await loaded()
    part = (await Changing.find().select("tags"))[0]
    part.tags.append("u")
    await part.save()
    assert not part.is_changed
    part.name = "n"
    await part.save()
    assert not part.is_changed
    await part.refresh("meta")
    assert not part.is_changed
    part.meta["q"] = 1
    part.tags.append("v")
    with sent(r'SET "meta" = \$1, "tags" = \$2 WHERE'):
        await part.save()
    await row.refresh()
    assert (row.tags, row.meta["q"], row.name) == (["t", "u", "v"], 1, "n")


async def test_json_and_back(db: Any) -> None:
    row = await loaded()
    again = Changing.model_validate_json(row.model_dump_json())
    assert again == row
    assert TypeAdapter(list[Changing]).validate_python([row])[0] is row  # an instance passes as it is
    again.name = "from json"  # new to us, but with a key: an upsert
    await again.save()
    await row.refresh()
    assert row.name == "from json"


def test_a_new_row_counts_what_was_given() -> None:
    row = Changing(name="a")
    assert row.is_changed and row.get_changes() == {"name": "a"} and row.pk is None
    row.age = 1
    assert row.get_changes() == {"name": "a", "age": 1}
    assert row.get_previous_changes() == {}
    row.discard_changes()
    assert row.age == 1


async def test_fields_that_were_not_loaded_are_written_whatever_they_become(db: Any) -> None:
    row = await loaded(age=5)
    part = (await Changing.find().select("tags"))[0]
    part.meta = {"q": 1}  # stands before the loaded one
    part.tags.append("u")
    part.age = None
    assert part.get_changes() == {"meta": {"q": 1}, "age": None, "tags": ["t", "u"]}
    assert part.get_previous_changes() == {"tags": ["t"]}
    await part.save()
    await row.refresh()
    assert (row.meta, row.age, row.tags) == ({"q": 1}, None, ["t", "u"]) and not part.is_changed
    part.name = "n"
    part.discard_changes()
    with pytest.raises(Exception, match="was not loaded"):
        _ = part.name


class Guardian(Table):
    model_config = ConfigDict(validate_assignment=True)
    id: int = Column(primary_key=True, auto_increment=True)
    n: int = 0
    tags: list[str] = Column(default_factory=list)
    large: dict[str, Any] = Column(default_factory=dict, exclude_from_select=True)

    @model_validator(mode="after")
    def count(self) -> "Guardian":
        self.__dict__["n"] = len(self.__dict__.get("tags", ()))
        return self


async def test_what_validators_set_is_a_change_and_large_columns_are_tracked(db: Any) -> None:
    await create_all(Guardian)
    row = await Guardian(tags=["a"], large={"k": 1}).save()
    assert not row.is_changed
    row.large["k"] = 2
    assert row.get_changes() == {"large": {"k": 2}}
    await row.save()
    row.tags = ["a", "b"]
    assert row.get_changes() == {"n": 2, "tags": ["a", "b"]}
    await row.save()
    again = await Guardian.get(row.id)
    assert again.n == 2 and "large" not in again.__dict__
    again.large = {"k": 3}
    await again.save()
    await row.refresh("large")
    assert row.large == {"k": 3} and not row.is_changed
    row.large.clear()
    await row.save()
    assert await fetch_val("SELECT large::text FROM guardian") == "{}"


async def test_a_copy_without_a_key_is_a_new_row(db: Any) -> None:
    row = await loaded()
    for copied in (row.model_copy(update={"id": None}), row.model_copy(update={"id": None}, deep=True)):
        assert copied.is_changed
        await copied.save()
        assert copied.id is not None and copied.id != row.id
        assert (await Changing.get(copied.id)).meta == row.meta
    row.id = None  # type: ignore[assignment]
    with pytest.raises(EncodeError, match=r"Changing\.id is the key .*model_copy"):
        await row.save()


async def test_a_bulk_update_that_misses_rows_settles_just_those_that_were_there(db: Any) -> None:
    rows = [await loaded(), await loaded()]
    for row in rows:
        row.name = "b"
    await execute("DELETE FROM changing WHERE id = $1", rows[0].id)
    assert await Changing.bulk_update(rows) == 1
    assert rows[0].is_changed and (await Changing.get(rows[1].id)).name == "b"
    for row in rows:
        row.tags.append("x")
    assert await Changing.bulk_update(rows) == 1
    assert rows[0].is_changed and not rows[1].is_changed
