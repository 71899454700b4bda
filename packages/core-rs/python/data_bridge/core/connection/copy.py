"""COPY: the fastest way for rows in and out, with back-pressure both ways."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Self

from data_bridge.core import _native
from data_bridge.core._native import CopyEncoder, LoadPlan, quote_identifier
from data_bridge.core.connection import context
from data_bridge.core.connection.observer import Observation
from data_bridge.core.errors import ConfigurationError, EncodeError, QueryCancelled
from data_bridge.core.uncancellable import to_the_end

if TYPE_CHECKING:
    from data_bridge.core.frames.table import ArrowStreamable
    from data_bridge.core.transactions.gate import Hold
    from data_bridge.core.transactions.transaction import Transaction

_FIRST_ROWS = 512
_CHUNK_BYTES = 64 * 1024
"""What the driver hands over at a time, about: enough for few system calls, little enough to keep the event loop awake."""
_TUPLES = LoadPlan.rows(tuple)
_TUPLE = LoadPlan.rows(tuple, many=False)
_SCALARS = LoadPlan.scalars()

_SAVEPOINT = "data_bridge_copy"
_enclosing: ContextVar[tuple[object, ...]] = ContextVar("data_bridge_copies", default=())

# Column, OID of its type, the type as SQL writes it, and its modifier, which may be that of a domain.
_COLUMNS = """
    SELECT attname, atttypid, pg_catalog.format_type(atttypid, NULL), GREATEST(atttypmod, (
        WITH RECURSIVE d(type, modifier) AS (
            VALUES (atttypid, -1) UNION ALL
            SELECT t.typbasetype, t.typtypmod FROM d JOIN pg_catalog.pg_type t ON t.oid = d.type WHERE t.typtype = 'd'
        ) SELECT pg_catalog.max(modifier) FROM d
    )) FROM pg_catalog.pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


_QUOTED = r'"(?:[^"]|"")+"'
_PART = f"({_QUOTED}|[^.]+)"
_TABLE_NAME = re.compile(rf"(?:{_PART}\.)?{_PART}")


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if re.fullmatch(_QUOTED, part) else part


def table_name(given: Any, function: str = "copy_in") -> tuple[str | None, str]:
    """Schema and name of a Table class, or of a name as SQL writes it.

    Raises:
        ConfigurationError: a text that is not the name of a table.
        TypeError: for anything else.
    """
    definition = getattr(given, "__table_def__", None)
    if definition is not None:
        return definition.schema, definition.name
    if isinstance(given, str):
        found = _TABLE_NAME.fullmatch(given)
        if found is None:
            raise ConfigurationError(
                f"{function}({given!r}): the name of a table is 'table' or 'schema.table'; a part that holds a dot or a quote "
                "is written as in SQL: '\"my.table\"'"
            )
        schema, name = (part and _unquoted(part) for part in found.groups())
        return schema, name
    raise TypeError(f"{function}() takes the name of a table or a Table class, not {type(given).__name__}")


