"""Responses that stream the rows of a query in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from data_bridge.orm import QueryBuilder

__all__ = ["csv_response", "ndjson_response"]

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def ndjson_response(query: QueryBuilder[Any], *, batch: int = 500, filename: str | None = None) -> StreamingResponse:
    """Streams rows as one JSON document a line (`application/x-ndjson`).

    Rows are what the query returns: instances, dicts, other models. When the client disconnects, the cursor is closed.

    Args:
        query: the rows.
        batch: rows that are fetched and sent at a time.
        filename: makes the browser save it under this name.

    >>> @app.get("/users.ndjson")
    ... async def export() -> StreamingResponse:
    ...     return ndjson_response(User.find().order_by(User.id))
    """

    async def lines() -> AsyncIterator[bytes]:
        async for rows in query.batches(batch):
            yield b"".join(_ANY.dump_json(row) + b"\n" for row in rows)

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=_disposition(filename))


def csv_response(query: QueryBuilder[Any], *, batch: int = 500, filename: str | None = None) -> StreamingResponse:
    """Streams rows as CSV (RFC 4180) with the names of the columns in the first line.

    Args:
        query: rows as dicts: `find(…).values(…)`, or instances, of which all loaded fields are written.
        batch: rows that are fetched and sent at a time.
        filename: makes the browser save it under this name.

    >>> @app.get("/users.csv")
    ... async def export() -> StreamingResponse:
    ...     return csv_response(User.find().values(User.id, User.name), filename="users.csv")
    """

    names = query.column_names()

    async def lines() -> AsyncIterator[bytes]:
        yield _csv([names])
        async for rows in query.batches(batch):
            found = [_ANY.dump_python(row, mode="json") for row in rows]
            yield _csv([["" if row[name] is None else row[name] for name in names] for row in found])

    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=_disposition(filename))


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _disposition(filename: str | None) -> dict[str, str]:
    return {} if filename is None else {"content-disposition": f"attachment; filename*=UTF-8''{quote(filename)}"}
