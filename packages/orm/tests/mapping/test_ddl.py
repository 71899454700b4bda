"""DDL is a function of the declarations: names, indexes of foreign keys, enums and domains."""

from enum import Enum
from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import (
    Check,
    Col,
    Column,
    IdMixin,
    Index,
    Link,
    Table,
    Unique,
    create_all,
    drop_all,
    fetch_val,
)
from data_bridge.query import default_name, types

LONG = "a_column_with_a_name_that_is_as_long_as_postgresql_allows_it_"


def made(name: str, annotations: dict[str, Any], settings: dict[str, Any] | None = None, **body: Any) -> Any:
    ns: dict[str, Any] = {"__module__": __name__, "__annotations__": annotations, **body}
    if settings is not None:
        ns["__qualname__"] = name
        ns["Settings"] = type("Settings", (), {"__module__": __name__, "__qualname__": f"{name}.Settings", **settings})
    return type(Table)(name, (IdMixin,), ns)


async def test_long_names_do_not_collide(db: Any) -> None:
    fields = [f"{LONG}{i}" for i in range(3)]
    body = {f: Column(unique=True, index=True, check=f'"{f}" > 0') for f in fields}
    cls = made("LongNames", dict.fromkeys(fields, int), **body)
    names = [i.name for i in cls.__table_def__.indexes]
    assert len({*names}) == 3 and all(len(n.encode()) <= 63 for n in names)
    await create_all(cls)
    assert await cls.check_schema() == []
    assert (
        await fetch_val("SELECT count(*) FROM pg_constraint WHERE conrelid = 'long_names'::regclass AND contype = 'u'")
        == 3
    )


@pytest.mark.parametrize("columns", [["e"], ["é" * 31], [LONG, LONG + "2"], ["x" * 63] * 4])
@pytest.mark.parametrize("table", ["t", "ü" * 31, "t" * 63])
def test_default_names_fit_and_tell_columns_apart(table: str, columns: list[str]) -> None:
    name = default_name(table, columns, "idx")
    assert len(name.encode()) <= 63 and name.endswith("_idx")
    assert name != default_name(table, [*columns[:-1], columns[-1] + "!"], "idx")


async def test_names_that_several_would_have_are_numbered(db: Any) -> None:
    settings = {
        "constraints": [Check("a > 0"), Check("a < 9"), Check("b > 0")],
        "indexes": [
            Index("a"),
            Index("a", where="b > 1"),
            Index("a", where="b > 2"),
            Index("b", name="numbered_a_idx1"),
        ],
    }
    cls = made("Numbered", {"a": int, "b": int}, settings)
    assert [i.name for i in cls.__table_def__.indexes] == [
        "numbered_a_idx",
        "numbered_a_idx2",
        "numbered_a_idx3",
        "numbered_a_idx1",
    ]
    assert [c.name for c in cls.__table_def__.constraints] == [None, None, "numbered_check1", "numbered_check2"]
    await create_all(cls)
    assert await cls.check_schema() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"indexes": [Index("a", name="x"), Index("b", name="x")]}, "Twice has two indexes called 'x'"),
        ({"constraints": [Unique("a", name="x"), Check("a > 0", name="x")]}, "Twice has two constraints called 'x'"),
    ],
)
def test_a_name_that_is_given_twice_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        made("Twice", {"a": int, "b": int}, settings)


class Pointed(IdMixin):
    code: Col[str] = Column(unique=True)


FOREIGN_KEYS: dict[str, tuple[Any, dict[str, Any] | None, list[str]]] = {
    "by itself": (Column(), None, ["keyed_to_id_idx"]),
    "left out": (Column(index=False), None, []),
    "named": (Column(index="my_idx"), None, ["my_idx"]),
    "named by Settings": (Column(), {"indexes": [Index("to_id", name="my_idx")]}, ["my_idx"]),
    "part of another": (Column(), {"indexes": [Index("to_id", "n", name="my_idx")]}, ["keyed_to_id_idx", "my_idx"]),
    "left out, part of another": (Column(index=False), {"indexes": [Index("to_id", "n", name="my_idx")]}, ["my_idx"]),
    "partial": (Column(), {"indexes": [Index("to_id", where="n > 1", name="my_idx")]}, ["keyed_to_id_idx", "my_idx"]),
    "unique": (Column(unique=True), None, []),
}