class _RowSource:
    """Rows as Python objects: sequences, mappings or instances."""

    needs_types = True

    def __init__(self, rows: Iterable[Any] | AsyncIterable[Any]) -> None:
        self._rows = rows
        self._encoder: Any = None
        self.keys: list[str] = []

    def columns(
        self, table: str, known: Mapping[str, Any], columns: Sequence[str] | None, names: Mapping[str, str]
    ) -> list[str]:
        """The columns that are written: `columns`, or all that COPY can write.

        Raises:
            ConfigurationError: the table has no such column.
        """
        written = list(columns) if columns is not None else list(known)
        for n in written:
            if n not in known:
                raise ConfigurationError(f"{table} has no column {n!r} that COPY can write; it has {', '.join(known)}")
        return written

    def statement(self, schema: str | None, table: str, columns: Sequence[str]) -> str:
        """The COPY."""
        return binary_copy(schema, table, columns)

    async def aim(
        self, lease: Any, described: Sequence[tuple[str, int, str, int]], asked: Any, *, nan_is_null: bool
    ) -> None:
        """Takes name and type of each column that is written."""
        types = [(name, oid) for name, oid, _, _ in described]
        self._encoder = CopyEncoder(types, self.keys, asked, nan_is_null=nan_is_null)

    async def pour(self, writer: Any, op: Any) -> None:
        """Sends every row.

        Raises:
            EncodeError: a value that its column does not have, with row and column.
        """
        async for batch in self._batches():
            await writer.put_rows(self._encoder, batch)
            if op.done():
                break
        writer.finish(self._encoder.trailer())

    async def _batches(self) -> AsyncIterator[list[Any]]:
        batch: list[Any] = []
        if not isinstance(self._rows, AsyncIterable):
            given = iter(self._rows)
            while batch := list(islice(given, self._size())):
                yield batch
            return
        full = self._size()
        async for row in self._rows:
            batch.append(row)
            if len(batch) >= full:
                yield batch
                batch, full = [], self._size()
        if batch:
            yield batch

    def _size(self) -> int:
        rows, written = self._encoder.written
        return _FIRST_ROWS if not rows else max(64, min(8192, _CHUNK_BYTES * rows // written))


_Source = Any
"""What is written: a _RowSource, a FrameSource, or the lines of a CSV."""


def binary_copy(schema: str | None, table: str, columns: Sequence[str]) -> str:
    """COPY … FROM STDIN in the binary format."""
    sql, *_ = _native.compile_ir(("copy", "in", ("table", schema, table, None), tuple(columns), "binary"))
    return sql


def _source(rows: Any) -> _Source:
    if not hasattr(rows, "__arrow_c_stream__"):
        return _RowSource(rows)
    # Few programs write data frames.
    from data_bridge.core.frames.source import FrameSource

    return FrameSource(rows)


async def copy_in(
    executor: Any,
    table: Any,
    rows: Iterable[Any] | AsyncIterable[Any] | ArrowStreamable,
    columns: Sequence[str] | None,
    nulls: Literal["none", "nan"] = "none",
) -> int:
    """COPY … FROM STDIN in the binary format; all rows or none.

    Args:
        executor: where it runs; outside a transaction on a connection of its own.
        table: the name of a table (`"table"`, `"schema.table"`, quoted as in SQL where a part holds a dot), or a Table
            class.
        rows: sequences in the order of the columns, mappings, or instances, in an iterable or an asynchronous one; or a data
            frame: an object with `__arrow_c_stream__`, as polars, pandas, pyarrow and DuckDB have, whose columns are found by
            their names.
        columns: their names; by default all that are not computed, or those that the data frame has.
        nulls: `"nan"` also writes NULL for what data frames put where a value is missing: NaN, NaT and `pandas.NA`. By
            default NaN is a number, which integers and dates refuse.

    Raises:
        ConfigurationError: the table, or the data frame, has no such column.
        EncodeError: naming row and column, or the column and both types; nothing of the COPY is kept.
        DatabaseError: when the server refuses a row.
    """
    if nulls not in ("none", "nan"):
        raise ConfigurationError(f"nulls={nulls!r} is not none or nan")
    return await copy_from(executor, table, _source(rows), columns, nulls)


async def copy_from(
    executor: Any, table: Any, source: _Source, columns: Sequence[str] | None, nulls: Literal["none", "nan"] = "none"
) -> int:
    """COPY … FROM STDIN of a source; all rows or none."""
    schema, name = table_name(table)
    if context.local_settings() is not None and not executor.is_transaction:
        async with await executor.begin_alone() as transaction:
            return await copy_from(transaction, table, source, columns, nulls)
    path = ".".join(quote_identifier(p) for p in (schema, name) if p)
    known = {found[0]: found for found in await executor.run(("text", _COLUMNS), (path,), _TUPLES)}
    fields = getattr(table, "__table_source__", None)
    keys = {} if fields is None else {n: fields.columns[n].__column__.key for n in fields.columns}
    names = source.columns(name, known, columns, {key: column for column, key in keys.items()})
    described = [known[n] for n in names]
    source.keys = [keys.get(n, n) for n in names]
    sql = source.statement(schema, name, names)
    marker = object()
    around = _enclosing.get()
    # Whatever the source of rows runs, and tasks that it makes, is inside this COPY.
    _enclosing.set((*around, marker))
    try:
        if executor.is_transaction:
            hold = await executor.occupy("copy_in()", lambda: marker in _enclosing.get())
            try:
                await _aim(executor._lease, source, described, nulls)
                return await _send(executor, executor._lease, sql, source, executor._timeout(None))
            finally:
                executor.vacate(hold)
        lease = await executor.taken()
        try:
            await lease.take()
            await _aim(lease, source, described, nulls)
            return await _send(executor, lease, sql, source, executor.command_timeout)
        finally:
            await to_the_end(lease.give_back())
            executor.wrote()
    finally:
        _enclosing.set(around)


async def _send(executor: Any, lease: Any, sql: str, source: _Source, timeout: float | None) -> int:
    watched = Observation(executor, "copy", sql)
    try:
        count = await _transfer(lease, sql, source, timeout)
    except BaseException as e:
        watched.finish(e)
        raise
    watched.finish(rows=count)
    return count


async def _transfer(lease: Any, sql: str, source: _Source, timeout: float | None) -> int:
    writer, op = lease.copy_in(sql, timeout)
    try:
        await source.pour(writer, op)
    except BaseException as e:
        writer.fail(f"{type(e).__name__} in the client")
        op.hurry()
        with suppress(Exception):
            await to_the_end(op)
        raise
    count: int = await op
    return count


async def _aim(lease: Any, source: _Source, columns: list[tuple[str, int, str, int]], nulls: str) -> None:
    if not source.needs_types:
        return
    asked = None
    if not all(CopyEncoder.knows(oid) for _, oid, _, _ in columns):
        # Enums, domains, composites, the types of extensions: parameters of these types tell what is in them. The statement
        # is only described, so that no domain refuses a NULL.
        parameters = ", ".join(f"${i}::{kind}" for i, (_, _, kind, _) in enumerate(columns, 1))
        asked = lease.describe(f"SELECT {parameters}")
        await asked
    await source.aim(lease, columns, asked, nan_is_null=nulls == "nan")


class CopyStream:
    """Chunks of a COPY … TO STDOUT: an asynchronous iterator, and a block after which the connection is free at once.

    A step that is cancelled or fails ends the stream, and every later step raises QueryCancelled.
    """

    def __init__(self, executor: Any, sql: str, params: tuple[Any, ...], format_: str, options: str = "") -> None:
        if format_ not in ("csv", "text", "binary"):
            raise ConfigurationError(f"format={format_!r} is not csv, text or binary")
        self._executor = executor
        self._sql = sql
        self._params = params
        self._format = format_
        self._options = options
        self._lease: Any = None
        self._begun = False
        self._hold: Hold | None = None
        self._reader: Any = None
        self._op: Any = None
        self._task: asyncio.Task[Any] | None = None
        self._watched: Observation | None = None
        self._is_over = False
        self._is_complete = False
        self._interrupted = False
        self._step = asyncio.Lock()

    def __del__(self) -> None:
        hold = getattr(self, "_hold", None)
        if hold is None:
            return
        # Thrown away inside a transaction, as by `break`: it goes on behind the savepoint.
        self._reader = self._op = None
        try:
            leaving = asyncio.get_running_loop().create_task(_leave(self._executor, self._lease, hold, complete=False))
        except RuntimeError:
            self._executor.vacate(hold)
            return
        _leaving.add(leaving)
        leaving.add_done_callback(_leaving.discard)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        async with self._step:
            if self._interrupted:
                raise QueryCancelled(
                    "a step of this COPY was cancelled or failed, and chunks may be missing: start it again"
                )
            if self._is_over:
                raise StopAsyncIteration
            self._task = asyncio.current_task()
            try:
                if self._reader is None:
                    await self._open()
                reader: Any = self._reader
                await reader.wait()
                chunk: bytes | None = reader.take()
                if chunk is None:
                    await self._op
            except BaseException as e:
                self._interrupted = True
                if self._watched is not None:
                    self._watched.finish(e)
                await self.aclose()
                raise
            if chunk is None:
                self._is_complete = True
                await self.aclose()
                raise StopAsyncIteration
            return chunk

    async def _open(self) -> None:
        executor = self._executor
        if executor.is_transaction:
            # Weak, so that a stream that is thrown away ends at once.
            stream = weakref.ref(self)

            def encloses_caller() -> bool:
                me = stream()
                return me is not None and asyncio.current_task() is me._task

            async def interrupt() -> None:
                me = stream()
                if me is not None:
                    await me.aclose()

            self._hold = await executor.occupy("copy_out()", encloses_caller, interrupt)
            self._lease, timeout = executor._lease, executor._timeout(None)
            await self._lease.script(f"SAVEPOINT {_SAVEPOINT}", None, False, False)
        else:
            self._lease, timeout = await executor.taken(), executor.command_timeout
            self._begun = context.local_settings() is not None
            await (context.begin(self._lease, "BEGIN", timeout) if self._begun else self._lease.take())
        query = _native.query_with_literals(self._sql, await _literals(self._lease, self._sql, self._params))
        sql, *_ = _native.compile_ir(("copy", "out", ("raw", query), None, self._format))
        if self._options:
            # The options stand at the end, in parentheses.
            sql = f"{sql[: sql.rindex('(')]}({self._options})"
        # Without the values, which stand in the text that is sent.
        self._watched = Observation(executor, "copy", f"COPY ({self._sql}) TO STDOUT")
        # An error before the first byte of a COPY would cost the connection, because the driver does not read the answer to
        # its end. Planning finds mistakes and missing rights first.
        await self._lease.script(f"EXPLAIN {query}", timeout, False, False)
        self._reader, self._op = self._lease.copy_out(sql, timeout)

    async def aclose(self) -> None:
        """Cancels what is left and returns the connection. Closing twice does nothing."""
        self._is_over = True
        if self._watched is not None:
            self._watched.finish()
        self._reader = self._op = None  # it is not awaited: what is left is cancelled on the server
        lease, self._lease = self._lease, None
        hold, self._hold = self._hold, None
        if hold is not None:
            await _leave(self._executor, lease, hold, complete=self._is_complete)
        elif lease is not None:
            is_done = self._begun and self._is_complete and lease.status == "active"
            await to_the_end(lease.commit() if is_done else lease.give_back())
            self._executor.wrote()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


async def _leave(transaction: Transaction, lease: Any, hold: Hold, *, complete: bool) -> None:
    """Ends a COPY inside a transaction; one that is left before its end leaves the transaction as it was before."""
    try:
        if complete:
            await to_the_end(lease.script(f"RELEASE SAVEPOINT {_SAVEPOINT}", None, True, False))
        elif lease.status in ("active", "failed"):
            await to_the_end(lease.rollback_to(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}"))
    finally:
        transaction.vacate(hold)


_leaving: set[asyncio.Task[None]] = set()


def copy_out(
    executor: Any, sql: str, params: tuple[Any, ...], format_: Literal["csv", "text", "binary"] = "csv"
) -> CopyStream:
    """COPY (query) TO STDOUT.

    COPY takes no parameters. The server says their types, as it does for `fetch`; it turns the values, which are
    bound, into text of these types, and that text is written as typed literals.
    """
    return CopyStream(executor, sql, params, format_)


async def _literals(lease: Any, sql: str, params: tuple[Any, ...]) -> list[tuple[str | None, str]]:
    """The values as text that the server reads back as the same values, each with the name of its type."""
    if not params:
        return []
    oids = await lease.describe(sql)
    if len(oids) != len(params):
        raise EncodeError(f"the statement takes {len(oids)} parameters, {len(params)} given")
    types: list[str] = await lease.run(("text", _TYPE_NAMES), (oids,), _SCALARS)
    given = [i for i, value in enumerate(params) if value is not None]
    texts: list[str | None] = [None] * len(params)
    if given:
        # format() calls the output function of the type, where a cast to text may be one of its own.
        columns = ", ".join(f"pg_catalog.format('%s', ${n}::{types[i]})" for n, i in enumerate(given, 1))
        row = await lease.run(("text", f"SELECT {columns}"), tuple(params[i] for i in given), _TUPLE)
        for i, text in zip(given, row, strict=True):
            texts[i] = text
    return list(zip(texts, types, strict=True))


# Without a modifier: `character` alone would mean one character.
_TYPE_NAMES = """
    SELECT pg_catalog.format_type(o, -1) FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY u (o, n) ORDER BY n
"""
