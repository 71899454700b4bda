"""COPY: the fastest way for rows in and out, with back-pressure both ways."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Literal, Self
from uuid import UUID

from data_bridge.core import _native
from data_bridge.core._native import CopyEncoder, LoadPlan
from data_bridge.core.ending import to_the_end
from data_bridge.core.errors import ConfigurationError, EncodeError
from data_bridge.core.transaction import Transaction

_FIRST_ROWS = 512
_CHUNK_BYTES = 64 * 1024
"""What the driver hands over at a time, about: enough for few system calls, little enough to keep the event loop awake."""
_TUPLES = LoadPlan.rows(tuple)

# Column, OID of its type, and the type as SQL writes it.
_COLUMNS = """
    SELECT attname, atttypid, pg_catalog.format_type(atttypid, NULL) FROM pg_catalog.pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


def _quoted(name: str) -> str:
    if not name or "\0" in name or len(name.encode()) > 63:
        raise ConfigurationError(f"{name!r} cannot be an identifier: 1 to 63 bytes, without NUL")
    return '"' + name.replace('"', '""') + '"'


def _table(given: Any) -> tuple[str | None, str]:
    definition = getattr(given, "__table_def__", None)
    if definition is not None:
        return definition.schema, definition.name
    if isinstance(given, str):
        schema, dot, name = given.rpartition(".")
        return (schema if dot else None), name
    raise TypeError(f"copy_in() takes the name of a table or a Table class, not {type(given).__name__}")


async def _batches(rows: Iterable[Any] | AsyncIterable[Any], size: Callable[[], int]) -> AsyncIterator[list[Any]]:
    batch: list[Any] = []
    if not isinstance(rows, AsyncIterable):
        given = iter(rows)
        while batch := list(islice(given, size())):
            yield batch
        return
    full = size()
    async for row in rows:
        batch.append(row)
        if len(batch) >= full:
            yield batch
            batch, full = [], size()
    if batch:
        yield batch


