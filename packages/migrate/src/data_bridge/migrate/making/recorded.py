"""The schema that the migrations lead to, as far as the classes are concerned: from schema.lock, or by a replay."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from data_bridge.core.errors import MigrationConflict, MigrationError
from data_bridge.migrate.making.shadow import Shadow
from data_bridge.migrate.runner import run_migrations
from data_bridge.migrate.sources.migration import Migration
from data_bridge.migrate.state.facts import GRANT, Path, differences, facts_of, quoted, spelled
from data_bridge.migrate.state.lock_file import NAME, Lock
from data_bridge.query.catalog import Schema

__all__ = ["Recorded", "check_head", "is_current", "owners", "projected", "recorded_schema"]


@dataclass(slots=True)
class Recorded:
    """The schema before a new migration.

    Attributes:
        schema: what classes declare or have declared of it.
        database: a shadow database that has it.
        applied: the migrations in the history of that database.
        foreign: objects that migrations made and no class declares.
    """

    schema: Schema
    database: Any
    applied: Sequence[type[Migration]] = ()
    foreign: list[str] = field(default_factory=list[str])


def is_current(lock: Lock | None, migrations: Sequence[type[Migration]]) -> bool:
    """Whether the lock is about all migrations: a hand-written one, or one of a branch that was merged, may not be in it."""
    head = migrations[-1].version if migrations else ""
    return lock is not None and lock.head == head and lock.migrations == len(migrations)


def check_head(lock: Lock | None, migrations: Sequence[type[Migration]]) -> None:
    """Refuses a lock that names a migration which is not there.

    Raises:
        MigrationConflict: the head of the lock is unknown.
    """
    if lock is not None and lock.head and lock.head not in {m.version for m in migrations}:
        raise MigrationConflict(
            f"{NAME} names {lock.head} as the newest migration, and there is no such migration: is its file missing?"
        )


def owners(*facts: Mapping[Path, str]) -> set[Path]:
    """The objects that facts are about, without their parts; privileges count as objects of their own, because those on a
    table that declares none are left alone.
    """
    return {path[: 3 if path[2:3] == (GRANT,) else 2] for some in facts for path in some}


def projected(schema: Schema, wanted: Collection[Path]) -> Schema:
    """The wanted objects of a schema, with the types and the sequences of their columns."""
    tables = {
        key: t if ("table", spelled(*key), GRANT) in wanted else t.replace(grants=())
        for key, t in schema.tables.items()
        if ("table", spelled(*key)) in wanted
    }
    views = {
        key: v if ("view", spelled(*key), GRANT) in wanted else v.replace(grants=())
        for key, v in schema.views.items()
        if ("view", spelled(*key)) in wanted
    }
    used = {column.type.name.removesuffix("[]") for table in tables.values() for column in table.columns}
    return replace(
        schema,
        tables=tables,
        views=views,
        functions={key: made for key, made in schema.functions.items() if (made.kind, spelled(*key)) in wanted},
        enums={
            key: enum
            for key, enum in schema.enums.items()
            if ("enum", spelled(*key)) in wanted or quoted(spelled(*key)) in used
        },
        domains={
            key: domain
            for key, domain in schema.domains.items()
            if ("domain", spelled(*key)) in wanted or spelled(*key) in used
        },
        sequences={
            key: made
            for key, made in schema.sequences.items()
            if ("sequence", spelled(*key)) in wanted
            or (made.owned_by is not None and (key[0], made.owned_by[0]) in tables)
        },
        extensions={
            name: made for name, made in schema.extensions.items() if ("extension", spelled(None, name)) in wanted
        },
    )


@asynccontextmanager
async def recorded_schema(
    shadow: Shadow, lock: Lock | None, migrations: Sequence[type[Migration]], declared: Mapping[Path, str]
) -> AsyncGenerator[Recorded]:
    """The recorded schema, on a shadow database that lives as long as the block.

    Raises:
        MigrationError: the lock was changed by hand, or a migration does not run.
        MigrationConflict: the lock names a migration that is not there.
    """
    check_head(lock, migrations)
    async with shadow.database() as database:
        if lock is not None and is_current(lock, migrations):
            schema = await shadow.fill(database, lock.facts, NAME)
            changed = differences(lock.facts, facts_of(schema))
            if changed and lock.postgresql == await shadow.major():
                raise MigrationError(
                    "\n".join(
                        [f"{NAME} was changed by hand: PostgreSQL prints this otherwise:", *(f"  {c}" for c in changed)]
                    )
                )
            yield Recorded(schema, database)
            return
        if migrations:
            await run_migrations(list(migrations), using=database)
        everything = await shadow.read(database)
        wanted = owners(declared, lock.facts if lock is not None else {})
        schema = projected(everything, wanted)
        foreign = sorted(" ".join(path) for path in owners(facts_of(everything)) - owners(facts_of(schema)))
        yield Recorded(schema, database, migrations, foreign)
