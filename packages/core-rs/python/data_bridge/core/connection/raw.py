"""Raw SQL on the current database; joins the current transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from data_bridge.core.connection.context import resolve
from data_bridge.core.connection.notifications import Gap, Notification, listen_on
from data_bridge.core.connection.streams import RowStream

if TYPE_CHECKING:
    from os import PathLike

    from data_bridge.core.connection.executor import CsvData
    from data_bridge.core.frames.arrow import ArrowNumeric, ArrowStream
    from data_bridge.core.frames.table import ArrowStreamable, ArrowTable

V = TypeVar("V")


def _on(using: Any) -> Any:
    return resolve(using)


async def execute(sql: str, *params: Any, timeout: float | None = None, using: Any = None) -> int:
    """Runs one statement; returns the number of affected rows.

    >>> import asyncio
    >>> from data_bridge.core import close, execute, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     await execute("CREATE TABLE users (id int, name text)")
    ...     print(await execute("INSERT INTO users VALUES ($1, $2)", 1, "Ann"))
    ...     await close()
    >>> asyncio.run(main())
    1
    """
    count: int = await _on(using).execute(sql, *params, timeout=timeout)
    return count


@overload
async def fetch(sql: str, *params: Any, timeout: float | None = None, using: Any = None) -> list[dict[str, Any]]: ...
@overload
async def fetch(
    sql: str, *params: Any, as_: type[tuple[Any, ...]], timeout: float | None = None, using: Any = None
) -> list[tuple[Any, ...]]: ...
@overload
async def fetch(sql: str, *params: Any, as_: type[V], timeout: float | None = None, using: Any = None) -> list[V]: ...
async def fetch(sql: str, *params: Any, as_: Any = dict, timeout: float | None = None, using: Any = None) -> Any:
    """Runs a query; returns all rows as dicts, tuples, or instances of a Pydantic model or dataclass.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     print(await fetch("SELECT n, n * n AS square FROM generate_series(1, $1) AS n", 2))
    ...     await close()
    >>> asyncio.run(main())
    [{'n': 1, 'square': 1}, {'n': 2, 'square': 4}]
    """
    return await _on(using).fetch(sql, *params, as_=as_, timeout=timeout)


@overload
async def fetch_one(
    sql: str, *params: Any, timeout: float | None = None, using: Any = None
) -> dict[str, Any] | None: ...
@overload
async def fetch_one(
    sql: str, *params: Any, as_: type[tuple[Any, ...]], timeout: float | None = None, using: Any = None
) -> tuple[Any, ...] | None: ...
@overload
async def fetch_one(
    sql: str, *params: Any, as_: type[V], timeout: float | None = None, using: Any = None
) -> V | None: ...
async def fetch_one(sql: str, *params: Any, as_: Any = dict, timeout: float | None = None, using: Any = None) -> Any:
    """Returns the first row, or None without one.

    The server sends every row of the query, and the others are thrown away: write `LIMIT 1` where there may be many.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch_one, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     print(await fetch_one("SELECT $1::int + 1 AS next", 1))
    ...     await close()
    >>> asyncio.run(main())
    {'next': 2}
    """
    return await _on(using).fetch_one(sql, *params, as_=as_, timeout=timeout)


async def fetch_val(sql: str, *params: Any, timeout: float | None = None, using: Any = None) -> Any:
    """Returns the first column of the first row; None without a row. As for `fetch_one`, the server sends every row.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch_val, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     print(await fetch_val("SELECT count(*) FROM generate_series(1, 3)"))
    ...     await close()
    >>> asyncio.run(main())
    3
    """
    return await _on(using).fetch_val(sql, *params, timeout=timeout)


async def execute_script(sql: str, *, using: Any = None) -> None:
    """Runs several statements, without parameters."""
    await _on(using).execute_script(sql)


@overload
def stream(sql: str, *params: Any, batch: int = 1000, using: Any = None) -> RowStream[dict[str, Any]]: ...
@overload
def stream(
    sql: str, *params: Any, as_: type[tuple[Any, ...]], batch: int = 1000, using: Any = None
) -> RowStream[tuple[Any, ...]]: ...
@overload
def stream(sql: str, *params: Any, as_: type[V], batch: int = 1000, using: Any = None) -> RowStream[V]: ...
def stream(sql: str, *params: Any, as_: Any = dict, batch: int = 1000, using: Any = None) -> Any:
    """Rows by a cursor on the server, `batch` at a time, in bounded memory."""
    return _on(using).stream(sql, *params, as_=as_, batch=batch)


async def fetch_arrow(
    sql: str, *params: Any, numeric: ArrowNumeric = "text", timeout: float | None = None, using: Any = None
) -> ArrowTable:
    """Runs a query; returns its rows as columns of Arrow, which no Python object is made for.

    `numeric` says what a numeric without a declared precision becomes: `"text"`, `"float"`, or `(precision, scale)`.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch_arrow, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     table = await fetch_arrow("SELECT n FROM generate_series(1, $1) AS n", 3)
    ...     print(table)
    ...     await close()
    >>> asyncio.run(main())
    <ArrowTable of 3 rows: n>
    """
    return await _on(using).fetch_arrow(sql, *params, numeric=numeric, timeout=timeout)  # type: ignore[no-any-return]


def stream_arrow(
    sql: str, *params: Any, batch: int = 65_536, numeric: ArrowNumeric = "text", using: Any = None
) -> ArrowStream:
    """Tables of at most `batch` rows by a cursor on the server, in bounded memory; options as for fetch_arrow()."""
    return _on(using).stream_arrow(sql, *params, batch=batch, numeric=numeric)  # type: ignore[no-any-return]


async def copy_in(
    table: Any,
    rows: Iterable[Any] | AsyncIterable[Any] | ArrowStreamable,
    *,
    columns: Sequence[str] | None = None,
    nulls: Literal["none", "nan"] = "none",
    using: Any = None,
) -> int:
    """COPY … FROM STDIN in binary; returns the number of rows.

    `rows` are sequences, mappings or instances, or a data frame: an object with `__arrow_c_stream__`, whose columns are found by
    their names. `nulls="nan"` also writes NULL for what data frames put where a value is missing: NaN, NaT and `pandas.NA`.
    """
    count: int = await _on(using).copy_in(table, rows, columns=columns, nulls=nulls)
    return count


async def copy_in_csv(
    table: Any,
    source: CsvData,
    *,
    header: bool = True,
    delimiter: str = ",",
    null: str = "",
    columns: Sequence[str] | None = None,
    using: Any = None,
) -> int:
    """Writes a CSV (a path, bytes, a file or an asynchronous stream) into a table by COPY; returns the number of rows.

    The first line names the columns, in any order; `header=False` says that there is none, and `columns=` names them
    instead.

    >>> import asyncio
    >>> from data_bridge.core import close, copy_in_csv, execute, fetch, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     await execute("CREATE TABLE city (name text, size int)")
    ...     print(await copy_in_csv("city", b"size;name\\n126;Ulm\\n336;Bonn\\n", delimiter=";"))
    ...     await close()
    >>> asyncio.run(main())
    2
    """
    count: int = await _on(using).copy_in_csv(
        table, source, header=header, delimiter=delimiter, null=null, columns=columns
    )
    return count


async def copy_out_csv(
    query: Any,
    path: str | PathLike[str],
    *params: Any,
    header: bool = True,
    delimiter: str = ",",
    null: str = "",
    using: Any = None,
) -> int:
    """Writes SQL, a query or a table into a CSV file by COPY; returns its size in bytes.

    The file has its name when it is complete: after an error or a cancellation nothing of it is left.
    """
    size: int = await _on(using).copy_out_csv(query, path, *params, header=header, delimiter=delimiter, null=null)
    return size


def copy_out(
    sql: str,
    *params: Any,
    format: Literal["csv", "text", "binary"] = "csv",  # noqa: A002 - what COPY calls it
    using: Any = None,
) -> AsyncIterator[bytes]:
    """COPY (query) TO STDOUT, in chunks."""
    chunks: AsyncIterator[bytes] = _on(using).copy_out(sql, *params, format=format)
    return chunks


@asynccontextmanager
async def listen(*channels: str, using: Any = None) -> AsyncGenerator[AsyncIterator[Notification | Gap]]:
    """Notifications of these channels, on a connection of its own; a reconnect yields a Gap.

    >>> import asyncio
    >>> from data_bridge.core import close, init, listen, notify
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     async with listen("orders") as notifications:
    ...         await notify("orders", "42")
    ...         async for n in notifications:
    ...             print(n.channel, n.payload)
    ...             break
    ...     await close()
    >>> asyncio.run(main())
    orders 42
    """
    executor = resolve(using)
    async with listen_on(getattr(executor, "database", executor), channels) as notifications:
        yield notifications


async def notify(channel: str, payload: str = "", *, using: Any = None) -> None:
    """Sends a notification; inside a transaction it is delivered at COMMIT."""
    await _on(using).notify(channel, payload)
