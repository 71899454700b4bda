"""ON CONFLICT: every target of a unique index, and which of the given instances were written."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from data_bridge.core.errors import ConfigurationError, DatabaseError
from data_bridge.postgres import (
    Col,
    Column,
    Conflict,
    IdMixin,
    SoftDeleteMixin,
    create_all,
    excluded,
    execute,
    execute_script,
    func,
)
from data_bridge.query import types


class Tier(Enum):
    FREE = "free"
    PAID = "it's paid"


class Home(BaseModel):
    city: str = ""


class Member(IdMixin, SoftDeleteMixin):
    email: Col[str]
    number: Col[int | None] = Column(default=None)
    tier: Col[Tier] = Column(default=Tier.FREE)
    home: Col[Home] = Column(default_factory=Home)
    price: Col[Decimal] = Column(default=Decimal(0), type=types.Numeric(9, 2))
    at: Col[datetime | None] = Column(default=None, type="timestamp(0)")
    code: Col[str] = Column(default="c", type=types.Char(4))
    ratio: Col[float] = Column(default=0.1, type=types.Real)
    note: Col[str] = Column(server_default="'made'")

    class Settings:
        name = "members_of_conflict"


INDEXES = {
    "email": "(email)",
    "expression": "(lower(email))",
    "expression and column": "(lower(email), number)",
    "with a value": "(coalesce(number, -1), email)",
    "partial": "(email) WHERE deleted_at IS NULL",
    "partial by a value": "(email) WHERE tier = 'it''s paid'",
    "partial expression": "(lower(email)) WHERE number > 5 AND deleted_at IS NULL",
    "part of a document": "((home ->> 'city'))",
}
TARGETS: dict[str, Callable[[], dict[str, Any]]] = {
    "email": lambda: {"columns": ["email"]},
    "expression": lambda: {"columns": [func.lower(Member.email)]},
    "expression and column": lambda: {"columns": [func.lower(Member.email), Member.number]},
    "with a value": lambda: {"columns": [func.coalesce(Member.number, -1), "email"]},
    "partial": lambda: {"columns": [Member.email], "where": Member.deleted_at.is_null()},
    "partial by a value": lambda: {"columns": [Member.email], "where": Member.tier == Tier.PAID},
    "partial expression": lambda: {
        "columns": [func.lower(Member.email)],
        "where": (Member.number > 5) & Member.deleted_at.is_null(),
    },
    "part of a document": lambda: {"columns": [Member.home.city]},
}
targets = pytest.mark.parametrize("target", TARGETS)


async def indexed(target: str) -> None:
    await create_all(Member)
    await execute(f"CREATE UNIQUE INDEX one_of_conflict ON members_of_conflict {INDEXES[target]}")


def member(email: str, **values: Any) -> Any:
    """In every index, and in that of documents under the same name."""
    given: dict[str, Any] = {"email": email, "number": 7, "tier": Tier.PAID, "home": Home(city=email.lower())}
    return Member(**given | values)


@targets
async def test_every_target_is_found_however_often(db: Any, target: str) -> None:
    await indexed(target)
    other = "A@x" if "expression" in target else "a@x"
    for i in range(8):  # the server plans without the values from the sixth time on
        row, created = await Member.upsert(
            member(other if i else "a@x", home=Home(city="a@x"), price=i), conflict=Conflict(**TARGETS[target]())
        )
        assert created is (i == 0) and row.id == 1
        assert (await Member.get(1)).price == i
        assert (
            await Member.insert_many([member(other, home=Home(city="a@x"))], on_conflict=Conflict(**TARGETS[target]()))
            == []
        )
    columns = TARGETS[target]()
    if "where" not in columns:
        row, created = await Member.upsert(
            member(other, home=Home(city="a@x"), price=99), conflict=columns["columns"], update=["price"]
        )
        assert not created and (await Member.get(1)).price == 99
    assert await Member.count() == 1


@pytest.mark.parametrize(("target", "size"), [*((t, 4) for t in TARGETS), ("email", 1500), ("expression", 1500)])
@pytest.mark.parametrize("how", ["nothing", "columns", "update", "mapping", "update_where"])
async def test_written_instances_have_their_keys_and_the_others_are_told_apart(
    db: Any, how: str, size: int, target: str
) -> None:
    await indexed(target)
    there = await Member.insert_many([member(f"m{i}", price=1) for i in range(0, size, 3)])
    rows = [
        member(
            f"m{i}",
            price=Decimal("2.345") + i,
            at=datetime(2024, 1, 1, 0, 0, 0, 600_000) + timedelta(minutes=i),
            code=f"c{i % 10}",
            ratio=i + 1 / 3,
            # Rows of two shapes: two statements.
            **({"note": "own"} if i % 2 else {}),
        )
        for i in range(size)
    ]
    on: Any = {
        "nothing": lambda: "nothing",
        "columns": lambda: Conflict(**TARGETS[target]()),
        "update": lambda: Conflict(**TARGETS[target](), update=["price"]),
        "mapping": lambda: Conflict(**TARGETS[target](), update={"price": excluded(Member.price) + 1}),
        "update_where": lambda: Conflict(**TARGETS[target](), update=["price"], update_where=Member.id <= 1),
    }[how]()
    written = await Member.insert_many(rows, on_conflict=on)
    old = {r.email for r in there}
    updated = {"nothing": set(), "columns": set(), "update_where": {"m0"}}.get(how, old)
    expected = [r for r in rows if r.email not in old or r.email in updated]
    if how == "update_where" and ("expression" in target or "value" in target or "document" in target):
        # The row is not recognised by an expression: loaded instances stand for the given ones.
        assert sorted(r.email for r in written) == sorted(r.email for r in expected)
        return
    assert [id(r) for r in written] == [id(r) for r in expected]
    ids = dict(await Member.find().tuples(Member.email, Member.id))
    for row in rows:
        if row in expected:
            stored = await Member.get(row.id) if size < 10 else row
            assert row.id == ids[row.email] and not row.is_changed and row == stored
        else:
            assert row.id is None and row.is_changed
    new = next(r for r in rows if r.email not in old)
    new.email = "changed"
    await new.save()
    assert (await Member.get(new.id)).email == "changed" and new.note in ("made", "own")


async def test_of_two_equal_rows_the_first_is_written(db: Any) -> None:
    await indexed("email")
    rows = [member("a"), member("b"), member("a"), member("b"), member("c")]
    written = await Member.insert_many(rows, on_conflict="nothing")
    assert [id(r) for r in written] == [id(rows[0]), id(rows[1]), id(rows[4])]
    assert [r.id is None for r in rows] == [False, False, True, True, False]


async def test_mappings_and_a_rollback(db: Any) -> None:
    await indexed("email")
    (row,) = await Member.insert_many([{"email": "a"}], on_conflict=Conflict(["email"]))
    assert row.id is not None and not row.is_changed
    given = member("b")
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await Member.insert_many([given], on_conflict="nothing")
            assert given.id is not None
            raise ZeroDivisionError
    assert given.id is None and given.is_changed
    await given.save()
    assert await Member.count() == 2


async def test_a_trigger_that_changes_what_rows_are_recognised_by(db: Any) -> None:
    await indexed("email")
    await execute(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.email := upper(NEW.email); RETURN NEW; END'"
    )
    await execute("CREATE TRIGGER shouts BEFORE INSERT ON members_of_conflict FOR EACH ROW EXECUTE FUNCTION shout()")
    await Member.insert_many([member("a")])
    rows = [member("a"), member("b")]
    written = await Member.insert_many(rows, on_conflict="nothing")
    assert [r.email for r in written] == ["B"] and written[0] not in rows
    assert all(r.id is None for r in rows)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Conflict(where=Member.deleted_at.is_null()), ConfigurationError, "name its columns"),
        (lambda: Conflict(["email"], update_where=Member.id > 1), ConfigurationError, "belongs to update="),
        (lambda: Conflict(["email"], constraint="x"), ConfigurationError, "not both"),
        (lambda: Conflict(["emial"]).target(Member.__db__), AttributeError, "did you mean 'email'"),
        (
            lambda: Conflict([func.coalesce(Member.home, Home())]).target(Member.__db__),
            TypeError,
            "write the condition as sql",
        ),
    ],
)
def test_targets_that_say_nothing(build: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


async def test_upsert_says_itself_what_it_updates(db: Any) -> None:
    for on in (Conflict(["email"], update=["price"]), Conflict(), []):
        with pytest.raises(ConfigurationError, match="takes update= itself"):
            await Member.upsert(member("a"), conflict=on)
    await create_all(Member)
    with pytest.raises(DatabaseError, match="no unique or exclusion constraint"):
        await Member.upsert(member("a"), conflict=[func.lower(Member.email)])


@pytest.mark.parametrize(
    "column", ["email", Member.email, func.lower(Member.email)], ids=["name", "column", "expression"]
)
async def test_a_single_column_needs_no_list(db: Any, column: Any) -> None:
    await create_all(Member)
    await execute_script(
        "CREATE UNIQUE INDEX ON members_of_conflict (email); CREATE UNIQUE INDEX ON members_of_conflict (lower(email))"
    )
    first = await Member.create(email="ann")
    await Member.insert_many([Member(email="ann", number=1)], on_conflict=Conflict(column, update="number"))
    assert (await Member.get(first.id)).number == 1
    await Member.insert_many([Member(email="ann", number=2)], on_conflict=Conflict(column, update=Member.number))
    await Member.upsert(Member(email="ann", number=3, code="d"), conflict=column, update="number")
    found = await Member.get(first.id)
    assert (found.number, found.code) == (3, "c   ")
