"""Databases of a server that is there for trying things out: made for one purpose, and dropped afterwards."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path as File
from typing import Any, Self

from data_bridge.core import Database, quote_identifier
from data_bridge.core.errors import ConfigurationError, ConnectError, DatabaseError, MigrationError
from data_bridge.migrate._config import Config
from data_bridge.migrate.state.creation import statements
from data_bridge.migrate.state.facts import GRANT, UNMODELLED, Facts, Path, facts_of, label_of
from data_bridge.migrate.state.reading import read_schema
from data_bridge.query.catalog import Schema

__all__ = ["Shadow", "default_dsn", "schemas_in"]

_PREFIX = "data_bridge_shadow_"
_NO_BODIES = "SELECT set_config('check_function_bodies', 'off', true)"
"""The bodies of functions name tables that come later. The proof of a migration checks them."""
_MADE_MEANWHILE = ("42710", "23505")
_ROLES = re.compile(r"(?:AS RESTRICTIVE )?FOR [A-Z]+ TO (?P<roles>(?:PUBLIC|\"(?:[^\"]|\"\")+\"|, )+)")
_ROLE = re.compile(r"\"((?:[^\"]|\"\")+)\"")
_NOT_ALLOWED = "42501"
_ALL = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"


def default_dsn() -> str:
    """The embedded server of data-bridge-testing, with its data in the cache folder of the user: it starts in a moment.

    >>> default_dsn().startswith("embedded:")
    True
    """
    home = File.home()
    if sys.platform == "darwin":
        cache = home / "Library" / "Caches"
    elif sys.platform == "win32":
        cache = File(os.environ.get("LOCALAPPDATA") or home)
    else:
        cache = File(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return f"embedded:{cache / 'data-bridge' / 'shadow'}"


def schemas_in(*facts: Mapping[Path, str]) -> set[str]:
    """The schemas that the objects of facts are in, but for the default one."""
    names = (path[1] for some in facts for path in some if path[0] != "extension")
    return {schema for name in names if (schema := _schema_of(name)) is not None}


def _roles_in(text: str) -> list[str]:
    """The roles of a policy."""
    found = _ROLES.match(text)
    return [] if found is None else [role.replace('""', '"') for role in _ROLE.findall(found["roles"])]


def _schema_of(name: str) -> str | None:
    if name.startswith('"'):
        first, quote, rest = name[1:].replace('""', "\0").partition('"')
        return first.replace("\0", '"') if quote and rest.startswith(".") else None
    first, dot, _ = name.partition(".")
    return first if dot else None


class Shadow:
    """A server, connected to while the block runs."""

    def __init__(self, dsn: str | None, config: Config) -> None:
        self._dsn = dsn or config.shadow or default_dsn()
        self._config = config
        self._server: Any = None

    async def __aenter__(self) -> Self:
        """Connects.

        Raises:
            ConfigurationError: there is no such server, or the embedded one is not installed.
        """
        self._server = Database(self._dsn, max_connections=1)
        try:
            await self._server.__aenter__()
        except ConnectError as e:
            raise ConfigurationError(f"the shadow server: {e}") from e
        except ConfigurationError as e:
            raise ConfigurationError(
                f"{e}\na shadow database is needed: install data-bridge-testing for an embedded server, or name a server "
                "with --shadow URL"
            ) from e
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(None, None, None)

    async def major(self) -> int:
        """The major version of the server."""
        return int(await self._server.fetch_val("SELECT current_setting('server_version_num')::int")) // 10000

    @asynccontextmanager
    async def database(self) -> AsyncGenerator[Any]:
        """A new database, dropped at the end of the block.

        Raises:
            ConfigurationError: the role may not make databases.
        """
        name = _PREFIX + secrets.token_hex(6)
        try:
            await self._server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        except DatabaseError as e:
            if e.sqlstate == _NOT_ALLOWED:
                raise ConfigurationError(
                    "the role of the shadow server may not make databases: give it CREATEDB, or name another server with "
                    "--shadow"
                ) from e
            raise
        try:
            async with Database(self._dsn, database=name, max_connections=3) as made:
                if self._config.schema is not None:
                    await made.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(self._config.schema)}")
                yield made
        finally:
            await self._server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def fill(self, database: Any, facts: Mapping[Path, str], what: str) -> Schema:
        """Makes a schema of its facts, and returns it as the server prints it.

        Raises:
            MigrationError: the server refuses a statement; the message names the object.
        """
        await self.make_roles(facts)
        made = list(statements(facts))
        try:
            # One script is one round trip and one transaction.
            await database.execute_script(";\n".join([_NO_BODIES, *(sql for _, sql in made)]))
        except DatabaseError:
            await self._fill_one_by_one(database, made, what)
        return await self.read(database, schemas_in(facts))

    async def make_roles(self, facts: Mapping[Path, str]) -> None:
        """Makes the roles that policies and grants name, which the server does not have: they belong to the server, not to a database,
        and may not log in.

        Raises:
            ConfigurationError: the role of the shadow server may not make roles.
        """
        named = {role for path, text in facts.items() if path[-2:-1] == ("policy",) for role in _roles_in(text)}
        granted = {path[-1] for path in facts if path[-2:-1] == (GRANT,)} - {"public"}
        named |= {role[1:-1].replace('""', '"') if role.startswith('"') else role for role in granted}
        there = {row["rolname"] for row in await self._server.fetch("SELECT rolname::text FROM pg_roles")}
        for role in sorted(named - there):
            try:
                await self._server.execute(f"CREATE ROLE {quote_identifier(role)} NOLOGIN")
            except DatabaseError as e:
                if e.sqlstate == _NOT_ALLOWED:
                    raise ConfigurationError(
                        f"the shadow server has no role {role!r}, which a policy or a grant names, and its own role may not make one"
                    ) from e
                if e.sqlstate not in _MADE_MEANWHILE:
                    raise

    @staticmethod
    async def _fill_one_by_one(database: Any, made: list[tuple[Path, str]], what: str) -> None:
        """Finds the statement that the server refuses. What relies on an object that comes later, as a view may on another
        one, is tried again behind it.
        """
        left = made
        while left:
            refused: list[tuple[Path, str, DatabaseError]] = []
            for path, sql in left:
                try:
                    await database.execute_script(f"{_NO_BODIES};\n{sql}")
                except DatabaseError as e:
                    refused.append((path, sql, e))
            if len(refused) == len(left):
                path, _, error = refused[0]
                label = ", ".join(" ".join(path[i : i + 2]) for i in range(0, len(path), 2))
                hint = f"\nHint: {error.hint}" if error.hint else ""
                raise MigrationError(
                    f"{what} cannot be made: {label}: {error.message_without_values} [{error.sqlstate}]{hint}"
                ) from error
            left = [(path, sql) for path, sql, _ in refused]

    async def read(self, database: Any, schemas: Collection[str] | None = None) -> Schema:
        """What is in these schemas of a database, or in all."""
        if schemas is None:
            schemas = [row["nspname"] for row in await database.fetch(_ALL)]
        return await read_schema(database, schemas, history=self._config.table)

    async def facts(self, database: Any) -> dict[Path, str]:
        """The facts of all schemas of a database, with digests of what definitions cannot say."""
        schema = await self.read(database)
        others: Facts = {(UNMODELLED, label_of(u)): u.digest for u in schema.unmodelled}
        return {**facts_of(schema), **others}
