"""Classes of tables: what they say of their table, and what they are told when they say nonsense."""

import gc
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from data_bridge.postgres import (
    Check,
    Col,
    Column,
    ConfigurationError,
    Exclude,
    ForeignKey,
    ForeignKeyViolation,
    IdMixin,
    Index,
    IntegrityError,
    Table,
    Unique,
    col,
    create_all,
    drop_all,
    execute,
    fetch,
    fetch_val,
    pg_transaction,
)

T = TypeVar("T")


def test_names() -> None:
    class OrderLine(IdMixin):
        pass

    class HTTPLog(IdMixin):
        class Settings:
            schema = "audit"

    class Named(IdMixin):
        class Settings:
            name = "Any name; even this"
            comment = "what it's for"

    assert OrderLine.__table_def__.name == "order_line"
    assert (HTTPLog.__table_def__.name, HTTPLog.__table_def__.schema) == ("http_log", "audit")
    assert '"audit"."http_log"' in HTTPLog.find().sql().sql
    assert 'CREATE TABLE "Any name; even this"' in Named.ddl() and "what it''s for" in Named.ddl()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nam": "x"}, "did you mean 'name'"),
        ({"shema": "x"}, "did you mean 'schema'"),
        ({"zzz": 1}, "known are"),
        ({"name": "x", "table_name": "y"}, "which are the same"),
        ({"name": "x" * 64}, "64 bytes, PostgreSQL takes 63"),
        ({"primary_key": "nope"}, "primary_key names 'nope'"),
        ({"primary_key": "name"}, "name different fields"),
        ({"indexes": [{"fields": ["nope"]}]}, "indexes names 'nope'"),
        ({"indexes": [{"fields": ["name"], "uniqe": True}]}, "unknown key 'uniqe'"),
        ({"indexes": [{"unique": True}]}, "needs 'fields'"),
        ({"constraints": [Unique("nope")]}, "constraints names 'nope'"),
        ({"constraints": ["UNIQUE (name)"]}, "takes Unique, Check"),
    ],
)
def test_nonsense_in_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        type(
            "Nonsense",
            (Table,),
            {
                "__module__": __name__,
                "__qualname__": "Nonsense",
                "__annotations__": {"id": int, "name": str},
                "id": Column(primary_key=True),
                "Settings": type("Settings", (), {**settings, "__qualname__": "Nonsense.Settings"}),
            },
        )


def test_nonsense_in_fields() -> None:
    with pytest.raises(ConfigurationError, match=r"has no primary key.*IdMixin"):

        class NoKey(Table):
            name: str

    with pytest.raises(ConfigurationError, match=r"Clash\.count.*method of Table.*Column\(name='count'\)"):

        class Clash(IdMixin):
            count: int

    with pytest.raises(ConfigurationError, match=r"Strange\.x.*Column\(type=…\)"):

        class Strange(IdMixin):
            x: complex

            model_config = {"arbitrary_types_allowed": True}

    with pytest.raises(ConfigurationError, match="server_default"):

        class BadDefault(IdMixin):
            x: int = Column(server_default=5)

    with pytest.raises(ConfigurationError, match=r"default of BadText\.x is a str"):

        class BadText(IdMixin):
            x: int = Column(default="five")

    with pytest.raises(ConfigurationError, match=r"not 'table\.column'"):

        class BadKey(IdMixin):
            x: int = Column(foreign_key="users")


class Base(Table):
    class Settings:
        abstract = True
        schema = "inherited"
        validate_on_load = True

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    note: Col[str] = Column(default="n", max_length=10)

    def shout(self) -> str:
        return self.note.upper()


class Child(Base):
    extra: Col[int] = Column(default=0, index=True)


class Grandchild(Child):
    class Settings:
        schema = "other"

    more: Col[bool] = Column(default=True)


