"""What every UPDATE does besides: defaults, revisions, validation."""

from datetime import datetime
from typing import Any

import pytest
from pydantic import Field, ValidationError

from data_bridge.postgres import (
    Column,
    ConfigurationError,
    RevisionConflict,
    RowNotFound,
    Table,
    create_all,
    execute,
    func,
)

_counted = iter(range(1000))


class OnUpdate(Table):
    id: int = Column(primary_key=True)
    v: int = 0
    text_sql: datetime | None = Column(default=None, update_default="now()")
    called: int = Column(default=-1, update_default=lambda: next(_counted))
    plain: str = Column(default="new", update_default="'updated'")
    expression: int = Column(default=0, update_default=func.length("abc") + 4)


async def test_update_defaults_are_set_by_every_update(db: Any) -> None:
    await create_all(OnUpdate)
    row = await OnUpdate(id=1).save()
    assert (row.text_sql, row.called, row.plain, row.expression) == (None, -1, "new", 0)
    for write in ("save", "update", "mass", "bulk"):
        await execute("UPDATE on_update SET text_sql = NULL, called = -1, plain = 'new', expression = 0")
        await row.refresh()
        if write == "save":
            row.v += 1
            await row.save()
        elif write == "update":
            await row.update(v=100)
        elif write == "mass":
            await OnUpdate.find(OnUpdate.id == 1).update(v=200)
        else:
            row.v = 300
            await OnUpdate.bulk_update([row])
        stored = await OnUpdate.get(1)
        assert stored.text_sql is not None and stored.called >= 0, write
        assert (stored.plain, stored.expression) == ("updated", 7), write
        if write in ("save", "update"):
            assert row == stored, write
    row.plain = "mine"
    await row.save()
    assert (await OnUpdate.get(1)).plain == "mine"


class Revised(Table):
    class Settings:
        use_revision = True

    id: int = Column(primary_key=True)
    name: str = "a"
    revision: int = 1


async def test_revisions(db: Any) -> None:
    await create_all(Revised)
    await Revised(id=1).save()
    mine, theirs = await Revised.get(1), await Revised.get(1)
    theirs.name = "theirs"
    await theirs.save()
    assert theirs.revision == 2 and not theirs.is_changed
    mine.name = "mine"
    for doing in (mine.save(), mine.update(name="x"), mine.save(force=True), mine.replace()):
        with pytest.raises(RevisionConflict, match="Revised with key 1 was changed"):
            await doing
    assert (mine.name, mine.revision) == ("mine", 1) and mine.is_changed
    await mine.refresh(keep_changes=True)
    await mine.save()
    await mine.update(name="again")
    await mine.save(force=True)
    assert mine.revision == 5 and await Revised.get(1) == mine
    assert await Revised.find(Revised.id == 1).update(name="mass") == 1
    await mine.refresh()
    mine.name = "bulk"
    await Revised.bulk_update([mine])
    assert mine.revision == 7 and await Revised.get(1) == mine
    await execute("DELETE FROM revised")
    mine.name = "gone"
    with pytest.raises(RowNotFound):
        await mine.save()


def test_a_revision_needs_its_field() -> None:
    with pytest.raises(ConfigurationError, match="declare it, `version: int = 1`"):

        class Without(Table):
            class Settings:
                use_revision = "version"

            id: int = Column(primary_key=True)


class Validated(Table):
    class Settings:
        validate_on_save = True

    id: int = Column(primary_key=True, auto_increment=True)
    size: int = Field(gt=0)
    name: str = Column(default="n", alias="Name", max_length=5)
    note: str = ""


async def test_validation_on_save(db: Any) -> None:
    await create_all(Validated)
    row = Validated(size=1)
    row.size = -1
    with pytest.raises(ValidationError):
        await row.save()
    assert row.id is None
    row.size = "7"  # type: ignore[assignment]
    await row.save()
    assert row.size == 7
    row.name = "much too long"
    with pytest.raises(ValidationError):
        await row.save()
    row.name = "ok"
    await row.save()
    assert (await Validated.get(row.id)).name == "ok"
    part = (await Validated.find().select("size"))[0]
    part.size = 0
    with pytest.raises(ValidationError):
        await part.save()
    part.size = 2
    await part.save()
    assert (await Validated.get(row.id)).size == 2
