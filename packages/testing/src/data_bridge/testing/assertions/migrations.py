"""Ready-made tests of migrations. One line in a test file is enough:

    from data_bridge.testing.migrations import *

They use the fixture `migrations`, which returns a folder or a list; its default is what `run_migrations()` would take:
the configured folder, or the migrations that are imported.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import Database, IrreversibleMigration
from data_bridge.testing._blocking import run_elsewhere
from data_bridge.testing.databases.catalog import difference, schema_lines
from data_bridge.testing.databases.databases import Databases
from data_bridge.testing.databases.template_builder import build_schema, imported_models

__all__ = [
    "migrations",
    "test_migrations_apply",
    "test_migrations_have_one_head",
    "test_migrations_undo_and_redo_alike",
    "test_migrations_undo_everything",
    "test_models_match_migrations",
]


@pytest.fixture(scope="session")
def migrations() -> Any:
    """Override it: the folder of the migrations, or a list of them (data_bridge.testing.migrations)."""
    return None


def _sources(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    return {"directory": given} if isinstance(given, str | Path) else {"migrations": list(given)}


def _run(dsn: str, given: Any, **options: Any) -> list[str]:
    from data_bridge.migrate import run_migrations

    async def work() -> list[str]:
        async with Database(dsn) as database:
            done: list[str] = await run_migrations(**_sources(given), using=database, **options)
            return done

    return run_elsewhere(work)


def _status(dsn: str, given: Any) -> Any:
    from data_bridge.migrate import get_migration_status

    async def work() -> Any:
        async with Database(dsn) as database:
            return await get_migration_status(**_sources(given), using=database)

    return run_elsewhere(work)


@contextmanager
def _empty(databases: Databases) -> Generator[tuple[str, str]]:
    """Name and URL of a new database, dropped at the end."""
    name = databases.create("migrations")
    try:
        yield name, databases.source.dsn_of(name)
    finally:
        databases.drop(name)


def _lines(databases: Databases, name: str, *, names: bool = True) -> list[str]:
    with closing(databases.source.session(name)) as session:
        return schema_lines(session, names=names)


def test_migrations_have_one_head(migrations: Any, databases: Databases) -> None:
    """Versions are unique, dependencies are known, and the newest migration is only one."""
    with _empty(databases) as (_, dsn):
        status = _status(dsn, migrations)  # raises for double versions, unknown and circular dependencies
    pending = list(status.pending)
    needed = {version for step in pending for version in getattr(step, "depends_on", ())}
    # Without dependencies the order of versions is the chain.
    explicit = [step for step in pending if getattr(step, "depends_on", ())]
    heads = [str(getattr(step, "version", step)) for step in explicit if getattr(step, "version", step) not in needed]
    assert len(heads) <= 1, f"several migrations are the newest: {', '.join(heads)}; make one depend on the others"


def test_migrations_apply(migrations: Any, databases: Databases) -> None:
    """All migrations run on an empty database, and a second run has nothing to do."""
    with _empty(databases) as (_, dsn):
        assert _run(dsn, migrations), "there are no migrations: override the fixture `migrations`"
        assert _run(dsn, migrations) == []


def test_migrations_undo_everything(migrations: Any, databases: Databases) -> None:
    """down() of every migration leaves the schema as it was before the first, as far as they can be undone."""
    with _empty(databases) as (name, dsn):
        before = _lines(databases, name)
        versions = _run(dsn, migrations)
        for at in range(len(versions) - 1, -1, -1):
            try:
                _run(dsn, migrations, direction="down", target=versions[at - 1] if at else None)
            except IrreversibleMigration as error:
                pytest.skip(f"{versions[at]} cannot be undone, so what is before it was not checked: {_reason(error)}")
        left = difference(before, _lines(databases, name), "before the first migration", "after undoing all")
        assert not left, f"down() leaves something behind:\n{left}"


def test_migrations_undo_and_redo_alike(migrations: Any, databases: Databases) -> None:
    """Each migration, undone and run again, returns the same schema."""
    with _empty(databases) as (name, dsn):
        with _empty(databases) as (_, elsewhere):
            versions = _run(elsewhere, migrations)
        final: list[str] = []
        for at, version in enumerate(versions):
            _run(dsn, migrations, target=version)
            once = _lines(databases, name)
            try:
                _run(dsn, migrations, direction="down", target=versions[at - 1] if at else None)
            except IrreversibleMigration as error:
                final.append(f"{version} cannot be undone: {_reason(error)}")
                continue
            _run(dsn, migrations, target=version)
            changed = difference(once, _lines(databases, name), f"{version} up", f"{version} up, down, up")
            assert not changed, f"migration {version} is not the same after down() and up():\n{changed}"
    if final:
        done = len(versions) - len(final)
        pytest.skip(f"{done} of {len(versions)} migrations are alike after down() and up(); {'; '.join(final)}")


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0]


def test_models_match_migrations(migrations: Any, databases: Databases) -> None:
    """The imported models and the migrations make the same tables; names of constraints do not count."""
    with _empty(databases) as (migrated, dsn), _empty(databases) as (created, other):
        _run(dsn, migrations)
        build_schema(other, imported_models())
        models = _lines(databases, created, names=False)
        changed = difference(models, _lines(databases, migrated, names=False), "models", "migrations")
        assert not changed, f"models and migrations differ:\n{changed}"