def test_inheritance() -> None:
    assert (Child.__table_def__.schema, Child.__table_def__.name) == ("inherited", "child")
    assert (Grandchild.__table_def__.schema, Grandchild.__table_def__.name) == ("other", "grandchild")
    assert [c.name for c in Grandchild.__table_def__.columns] == ["id", "note", "extra", "more"]
    assert Child.__db__.settings.validate_on_load and Grandchild.__db__.settings.validate_on_load
    assert Child(note="a").shout() == "A"
    assert Child.note is not Grandchild.note
    assert '"inherited"."child"' in Child.find(Child.note == "x").sql().sql
    assert Grandchild().note == "n"  # the column of the base is not taken for the default
    with pytest.raises(ConfigurationError, match="maps no table"):
        Base.find()


class Envelope(Table, Generic[T]):
    id: Col[int] = Column(primary_key=True)
    payload: Col[T] = Column(type="jsonb")


class Payload(BaseModel):
    x: int


class Typed(Envelope[Payload]):
    pass


async def test_generic_classes(db: Any) -> None:
    await create_all(Typed)
    await Typed(id=1, payload=Payload(x=5)).save()
    row = await Typed.get(1)
    assert row.payload == Payload(x=5) and type(row.payload) is Payload
    assert Envelope[Payload].__table_def__.name == "envelope"
    with pytest.raises(ConfigurationError, match="generic"):
        Envelope.find()
    with pytest.raises(ValidationError):
        Typed(id=1, payload={"x": "no"})


class Kind(Enum):
    A = "a"
    B = "it's b"


class Full(Table):
    class Settings:
        indexes = [
            {"fields": ["email"], "unique": True},
            Index("low", "high", name="full_range", where="low > 0", include=("email",)),
            Index("kind", method="hash"),
        ]
        constraints = [
            Unique("low", "high", name="full_pair"),
            Check("low < high", name="full_order"),
            Exclude(("high", "="), method="btree", name="full_excluded"),
            Unique("kind", "low", "high", name="full_deferred", deferrable="initially deferred"),
        ]

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    email: Col[str] = Column(unique=True, max_length=20)
    low: Col[int]
    high: Col[int] = Column(check="high < 100")
    kind: Col[Kind] = Kind.A  # type: ignore[assignment]
    price: Col[Decimal] = Column(default=Decimal(1), precision=6, scale=2)
    made_on: Col[date] = Column(default=None, server_default="CURRENT_DATE")
    made_at: Col[datetime] = Column(default="NOW()")
    word: Col[str] = Column(default="NOW()", comment="a plain text")


class Pointing(Table):
    class Settings:
        constraints = [ForeignKey(["full_low", "full_high"], Full, ["low", "high"], on_delete="CASCADE")]

    id: Col[int] = Column(primary_key=True)
    full_id: Col[int | None] = Column(default=None, foreign_key=Full, on_delete="SET NULL")
    full_low: Col[int | None] = Column(default=None)
    full_high: Col[int | None] = Column(default=None)
    self_id: Col[int | None] = Column(default=None, foreign_key="pointing.id", deferrable=True)


async def test_tables_are_made_as_their_classes_say(db: Any) -> None:
    await create_all(Full)
    indexes = {
        r["indexname"]: r["indexdef"]
        for r in await fetch("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'full'")
    }
    assert "INCLUDE (email) WHERE (low > 0)" in indexes["full_range"]
    assert any("USING hash (kind)" in d for d in indexes.values())
    unique_on_email = [d for d in indexes.values() if "UNIQUE" in d and "(email)" in d]
    assert len(unique_on_email) == 1, "said twice, made once"
    row = await Full(email="a", low=1, high=2).save()
    assert row.word == "NOW()" and row.made_on == await fetch_val("SELECT CURRENT_DATE") and row.made_at.tzinfo
    assert await fetch_val("SELECT col_description('\"full\"'::regclass, 9)") == "a plain text"
    for wrong in (
        {"low": 3, "high": 2},
        {"low": 3, "high": 200},
        {"low": 1, "high": 2},
        {"low": 0, "high": 9, "email": "a"},
        {"low": 0, "high": 2},
    ):
        with pytest.raises(IntegrityError):
            async with pg_transaction():
                await Full(**{"email": "b", **wrong}).save()
                await execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError):
        async with pg_transaction():
            await execute("UPDATE \"full\" SET kind = 'c'")


