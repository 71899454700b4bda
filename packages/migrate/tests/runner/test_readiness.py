"""require_applied(): which databases a release starts on, and which migrations count as additions."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core import add_observer, remove_observer
from data_bridge.core.errors import ConfigurationError, MigrationConflict, MigrationError
from data_bridge.migrate import Migration, fake_migrations, get_migration_history, require_applied, run_migrations


def migration(number: int, *statements: str, atomic: bool | None = None) -> type[Migration]:
    """A migration of these statements."""

    async def up(self: Any) -> None:
        for statement in statements:
            await self.execute(statement)

    name = f"m{number:04}"
    return type(name, (Migration,), {"version": f"{number:04}", "up": up, "atomic": atomic, "__module__": __name__})


TABLE = migration(1, "CREATE TABLE item (id int PRIMARY KEY, name text)")
ADDS = migration(2, "ALTER TABLE item ADD COLUMN price int", "CREATE INDEX item_price ON item (price)")
TAKES = migration(3, "ALTER TABLE item DROP COLUMN name")


async def test_a_release_and_its_database(isolated_db: Any) -> None:
    with pytest.raises(MigrationError, match="behind this release: 0001 is not applied"):
        await require_applied([TABLE], using=isolated_db)
    await run_migrations([TABLE], using=isolated_db)
    await require_applied([TABLE], using=isolated_db)
    with pytest.raises(MigrationError, match="behind this release: 0002, 0003 is not applied"):
        await require_applied([TABLE, ADDS, TAKES], using=isolated_db, allow_ahead=True)


async def test_a_database_that_is_ahead(isolated_db: Any) -> None:
    await run_migrations([TABLE, ADDS], using=isolated_db)
    with pytest.raises(
        MigrationConflict,
        match=r"ahead of this release: 0002 is applied\nhint: deploy .* by allow_ahead=\"expand-only\"",
    ):
        await require_applied([TABLE], using=isolated_db)
    await require_applied([TABLE], using=isolated_db, allow_ahead="expand-only")
    await require_applied([TABLE], using=isolated_db, allow_ahead=True)

    await run_migrations([TABLE, ADDS, TAKES], using=isolated_db)
    with pytest.raises(MigrationConflict, match="0003 is applied, which takes away or refuses"):
        await require_applied([TABLE], using=isolated_db, allow_ahead="expand-only")
    await require_applied([TABLE, TAKES], using=isolated_db, allow_ahead="expand-only")
    await require_applied([TABLE], using=isolated_db, allow_ahead=True)


@pytest.mark.parametrize(
    ("statements", "phase"),
    [
        (["CREATE TABLE t (a int)", "ALTER TABLE t ADD UNIQUE (a)", "ALTER TABLE t ALTER a SET NOT NULL"], "expand"),
        (["ALTER TABLE item ADD COLUMN b int NOT NULL DEFAULT 0"], "expand"),
        (["ALTER TABLE item ADD COLUMN b int NOT NULL"], "contract"),
        (["CREATE TABLE t (a int)", "ALTER TABLE item RENAME TO items"], "contract"),
        (["INSERT INTO item VALUES (1)", "UPDATE item SET name = 'x'"], "expand"),
        (["CREATE UNIQUE INDEX i ON item (name)"], "contract"),
        (["DO $$ BEGIN ALTER TABLE item ADD COLUMN b int; END $$"], "expand"),
        (["DO $$ BEGIN EXECUTE 'ALTER TABLE item ADD COLUMN b int'; END $$"], "contract"),
        (["-- a comment alone"], "expand"),
    ],
)
@pytest.mark.parametrize("atomic", [None, False])
async def test_the_phase_in_the_history(isolated_db: Any, statements: list[str], phase: str, atomic: Any) -> None:
    second = migration(2, *statements, atomic=atomic)
    plan: Any = await run_migrations([TABLE, second], using=isolated_db, dry_run=True)
    assert ("contract" in {s.phase for s in plan.steps}) == (phase == "contract")
    await run_migrations([TABLE, second], using=isolated_db)
    rows = await get_migration_history(using=isolated_db)
    assert [r.phase for r in rows] == ["expand", phase]
    assert [len(r.steps) for r in rows] == [r.steps_done for r in rows]


async def test_steps_that_an_interrupted_run_has_done_count(isolated_db: Any) -> None:
    broken = migration(2, "ALTER TABLE item DROP COLUMN name", "ALTER TABLE missing ADD COLUMN a int", atomic=False)
    with pytest.raises(MigrationError):
        await run_migrations([TABLE, broken], using=isolated_db)
    with pytest.raises(MigrationError, match="between two versions: 0002 was left half done"):
        await require_applied([TABLE, broken], using=isolated_db)
    await isolated_db.execute("CREATE TABLE missing ()")
    await run_migrations([TABLE, broken], using=isolated_db)
    assert [r.phase for r in await get_migration_history(using=isolated_db)] == ["expand", "contract"]


async def test_what_is_not_known_is_not_an_addition(isolated_db: Any) -> None:
    await run_migrations([TABLE], using=isolated_db)
    await fake_migrations(["0002"], migrations=[TABLE, ADDS], using=isolated_db)
    assert [r.phase for r in await get_migration_history(using=isolated_db)] == ["expand", None]
    with pytest.raises(MigrationConflict):
        await require_applied([TABLE], using=isolated_db, allow_ahead="expand-only")


class Heard:
    """Counts statements."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: Any) -> None:
        self.count += 1

    def finished(self, token: Any, event: Any) -> None: ...


async def test_it_is_one_query(isolated_db: Any) -> None:
    await run_migrations([TABLE], using=isolated_db)
    heard = Heard()
    add_observer(heard)
    try:
        await require_applied([TABLE], using=isolated_db)
    finally:
        remove_observer(heard)
    assert heard.count == 1


async def test_another_word(isolated_db: Any) -> None:
    with pytest.raises(ConfigurationError, match="allow_ahead='expand'"):
        await require_applied([TABLE], using=isolated_db, allow_ahead="expand")  # type: ignore[arg-type]
