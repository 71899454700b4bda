"""What runs statements: Database, Transaction, the sandbox of a test."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeAlias, TypeVar, overload

from data_bridge.core._native import LoadPlan
from data_bridge.core.call_site import call_site
from data_bridge.core.connection.context import Consistency, open_transaction
from data_bridge.core.connection.plans import COUNT, DICT, DICTS, TUPLE, TUPLES, VALUE
from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from os import PathLike

    from data_bridge.core.connection.notifications import Gap, Notification
    from data_bridge.core.connection.streams import RowStream
    from data_bridge.core.frames.arrow import ArrowNumeric, ArrowStream
    from data_bridge.core.frames.table import ArrowStreamable, ArrowTable
    from data_bridge.core.transactions.block import TransactionBlock
    from data_bridge.core.transactions.transaction import Transaction

V = TypeVar("V")
CsvData: TypeAlias = "str | PathLike[str] | bytes | BinaryIO | AsyncIterable[bytes]"
"""Where a CSV comes from: a path, bytes, a file, or an asynchronous stream of bytes."""


class Executor(Protocol):
    """What runs statements. Methods may be added, never removed or changed; implementers subclass `BaseExecutor`."""

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement; the plan says what its rows become."""
        ...

    async def run_arrow(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        *,
        numeric: ArrowNumeric = "text",
        names: Sequence[str] = (),
        timeout: float | None = None,
    ) -> ArrowTable:
        """Runs a statement; its rows become columns of Arrow."""
        ...

    async def execute(self, sql: str, *params: Any, timeout: float | None = None) -> int:
        """The number of rows affected."""
        ...

    async def fetch_val(self, sql: str, *params: Any, timeout: float | None = None) -> Any:
        """The first column of the first row; None without a row."""
        ...

    async def execute_script(self, sql: str) -> None:
        """Several statements in one text, without parameters."""
        ...

    def at(self, level: Consistency) -> Executor:
        """The executor for reads of a level of consistency."""
        ...


def _plan(as_: Any, default: LoadPlan, *, many: bool) -> LoadPlan:
    if as_ is dict:
        return default  # by far the most frequent: a look for an attribute that is not there costs an exception
    # A class that maps a table knows what its columns have to hold, and says so once for each statement.
    own: Any = getattr(as_, "__row_plan__", None)
    plan: LoadPlan = default if own is None else own(many)
    return plan


def _instances(as_: type[V], rows: list[dict[str, Any]]) -> list[V]:
    # A class that maps a table knows its columns better than its validator does.
    load: Any = getattr(as_, "__from_rows__", None)
    if load is not None:
        loaded: list[V] = load(rows)
        return loaded
    validate = getattr(as_, "model_validate", None)
    if validate is not None:
        return [validate(r) for r in rows]
    if hasattr(as_, "__dataclass_fields__"):
        return [as_(**r) for r in rows]
    raise ConfigurationError(f"as_= takes dict, tuple, a Pydantic model or a dataclass, not {as_!r}")


