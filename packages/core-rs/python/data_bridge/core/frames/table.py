"""ArrowTable: a result as columns of Arrow, for every library that reads them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from data_bridge.core.errors import ConfigurationError

if TYPE_CHECKING:
    from data_bridge.core._native import Frame


class ArrowStreamable(Protocol):
    """A data frame: what has the method of the Arrow PyCapsule interface for streams."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Returns the capsule of a stream of record batches."""
        ...


class ArrowTable:
    """The rows of a result as columns of Arrow; made by `fetch_arrow`, `stream_arrow` and `arrow()` of a query.

    It has the methods of the Arrow PyCapsule interface, so that libraries of data frames take it as it is, without copies:
    `polars.DataFrame(table)`, `pyarrow.table(table)`.

    >>> import asyncio
    >>> from data_bridge.core import close, fetch_arrow, init
    >>> async def main() -> None:
    ...     await init("embedded:")  # or postgresql://user:password@host/database
    ...     table = await fetch_arrow("SELECT n, n * n AS square FROM generate_series(1, 3) AS n")
    ...     print(table.column_names, len(table))
    ...     await close()
    >>> asyncio.run(main())
    ['n', 'square'] 3
    """

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Returns the capsule of a stream of record batches, which share their buffers with the table."""
        return self._frame.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        """Returns the capsule of the schema."""
        return self._frame.__arrow_c_schema__()

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<ArrowTable of {len(self)} rows: {', '.join(self.column_names)}>"

    @property
    def column_names(self) -> list[str]:
        """The names of the columns in their order."""
        return self._frame.column_names

    @property
    def nbytes(self) -> int:
        """The size of the buffers in bytes."""
        return self._frame.nbytes

    def to_pyarrow(self) -> Any:
        """Returns a `pyarrow.Table` that shares the buffers.

        Raises:
            ConfigurationError: pyarrow is not installed.
        """
        return _library("pyarrow", "to_pyarrow()").table(self)

    def to_polars(self) -> Any:
        """Returns a `polars.DataFrame`.

        Raises:
            ConfigurationError: polars is not installed.
        """
        return _library("polars", "to_polars()").DataFrame(self)

    def to_pandas(self) -> Any:
        """Returns a `pandas.DataFrame` whose columns keep the types of Arrow, so that NULL stays apart from NaN.

        Raises:
            ConfigurationError: pandas or pyarrow is not installed.
        """
        pandas = _library("pandas", "to_pandas()")
        return _library("pyarrow", "to_pandas()").table(self).to_pandas(types_mapper=pandas.ArrowDtype)


def _library(name: str, method: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as e:
        if e.name != name:
            raise
        raise ConfigurationError(f"{method} needs {name}, which is not installed: pip install {name}") from e
