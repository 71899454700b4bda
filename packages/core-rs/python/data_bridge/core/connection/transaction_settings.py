"""Settings that every transaction of a block begins with, such as the tenant that row-level security compares with."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Any, Self
from uuid import UUID

from data_bridge.core._native import quote_literal
from data_bridge.core.connection import context
from data_bridge.core.connection.block import ContextBlock
from data_bridge.core.errors import ConfigurationError, DatabaseError

__all__ = [
    "SettingsBlock",
    "TransactionSettings",
    "begin",
    "change",
    "check_same",
    "tenant",
    "transaction_settings",
    "with_settings",
]

SettingValue = str | int | UUID
_NAME = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*")
_RELIED_ON = frozenset(
    {"client_encoding", "datestyle", "intervalstyle", "standard_conforming_strings", "session_authorization"}
)
_OF_TRANSACTIONS = frozenset({"transaction_isolation", "transaction_read_only", "transaction_deferrable"})
_REFUSED = frozenset({"22023", "42704", "42501", "42602", "55P02", "0P000"})
"""An invalid value, an unknown parameter, a missing privilege, an invalid name, one that cannot change now, an unknown role."""


class TransactionSettings:
    """Configuration parameters by name, and the SQL that sets them to the end of a transaction.

    Attributes:
        values: the values by the names of their parameters.
        sql: statements that follow BEGIN or SAVEPOINT, each after a semicolon.
        search_path: what decides in which schemas names of tables are looked for, or None: the parameter search_path, and
            the role, which `"$user"` in it stands for.
    """

    __slots__ = ("search_path", "sql", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.sql = _set(self.values)
        decisive = [self.values[name] for name in ("search_path", "role") if name in self.values]
        self.search_path = " as ".join(decisive) or None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TransactionSettings) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<TransactionSettings {', '.join(self.values)}>"


def _set(values: Mapping[str, str]) -> str:
    return "".join(
        f"; SELECT pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, true)"
        for name, value in values.items()
    )


def change(outer: TransactionSettings | None, inner: TransactionSettings | None, place: str) -> dict[str, str]:
    """What a block inside a transaction has to set.

    Raises:
        ConfigurationError: the transaction has a setting that the block does not have; PostgreSQL cannot unset it.
    """
    before = {} if outer is None else outer.values
    wanted = {} if inner is None else inner.values
    left = [name for name in before if name not in wanted]
    if left:
        raise ConfigurationError(
            f"the transaction begun at {place} has the setting {', '.join(left)} of a block that was left since"
            "\nhint: end the transaction before the block of its settings ends"
        )
    return {name: value for name, value in wanted.items() if before.get(name) != value}


def check_same(settings: TransactionSettings | None, place: str) -> None:
    """Compares the settings of a transaction with those of the running context.

    Raises:
        ConfigurationError: they differ: the statement would run with the settings of another block.
    """
    here = context.local_settings()
    if settings == here:
        return
    names = {**({} if settings is None else settings.values), **({} if here is None else here.values)}
    raise ConfigurationError(
        f"the transaction begun at {place} has other settings ({', '.join(names)}) than this block of tenant() or "
        "transaction_settings()\nhint: begin a pg_transaction() inside the block, also where another one is open"
    )


async def with_settings(settings: TransactionSettings, operation: Awaitable[Any]) -> None:
    """Awaits an operation that sets them.

    Raises:
        ConfigurationError: the server has refused one. Its own message would have the value.
    """
    try:
        await operation
    except DatabaseError as error:
        if error.sqlstate not in _REFUSED:
            raise
        raise ConfigurationError(
            f"PostgreSQL refuses the settings {', '.join(settings.values)} of tenant() or transaction_settings() "
            f"(SQLSTATE {error.sqlstate})"
        ) from None


async def begin(settings: TransactionSettings, lease: Any, sql: str, timeout: float | None) -> None:
    """BEGIN on a connection, with the settings; the same round trip."""
    await with_settings(settings, lease.begin(sql + settings.sql, timeout))


class SettingsBlock(ContextBlock):
    """`async with tenant(…)` or `with tenant(…)`: a block whose transactions begin with settings of their own.

    Statements outside of a transaction run in one of their own, which takes two round trips more. A transaction that was
    begun outside of the block refuses statements inside it; `pg_transaction()` inside the block is a savepoint with the
    settings.
    """

    __slots__ = ("_around", "_given", "_inside", "_name")

    def __init__(self, name: str, given: Mapping[str, SettingValue]) -> None:
        self._name = name
        self._given = {_checked_name(name, key): _checked_value(name, key, value) for key, value in given.items()}
        if not self._given:
            raise ConfigurationError(f"{name}() without a setting does nothing")
        self._inside: TransactionSettings | None = None
        self._around: TransactionSettings | None = None

    def __repr__(self) -> str:
        return f"<{self._name} {', '.join(self._given)}>"

    def __enter__(self) -> Self:
        if self._inside is not None:
            raise ConfigurationError(f"this {self._name}() block is entered already: each task makes one of its own")
        self._around = context.local_settings()
        outer = {} if self._around is None else self._around.values
        self._inside = TransactionSettings({**outer, **self._given})
        context.set_local_settings(self._inside)
        return self

    def __exit__(self, *exc: object) -> None:
        inside, self._inside = self._inside, None
        # A generator that is closed from another context leaves a block that is not the innermost one there.
        if context.local_settings() is inside:
            context.set_local_settings(self._around)


def _checked_name(block: str, name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{block}(): {name!r} is not the name of a configuration parameter")
    lower = name.lower()
    if lower in _OF_TRANSACTIONS:
        raise ConfigurationError(
            f"{block}(): {name} is set by the arguments of pg_transaction(): isolation, read_only, deferrable"
        )
    if lower in _RELIED_ON:
        raise ConfigurationError(f"{block}(): {name} cannot be set, because values are read according to it")
    return lower


def _checked_value(block: str, name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID)):
        raise ConfigurationError(
            f"{block}(): the value of {name} is a str, an int or a UUID, not {type(value).__name__}"
        )
    text = str(value)
    if "\0" in text:
        raise ConfigurationError(f"{block}(): the value of {name} holds a NUL character")
    return text


def transaction_settings(settings: Mapping[str, SettingValue]) -> SettingsBlock:
    """A block in which every transaction, and every statement outside of one, begins with these settings.

    They are set by `set_config(name, value, true)` together with BEGIN and end with the transaction, so that no other user
    of the connection sees them. A block inside another one adds its settings.

    Args:
        settings: values by the names of configuration parameters: those of an application (`app.user`) or of PostgreSQL
            (`search_path`, `role`, `work_mem`).

    Raises:
        ConfigurationError: a name that is not one of a parameter, a value of another type, or a parameter that decides how
            values are read; when a transaction begins, a value that PostgreSQL refuses.

    >>> import asyncio
    >>> from data_bridge.core import Database, transaction_settings
    >>> async def main() -> None:
    ...     async with Database("embedded:") as db:
    ...         async with transaction_settings({"app.user": "ann", "work_mem": "64MB"}):
    ...             print(await db.fetch_val("SELECT current_setting('app.user')"))
    >>> asyncio.run(main())
    ann
    """
    return SettingsBlock("transaction_settings", settings)


def tenant(value: SettingValue, *, setting: str = "app.tenant") -> SettingsBlock:
    """A block that speaks for one tenant: the short form of `transaction_settings({"app.tenant": value})`.

    A `RowPolicy(column, "app.tenant")` shows the rows of this tenant inside, and no rows outside. The block works with
    `async with` and with `with`, and holds for tasks that are started inside it.

    Args:
        value: whose rows are seen and written.
        setting: the configuration parameter that policies compare with.

    Raises:
        ConfigurationError: an empty value, which policies take for no tenant, or one that is not a str, an int or a UUID.

    >>> import asyncio
    >>> from data_bridge.core import Database, tenant
    >>> async def main() -> None:
    ...     async with Database("embedded:") as db:
    ...         async with tenant("acme"):
    ...             print(await db.fetch_val("SELECT current_setting('app.tenant', true)"))
    ...         print(await db.fetch_val("SELECT NULLIF(current_setting('app.tenant', true), '')"))
    >>> asyncio.run(main())
    acme
    None
    """
    if value == "":
        raise ConfigurationError("tenant(''): an empty value is what policies take for no tenant")
    return SettingsBlock("tenant", {setting: value})