class BaseExecutor:
    """Raw SQL over `run`. Parameters are $1, $2 …; values are bound, never interpolated.

    Inside a transaction of this database, all methods join it; `detached` is the way out.
    """

    is_transaction = False
    command_timeout: float | None = None

    def run(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        plan: LoadPlan,
        into: object = None,
        *,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Starts a statement; the plan says what its rows become."""
        raise TypeError(f"{type(self).__name__} must define run()")

    async def run_arrow(
        self,
        ir: tuple[Any, ...],
        params: tuple[Any, ...],
        *,
        numeric: ArrowNumeric = "text",
        names: Sequence[str] = (),
        timeout: float | None = None,
    ) -> ArrowTable:
        """Runs a statement; its rows become columns of Arrow, called `names` or as the server calls them."""
        from data_bridge.core.frames.arrow import arrow_of

        return await arrow_of(self, ir, params, numeric, names=names, timeout=timeout)

    def _joined(self) -> Any:
        """What runs a statement here: this context's open transaction of this database, else the executor itself."""
        return open_transaction(self) or self

    def at(self, level: Consistency) -> Executor:
        """This executor for reads of a level of consistency; itself, where there are no replicas to choose from."""
        return self

    def reading(self, described: Any) -> Any:
        """The executor for the cursor of a query: a replica, where there is one that may serve it."""
        return self

    def instead(self, error: BaseException) -> bool:
        """Whether another server may answer what this one did not."""
        return False

    def only_reads(self, described: Any) -> bool:
        """Whether a statement may run in a read-only transaction, as far as is known."""
        return False

    def wrote(self) -> None:
        """Takes note that a write outside of a transaction has ended."""

    async def run_with_settings(
        self, ir: tuple[Any, ...], params: tuple[Any, ...], plan: LoadPlan, into: object, timeout: float | None
    ) -> Any:
        """Runs a statement in a transaction of its own, which begins with the settings of tenant()."""
        described = plan.describe(ir)
        described.refuse_locks()
        async with await self.begin_alone(timeout, read_only=self.only_reads(described)) as transaction:
            return await transaction.run(ir, params, plan, into)

    async def script_with_settings(self, sql: str) -> int:
        """Runs several statements in a transaction of their own, which begins with the settings of tenant()."""
        async with await self.begin_alone() as transaction:
            return await transaction.script(sql)

    async def begin_alone(self, timeout: float | None = None, *, read_only: bool = False) -> Transaction:
        """Begins a transaction that no other statement of the context joins.

        Args:
            timeout: seconds for the whole of it; by default those of a statement.
            read_only: refuse writes.
        """
        from data_bridge.core.transactions.begin import begin

        timeout = self.command_timeout if timeout is None else timeout
        return await begin(self, None, read_only, False, timeout, call_site())

    def script(self, sql: str) -> Awaitable[int]:
        """Starts several statements by the simple protocol; returns the affected rows."""
        raise TypeError(f"{type(self).__name__} must define script()")

    async def execute(self, sql: str, *params: Any, timeout: float | None = None) -> int:
        """Runs one statement and returns the number of affected rows.

        Raises:
            DatabaseError: when the server refuses it.
            EncodeError: when a value does not fit its parameter.
        """
        count: int = await self._joined().run(("text", sql), params, COUNT, timeout=timeout)
        return count

    @overload
    async def fetch(self, sql: str, *params: Any, timeout: float | None = None) -> list[dict[str, Any]]: ...
    @overload
    async def fetch(
        self, sql: str, *params: Any, as_: type[tuple[Any, ...]], timeout: float | None = None
    ) -> list[tuple[Any, ...]]: ...
    @overload
    async def fetch(self, sql: str, *params: Any, as_: type[V], timeout: float | None = None) -> list[V]: ...
    async def fetch(self, sql: str, *params: Any, as_: Any = dict, timeout: float | None = None) -> Any:
        """Runs a query and returns all rows: as dicts, tuples, instances of a Pydantic model or of a dataclass.

        Raises:
            DatabaseError: when the server refuses it.
            DecodeError: when a value has no Python form, or two columns have one name.
        """
        if as_ is tuple:
            return await self._joined().run(("text", sql), params, TUPLES, timeout=timeout)
        plan = _plan(as_, DICTS, many=True)
        rows = await self._joined().run(("text", sql), params, plan, timeout=timeout)
        return rows if as_ is dict else _instances(as_, rows)

    @overload
    async def fetch_one(self, sql: str, *params: Any, timeout: float | None = None) -> dict[str, Any] | None: ...
    @overload
    async def fetch_one(
        self, sql: str, *params: Any, as_: type[tuple[Any, ...]], timeout: float | None = None
    ) -> tuple[Any, ...] | None: ...
    @overload
    async def fetch_one(self, sql: str, *params: Any, as_: type[V], timeout: float | None = None) -> V | None: ...
    async def fetch_one(self, sql: str, *params: Any, as_: Any = dict, timeout: float | None = None) -> Any:
        """Returns the first row, or None. The server sends every row: write `LIMIT 1` where there may be many."""
        if as_ is tuple:
            return await self._joined().run(("text", sql), params, TUPLE, timeout=timeout)
        plan = _plan(as_, DICT, many=False)
        row = await self._joined().run(("text", sql), params, plan, timeout=timeout)
        return row if as_ is dict or row is None else _instances(as_, [row])[0]

    async def fetch_val(self, sql: str, *params: Any, timeout: float | None = None) -> Any:
        """The first column of the first row; None without a row."""
        return await self._joined().run(("text", sql), params, VALUE, timeout=timeout)

    async def execute_script(self, sql: str) -> None:
        """Runs several statements, without parameters, in one implicit transaction."""
        await self._joined().script(sql)

    @overload
    def stream(self, sql: str, *params: Any, batch: int = 1000) -> RowStream[dict[str, Any]]: ...
    @overload
    def stream(
        self, sql: str, *params: Any, as_: type[tuple[Any, ...]], batch: int = 1000
    ) -> RowStream[tuple[Any, ...]]: ...
    @overload
    def stream(self, sql: str, *params: Any, as_: type[V], batch: int = 1000) -> RowStream[V]: ...
    def stream(self, sql: str, *params: Any, as_: Any = dict, batch: int = 1000) -> Any:
        """Rows by a cursor on the server, `batch` at a time, in bounded memory."""
        from data_bridge.core.connection.streams import RowStream

        plan = TUPLES if as_ is tuple else _plan(as_, DICTS, many=True)

        def convert(rows: list[Any]) -> list[Any]:
            return _instances(as_, rows)

        return RowStream(self._joined(), sql, params, plan, batch, None if as_ in (tuple, dict) else convert)

    async def fetch_arrow(
        self, sql: str, *params: Any, numeric: ArrowNumeric = "text", timeout: float | None = None
    ) -> ArrowTable:
        """Runs a query; returns its rows as columns of Arrow, which no Python object is made for.

        Args:
            sql: the query, with parameters as $1, $2 ….
            params: their values.
            numeric: what a numeric without a declared precision becomes: `"text"`, `"float"`, or `(precision, scale)`.
            timeout: seconds after which the statement is cancelled.

        Raises:
            DatabaseError: when the server refuses it.
            DecodeError: a column has a type or a value that Arrow does not have, or two columns have one name.
        """
        table: ArrowTable = await self._joined().run_arrow(("text", sql), params, numeric=numeric, timeout=timeout)
        return table

    def stream_arrow(self, sql: str, *params: Any, batch: int = 65_536, numeric: ArrowNumeric = "text") -> ArrowStream:
        """Tables of at most `batch` rows by a cursor on the server, in bounded memory; options as for fetch_arrow().

        A query without rows returns one table, which has the columns.
        """
        from data_bridge.core.frames.arrow import ArrowStream

        return ArrowStream(self._joined(), sql, params, batch, numeric)

    async def notify(self, channel: str, payload: str = "") -> None:
        """Sends a notification; inside a transaction it is delivered at COMMIT."""
        await self._joined().run(("text", "SELECT pg_catalog.pg_notify($1, $2)"), (channel, payload), COUNT)

    def listen(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[Notification | Gap]]:
        """Notifications of these channels, on a connection of its own."""
        from data_bridge.core.connection.notifications import listen_on

        return listen_on(getattr(self, "database", self), channels)

    def copy_in(
        self,
        table: Any,
        rows: Iterable[Any] | AsyncIterable[Any] | ArrowStreamable,
        *,
        columns: Sequence[str] | None = None,
        nulls: Literal["none", "nan"] = "none",
    ) -> Awaitable[int]:
        """COPY … FROM STDIN in binary, of rows or of a data frame; returns the number of rows.

        See `data_bridge.core.connection.copy`.
        """
        from data_bridge.core.connection.copy import copy_in

        return copy_in(self._joined(), table, rows, columns, nulls)

    def copy_out(
        self,
        sql: str,
        *params: Any,
        format: Literal["csv", "text", "binary"] = "csv",  # noqa: A002 - what COPY calls it
    ) -> AsyncIterator[bytes]:
        """COPY (query) TO STDOUT, in chunks. See `data_bridge.core.connection.copy`."""
        from data_bridge.core.connection.copy import copy_out

        return copy_out(self._joined(), sql, params, format)

    async def copy_in_csv(
        self,
        table: Any,
        source: CsvData,
        *,
        header: bool = True,
        delimiter: str = ",",
        null: str = "",
        columns: Sequence[str] | None = None,
    ) -> int:
        """Writes a CSV into a table by COPY; all lines or none. Returns the number of rows.

        Args:
            table: the name of a table, or a Table class.
            source: a path, bytes, a file or an asynchronous stream of bytes, in UTF-8.
            header: whether the first line names the columns, in any order; without it, the lines have all columns in the
                order of the table.
            delimiter: the character between values.
            null: the text that stands for NULL where it is not quoted.
            columns: the columns of the lines in their order, whatever the first line calls them.

        Raises:
            ConfigurationError: an option that CSV does not have, or a column that the table does not have.
            DatabaseError: a line that the server does not take; a note of the error names line and column.
        """
        from data_bridge.core.connection.csv_in import copy_in_csv

        return await copy_in_csv(
            self._joined(), table, source, header=header, delimiter=delimiter, null=null, columns=columns
        )

    async def copy_out_csv(
        self,
        query: Any,
        path: str | PathLike[str],
        *params: Any,
        header: bool = True,
        delimiter: str = ",",
        null: str = "",
    ) -> int:
        """Writes a query or a table into a CSV file by COPY; returns its size in bytes.

        The file has its name when it is complete, in place of an older one: after an error or a cancellation nothing of it is
        left.

        Args:
            query: SQL, a query, the name of a table, or a Table class.
            path: where the file goes.
            params: the values of $1, $2 … of SQL.
            header: whether the first line names the columns.
            delimiter: the character between values.
            null: the text for NULL.

        Raises:
            ConfigurationError: an option that CSV does not have.
            DatabaseError: when the server refuses the query.
            OSError: when the file cannot be written.
        """
        from data_bridge.core.connection.csv_out import copy_out_csv

        return await copy_out_csv(self._joined(), query, path, params, header=header, delimiter=delimiter, null=null)

    def transaction(self, isolation: Any = None, **options: Any) -> TransactionBlock:
        """A transaction on this executor; options as for pg_transaction()."""
        from data_bridge.core.transactions.block import pg_transaction

        return pg_transaction(isolation, using=self, **options)