async def test_create_all_orders_tables_and_may_be_repeated(db: Any) -> None:
    await create_all(Pointing, Full)
    await create_all(Full, Pointing)
    first = await Full(email="a", low=1, high=2).save()
    async with pg_transaction():
        await execute("SET CONSTRAINTS ALL DEFERRED")
        await Pointing(id=1, full_id=first.id, self_id=3).save()
        await Pointing(id=2, full_low=1, full_high=2).save()
        await Pointing(id=3).save()
    await first.delete()
    assert [p.full_id for p in await Pointing.find().order_by("id")] == [None, None]  # 2 went with its row
    await execute("SET CONSTRAINTS ALL IMMEDIATE")
    await drop_all(Full, Pointing)
    await drop_all(Full, Pointing)
    assert await fetch_val("SELECT to_regclass('pointing')::text") is None
    await Full.create_table()
    await Full.create_table()
    await Full.drop_table()
    with pytest.raises(Exception, match="already exists"):
        async with pg_transaction():
            await create_all(Full)
            await create_all(Full, checkfirst=False)


class CircleA(Table):
    id: Col[int] = Column(primary_key=True)
    b_id: Col[int | None] = Column(default=None, foreign_key="circle_b.id")


class CircleB(Table):
    id: Col[int] = Column(primary_key=True)
    a_id: Col[int | None] = Column(default=None, foreign_key="circle_a.id")


async def test_circles_are_closed_at_the_end_and_doubles_refused(db: Any) -> None:
    await create_all(CircleA, CircleB)
    await create_all(CircleA, CircleB)
    with pytest.raises(ForeignKeyViolation):
        await CircleA(id=1, b_id=5).save()
    await CircleA(id=1).save()
    await CircleB(id=5, a_id=1).save()
    await CircleA.find(CircleA.id == 1).update(b_id=5)
    await drop_all(CircleA, CircleB)

    class Twin(IdMixin):
        class Settings:
            name = "circle_a"

    with pytest.raises(ConfigurationError, match="two classes map the table 'circle_a'"):
        await create_all(CircleA, Twin)
    del Twin
    gc.collect()


class Schemed(Table):
    class Settings:
        schema = "shop"

    id: Col[int] = Column(primary_key=True)
    name: Col[str] = "x"  # type: ignore[assignment]


async def test_schemas(db: Any) -> None:
    await execute("CREATE SCHEMA shop")
    await create_all(Schemed)
    await Schemed(id=1).save()
    row = await Schemed.get(1)
    row.name = "y"
    await row.save()
    await Schemed.insert_many([{"id": 2}])
    assert await Schemed.find(Schemed.name == "y").update(name="z") == 1
    assert await fetch_val("SELECT string_agg(name, ',' ORDER BY id) FROM shop.schemed") == "z,x"


def test_columns_by_other_ways() -> None:
    assert Full.c.email is Full.email
    assert col(Full, "email") is Full.email and col(Full.email) is Full.email
    assert {Full.email: 1}[Full.c.email] == 1
    with pytest.raises(AttributeError, match="did you mean 'email'"):
        Full.c.emial


class Node_(Table):
    id: Col[int] = Column(primary_key=True)
    parent: "Col[Later | None]" = Column(default=None, type="jsonb")


class Later(BaseModel):
    v: int = 1


async def test_forward_references_are_resolved_when_they_can_be(db: Any) -> None:
    await create_all(Node_)
    await Node_(id=1, parent=Later(v=3)).save()
    assert (await Node_.find(Node_.id == 1).one()).parent == Later(v=3)


def test_keys_without_a_value_may_be_left_out() -> None:
    assert Child().id is None
    with pytest.raises(ValidationError):
        Child(note="x" * 11)
    with pytest.raises(ValidationError):
        Full()


def test_json_schema() -> None:
    schema = Full.model_json_schema()
    assert set(schema["required"]) >= {"email", "low", "high"} and "id" not in schema["required"]
    assert schema["properties"]["email"]["maxLength"] == 20