def _batch_size(encoder: CopyEncoder) -> int:
    rows, written = encoder.written
    return _FIRST_ROWS if not rows else max(64, min(8192, _CHUNK_BYTES * rows // written))


async def copy_in(
    executor: Any, table: Any, rows: Iterable[Any] | AsyncIterable[Any], columns: Sequence[str] | None
) -> int:
    """COPY … FROM STDIN in the binary format; all rows or none.

    Args:
        executor: where it runs; outside a transaction on a connection of its own.
        table: the name of a table (`"schema.table"`), or a Table class.
        rows: sequences in the order of the columns, mappings, or instances; an iterable or an asynchronous one.
        columns: their names; by default all that are not computed.

    Raises:
        EncodeError: naming row and column; nothing of the COPY is kept.
        DatabaseError: when the server refuses a row.
    """
    schema, name = _table(table)
    path = ".".join(_quoted(p) for p in (schema, name) if p)
    known = {found[0]: found for found in await executor.run(("text", _COLUMNS), (path,), _TUPLES)}
    names = list(columns) if columns is not None else list(known)
    for n in names:
        if n not in known:
            raise ConfigurationError(f"{name} has no column {n!r} that COPY can write; it has {', '.join(known)}")
    source = getattr(table, "__table_source__", None)
    keys = [n if source is None else source.columns[n].key for n in names]
    encoder = await _encoder(executor, [known[n] for n in names], keys)
    sql, *_ = _native.compile_ir(("copy", "in", ("table", schema, name, None), tuple(names), "binary"))
    lease, own = await _lease(executor)
    try:
        writer, op = lease.copy_in(sql)
        try:
            async for batch in _batches(rows, lambda: _batch_size(encoder)):
                await writer.put_rows(encoder, batch)
                if op.done():
                    break
            writer.finish(encoder.trailer())
        except BaseException as e:
            writer.fail(f"{type(e).__name__} in the client")
            op.hurry()
            with suppress(Exception):
                await to_the_end(op)
            raise
        count: int = await op
        return count
    finally:
        if own:
            await to_the_end(lease.give_back())


async def _encoder(executor: Any, columns: list[tuple[str, int, str]], keys: list[str]) -> CopyEncoder:
    described = [(name, oid) for name, oid, _ in columns]
    if all(CopyEncoder.knows(oid) for _, oid in described):
        return CopyEncoder(described, keys)
    # Enums, domains, composites, the types of extensions: parameters of these types tell what is in them.
    asked = LoadPlan.rows(tuple, many=False)
    parameters = ", ".join(f"${i}::{kind}" for i, (_, _, kind) in enumerate(columns, 1))
    await executor.run(("text", f"SELECT {parameters}"), (None,) * len(columns), asked)
    return CopyEncoder(described, keys, asked)


async def _lease(executor: Any) -> tuple[Any, bool]:
    if isinstance(executor, Transaction) or getattr(executor, "is_transaction", False):
        return executor._lease, False
    lease = await executor.taken()
    await lease.take()
    return lease, True


class CopyStream:
    """Chunks of a COPY … TO STDOUT: an asynchronous iterator, and a block after which the connection is free at once."""

    def __init__(self, executor: Any, sql: str, params: tuple[Any, ...], format_: str) -> None:
        if format_ not in ("csv", "text", "binary"):
            raise ConfigurationError(f"format={format_!r} is not csv, text or binary")
        self._executor = executor
        self._ir = ("copy", "out", _with_values(sql, params), None, format_)
        self._lease: Any = None
        self._own = False
        self._reader: Any = None
        self._op: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._reader is None:
            if self._op is not None:
                raise StopAsyncIteration
            sql, *_ = _native.compile_ir(self._ir)
            self._lease, self._own = await _lease(self._executor)
            self._reader, self._op = self._lease.copy_out(sql)
        try:
            await self._reader.wait()
            chunk: bytes | None = self._reader.take()
            if chunk is None:
                await self._op
        except BaseException:
            await self.aclose()
            raise
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Cancels what is left and gives the connection back. Closing twice does nothing."""
        self._reader = None
        op, lease = self._op, self._lease
        self._op, self._lease = False, None
        if op and not op.done():
            del op  # nobody waits for it: it is cancelled on the server
        if lease is not None and self._own:
            await to_the_end(lease.give_back())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def copy_out(
    executor: Any, sql: str, params: tuple[Any, ...], format_: Literal["csv", "text", "binary"] = "csv"
) -> CopyStream:
    """COPY (query) TO STDOUT. COPY takes no parameters: values are written as literals by the core's own writer."""
    return CopyStream(executor, sql, params, format_)


_PIECE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$.*?\$\1?\$|--[^\n]*|/\*.*?\*/|\$(\d+)""", re.DOTALL
)


def _with_values(sql: str, params: tuple[Any, ...]) -> tuple[Any, ...]:
    """The query as trusted text with literals between its pieces."""
    parts: list[Any] = []
    at = 0
    used: set[int] = set()
    for found in _PIECE.finditer(sql):
        if found[2] is None:
            continue
        index = int(found[2]) - 1
        if index >= len(params):
            raise EncodeError(f"the statement takes ${index + 1}, {len(params)} parameters given")
        used.add(index)
        parts += [sql[at : found.start()], _literal(params[index])]
        at = found.end()
    parts.append(sql[at:])
    if len(used) != len(params):
        raise EncodeError(f"the statement takes {len(used)} parameters, {len(params)} given")
    return ("raw", *parts)


def _literal(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, int):
        return ("lit", str(value), "numeric") if abs(value) >= 2**63 else ("lit", value, None)
    for kinds, cast in _CASTS:
        if isinstance(value, kinds):
            return ("lit", _text(value), cast)
    raise EncodeError(
        f"copy_out() cannot write a {type(value).__name__} as a literal: put it into the query as text and cast it"
    )


_CASTS: tuple[tuple[Any, str | None], ...] = (
    (str, "text"),
    (Decimal, "numeric"),
    (float, "float8"),
    (datetime, "timestamptz"),
    (date, "date"),
    (time, "time"),
    (timedelta, "interval"),
    (UUID, "uuid"),
    (bytes, "bytea"),
)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds}.{value.microseconds:06d} seconds"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)
