"""A query or a table as a CSV file, which appears under its name when it is complete."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from pathlib import Path
from typing import Any

from data_bridge.core._native import quote_identifier
from data_bridge.core.connection.copy import CopyStream, table_name
from data_bridge.core.connection.csv_options import csv_options
from data_bridge.core.statement import HasStatement, compile

_NAME = re.compile(r'(?:"(?:[^"]|"")+"|[^\s".;()]+)(?:\.(?:"(?:[^"]|"")+"|[^\s".;()]+))?')


async def copy_out_csv(
    executor: Any,
    query: Any,
    path: str | os.PathLike[str],
    params: tuple[Any, ...],
    *,
    header: bool,
    delimiter: str,
    null: str,
) -> int:
    """COPY … TO STDOUT in CSV, into a file; returns its size in bytes.

    Raises:
        ConfigurationError: an option that CSV does not have.
        DatabaseError: when the server refuses the query.
        OSError: when the file cannot be written.
    """
    options = csv_options(header=header, delimiter=delimiter, null=null)
    sql, values = _query(query, params)
    target = Path(path)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    # Not in a thread, which would go on and leave the file when this is cancelled.
    file = open(part, "xb")  # noqa: ASYNC230, SIM115
    size = 0
    try:
        async with CopyStream(executor, sql, values, "csv", options) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
                size += len(chunk)
        # What is still in the buffer is written before the file has its name.
        await asyncio.to_thread(file.close)
        part.replace(target)
    except BaseException:
        file.close()
        part.unlink(missing_ok=True)
        raise
    return size


def _query(query: Any, params: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The SQL of a statement, of a text, or of all rows of a table, with its values."""
    is_name = isinstance(query, str) and _NAME.fullmatch(query) is not None
    if is_name or hasattr(query, "__table_def__"):
        schema, name = table_name(query, "copy_out_csv")
        return f"SELECT * FROM {'.'.join(quote_identifier(part) for part in (schema, name) if part)}", params
    if isinstance(query, str):
        return query, params
    if isinstance(query, HasStatement):
        compiled = compile(query)
        return compiled.sql, compiled.params
    raise TypeError(
        f"copy_out_csv() takes SQL, a query, the name of a table or a Table class, not {type(query).__name__}"
    )
