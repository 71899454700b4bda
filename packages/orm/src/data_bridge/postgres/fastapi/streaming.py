"""Responses that stream the rows of a query in bounded memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, TypeAdapter
from starlette.types import Send

from data_bridge.orm import QueryBuilder

__all__ = ["csv_response", "ndjson_response"]

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


class _Rows(StreamingResponse):
    """A response that begins when the first rows are there: a query that fails becomes an error response, not a cut one."""

    def __init__(self, chunks: AsyncGenerator[bytes], filename: str | None, media_type: str) -> None:
        super().__init__(chunks, media_type=media_type, headers=_disposition(filename))
        self._chunks = chunks

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            first = await anext(chunks, b"")

            async def all_chunks() -> AsyncGenerator[bytes]:
                yield first
                async for chunk in chunks:
                    yield chunk

            self.body_iterator = all_chunks()
            await super().stream_response(send)


def ndjson_response(query: QueryBuilder[Any], *, batch: int = 500, filename: str | None = None) -> StreamingResponse:
    """Streams rows as one JSON document a line (`application/x-ndjson`).

    Rows are what the query returns: instances, dicts, other models. When the client disconnects, the cursor is closed.

    Args:
        query: the rows.
        batch: rows that are fetched and sent at a time.
        filename: makes the browser save it under this name.

    >>> from fastapi import FastAPI
    >>> from fastapi.responses import StreamingResponse
    >>> from data_bridge.postgres import Col, IdMixin
    >>> from data_bridge.postgres.fastapi import ndjson_response
    >>> app = FastAPI()
    >>> class User(IdMixin):
    ...     name: Col[str]
    >>> @app.get("/users.ndjson")
    ... async def export() -> StreamingResponse:
    ...     return ndjson_response(User.find().order_by(User.id))
    """

    async def lines() -> AsyncGenerator[bytes]:
        async for rows in query.batches(batch):
            yield b"".join(_ANY.dump_json(row) + b"\n" for row in rows)

    return _Rows(lines(), filename, "application/x-ndjson")


def csv_response(query: QueryBuilder[Any], *, batch: int = 500, filename: str | None = None) -> StreamingResponse:
    """Streams rows as CSV (RFC 4180) with the names of the columns in the first line.

    Args:
        query: rows as dicts: `find(…).values(…)`, or instances, of which all loaded fields are written.
        batch: rows that are fetched and sent at a time.
        filename: makes the browser save it under this name.

    >>> from fastapi import FastAPI
    >>> from fastapi.responses import StreamingResponse
    >>> from data_bridge.postgres import Col, IdMixin
    >>> from data_bridge.postgres.fastapi import csv_response
    >>> app = FastAPI()
    >>> class User(IdMixin):
    ...     name: Col[str]
    >>> @app.get("/users.csv")
    ... async def export() -> StreamingResponse:
    ...     return csv_response(User.find().values(User.id, User.name), filename="users.csv")
    """

    names = query.column_names()

    async def lines() -> AsyncGenerator[bytes]:
        before = _csv([names])
        async for rows in query.batches(batch):
            yield before + _csv([[_cell(row[name]) for name in names] for row in map(_named, rows)])
            before = b""
        if before:
            yield before

    return _Rows(lines(), filename, "text/csv; charset=utf-8")


def _named(row: Any) -> Mapping[str, Any]:
    """The values of a row by the names of the columns.

    Raises:
        TypeError: the rows of the query have no names.
    """
    if not isinstance(row, (dict, BaseModel)):
        raise TypeError("csv_response() takes a query of values() or of instances, not of tuples() or scalars()")
    found: dict[str, Any] = _ANY.dump_python(row, mode="json", by_alias=False)
    return found


def _cell(value: Any) -> Any:
    """A value as CSV has it: NULL is empty, what is nested is JSON."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _disposition(filename: str | None) -> dict[str, str]:
    return {} if filename is None else {"content-disposition": f"attachment; filename*=UTF-8''{quote(filename)}"}