@pytest.mark.parametrize("what", FOREIGN_KEYS)
async def test_the_index_of_a_foreign_key(db: Any, what: str) -> None:
    column, settings, names = FOREIGN_KEYS[what]
    cls = made("Keyed", {"n": int, "to": Link[Pointed]}, settings, to=column)
    assert [i.name for i in cls.__table_def__.indexes] == names
    await create_all(Pointed, cls)
    assert await cls.check_schema() == []


async def test_a_named_unique_index_names_the_constraint(db: Any) -> None:
    cls = made(
        "Uniquely", {"code": str}, {"indexes": [Index("code", unique=True, name="my_key")]}, code=Column(unique=True)
    )
    await create_all(cls)
    assert (
        await fetch_val("SELECT conname FROM pg_constraint WHERE conrelid = 'uniquely'::regclass AND contype = 'u'")
        == "my_key"
    )


class Mood(Enum):
    SAD = "sad"
    GLAD = "glad"


class Feeling(IdMixin):
    mood: Col[Mood] = Column(type=types.Enum(Mood, name="ddl_mood"))
    moods: Col[list[Mood]] = Column(default_factory=list, type=types.Array(types.Enum(Mood, name="ddl_mood")))
    mail: Col[str] = Column(default="a@b", type=types.Domain("ddl_mail", types.Text, check="VALUE LIKE '%@%'"))


class OtherFeeling(IdMixin):
    mood: Col[Mood] = Column(default=Mood.SAD, type=types.Enum(Mood, name="ddl_mood"))


async def test_enums_and_domains_are_made_before_their_tables(db: Any) -> None:
    assert Feeling.ddl().splitlines()[:2] == [
        """CREATE TYPE "ddl_mood" AS ENUM ('sad', 'glad');""",
        """CREATE DOMAIN "ddl_mail" AS text CHECK (VALUE LIKE '%@%');""",
    ]
    await create_all(Feeling, OtherFeeling)
    await create_all(Feeling, OtherFeeling)
    row = await Feeling(mood=Mood.GLAD, moods=[Mood.SAD]).save()
    assert await Feeling.find(mood=Mood.GLAD).one() == row
    assert (await Feeling.get(row.id)).moods == [Mood.SAD]
    assert await Feeling.check_schema() == []
    is_there = "SELECT to_regtype('ddl_mood') IS NOT NULL"
    await drop_all(Feeling)
    assert await fetch_val(is_there), "OtherFeeling has it still"
    assert await fetch_val("SELECT to_regtype('ddl_mail') IS NULL")
    await drop_all(OtherFeeling)
    assert not await fetch_val(is_there)
    await create_all(Feeling)


# ------------------------------------------------------------------------------------------------------------ names of fields
async def test_a_field_called_c(db: Any) -> None:
    class Base(Table):
        class Settings:
            abstract = True

        c: Col[int] = Column(default=1)

    class Cee(Base, IdMixin):
        n: Col[int] = Column(default=2)

    await create_all(Cee)
    row = await Cee(c=5).save()
    column: Any = Cee.c
    assert (await Cee.find(column == 5, n=2).one()).c == row.c == 5
    assert Pointed.c.code is Pointed.code
    assert not hasattr(Base, "c")


@pytest.mark.parametrize("name", ["tx", "defaults", "fetch_links", "skip_events"])
def test_names_of_parameters_are_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"Clashing.{name}: .* parameter of the methods of Table.*Column\(name='{name}'\)"
    ):
        made("Clashing", {name: int})
