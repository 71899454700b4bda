"""CSV as what COPY … FROM STDIN sends: the server parses it, and names the line that it does not take."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from data_bridge.core._native import quote_identifier
from data_bridge.core.connection.copy import copy_from
from data_bridge.core.connection.csv_options import csv_options
from data_bridge.core.errors import ConfigurationError, DatabaseError

_CHUNK_BYTES = 256 * 1024
_LONGEST_HEADER = 1 << 20
_PLACE = re.compile(r"line (?P<line>\d+)(?:, column (?P<column>[^:]+))?")
"""Where the server's context says that a line is wrong; the value behind it is left out."""
_BOM = b"\xef\xbb\xbf"


async def copy_in_csv(
    executor: Any,
    table: Any,
    source: Any,
    *,
    header: bool,
    delimiter: str,
    null: str,
    columns: Sequence[str] | None,
) -> int:
    """COPY … FROM STDIN in CSV; all rows or none.

    Raises:
        ConfigurationError: an option that CSV does not have, or a column that the table does not have.
        DatabaseError: a line that the server does not take; a note names the line and the column.
    """
    options = csv_options(header=header, delimiter=delimiter, null=null)
    async with aclosing(_without_bom(_chunks(source))) as chunks:
        csv_source = _CsvSource(chunks, options)
        if header:
            await csv_source.read_header(delimiter)
        try:
            return await copy_from(executor, table, csv_source, columns)
        except DatabaseError as e:
            if (place := _PLACE.search(e.context or "")) is not None:
                column = f", column {place['column']}" if place["column"] else ""
                e.add_note(f"in line {place['line']} of the CSV{column}")
            raise


class _CsvSource:
    """Chunks of a CSV; the first line may name the columns."""

    needs_types = False

    def __init__(self, chunks: AsyncIterator[bytes], options: str) -> None:
        self._chunks = chunks
        self._options = options
        self._head = b""
        self._header: list[str] | None = None
        self.keys: list[str] = []

    async def read_header(self, delimiter: str) -> None:
        """Reads the names of the columns, which the server skips.

        Raises:
            ConfigurationError: there is no first line, or it is not text.
        """
        end = -1
        async for chunk in self._chunks:
            self._head += chunk
            end = _end_of_record(self._head)
            if end >= 0:
                break
            if len(self._head) > _LONGEST_HEADER:
                raise ConfigurationError("the first line of the CSV is longer than 1 MiB: it does not name the columns")
        line = self._head if end < 0 else self._head[:end]
        if not line.strip():
            raise ConfigurationError(
                "the CSV is empty and has no line that names the columns; without one, say header=False"
            )
        try:
            self._header = next(csv.reader(io.StringIO(line.decode(), newline=""), delimiter=delimiter))
        except UnicodeDecodeError as e:
            raise ConfigurationError("the first line of the CSV is not UTF-8") from e

    def columns(
        self, table: str, known: Mapping[str, Any], columns: Sequence[str] | None, names: Mapping[str, str]
    ) -> list[str]:
        """The columns that are written, in the order of the CSV: `columns`, those of its first line, or all.

        Raises:
            ConfigurationError: a column that the table does not have, or not as many as the first line has.
        """
        if columns is not None:
            if self._header is not None and len(self._header) != len(columns):
                raise ConfigurationError(
                    f"columns= names {len(columns)} columns, the first line of the CSV has {len(self._header)}"
                )
            written = list(columns)
        elif self._header is not None:
            written = [name if name in known else names.get(name, name) for name in self._header]
        else:
            written = list(known)
        for name in written:
            if name not in known:
                raise ConfigurationError(
                    f"{table} has no column {name!r} that COPY can write; it has {', '.join(known)}"
                )
            if written.count(name) > 1:
                raise ConfigurationError(f"the CSV has two columns for {table}.{name}")
        return written

    def statement(self, schema: str | None, table: str, columns: Sequence[str]) -> str:
        """The COPY."""
        path = ".".join(quote_identifier(part) for part in (schema, table) if part)
        return f"COPY {path} ({', '.join(map(quote_identifier, columns))}) FROM STDIN WITH ({self._options})"

    async def pour(self, writer: Any, op: Any) -> None:
        """Sends every line."""
        if self._head:
            await writer.put_chunk(self._head)
        async for chunk in self._chunks:
            await writer.put_chunk(chunk)
            if op.done():
                break
        writer.finish(b"")


def _end_of_record(head: bytes) -> int:
    """Where the first line ends; a newline inside quotes does not end it. -1: it goes on."""
    quoted = False
    for at, byte in enumerate(head):
        if byte == ord('"'):
            quoted = not quoted
        elif byte in b"\r\n" and not quoted:
            return at
    return -1


async def _chunks(source: Any) -> AsyncGenerator[bytes]:
    """The bytes of a path, of bytes, of a file that is read in a thread, or of an asynchronous stream."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(cast(Any, source))
        for at in range(0, len(data), _CHUNK_BYTES):
            yield data[at : at + _CHUNK_BYTES]
    elif isinstance(source, str | os.PathLike):
        # Not in a thread, which would go on and leave the file open when this is cancelled.
        file = open(cast(Any, source), "rb")  # noqa: ASYNC230, SIM115
        try:
            async for chunk in _read(file):
                yield chunk
        finally:
            file.close()
    elif hasattr(source, "read"):
        async for chunk in _read(source):
            yield chunk
    elif hasattr(source, "__aiter__"):
        async for chunk in source:
            yield _bytes(chunk)
    else:
        raise TypeError(
            f"copy_in_csv() takes a path, bytes, a file or an asynchronous stream of bytes, not {type(source).__name__}"
        )


async def _read(file: Any) -> AsyncGenerator[bytes]:
    is_async = inspect.iscoroutinefunction(file.read)
    while chunk := await (file.read(_CHUNK_BYTES) if is_async else asyncio.to_thread(file.read, _CHUNK_BYTES)):
        yield _bytes(chunk)


def _bytes(chunk: Any) -> bytes:
    return chunk.encode() if isinstance(chunk, str) else bytes(chunk)


async def _without_bom(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Without the mark that spreadsheets put before UTF-8."""
    async with aclosing(chunks):
        head = b""
        is_first = True
        async for chunk in chunks:
            if not is_first:
                yield chunk
                continue
            head += chunk
            if len(head) >= len(_BOM):
                is_first = False
                yield head.removeprefix(_BOM)
        if is_first and head:
            yield head
