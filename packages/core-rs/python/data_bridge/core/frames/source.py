"""A data frame as what COPY … FROM STDIN sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_bridge.core._native import FrameReader
from data_bridge.core.connection.copy import binary_copy
from data_bridge.core.connection.plans import TUPLES
from data_bridge.core.errors import ConfigurationError

# The modifiers of the numerics in composite types, and in domains over them: OID of the type, field, modifier.
_FIELDS = """
    WITH RECURSIVE based(oid, type, modifier) AS (
        SELECT oid, oid, -1 FROM pg_catalog.pg_type WHERE typtype IN ('b', 'c', 'd') UNION ALL
        SELECT b.oid, t.typbasetype, t.typtypmod FROM based b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
    ), final(oid, type, modifier) AS (
        SELECT oid, (pg_catalog.array_agg(type ORDER BY type))[1], pg_catalog.max(modifier) FROM based b
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = b.type AND t.typtype = 'd') GROUP BY oid
    )
    SELECT c.oid, a.attname, GREATEST(a.atttypmod, f.modifier) FROM final c
    JOIN pg_catalog.pg_type t ON t.oid = c.type AND t.typtype = 'c'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN final f ON f.oid = a.atttypid AND f.type IN (1700, 1231)
    WHERE GREATEST(a.atttypmod, f.modifier) >= 0
"""


class FrameSource:
    """The columns of an object with `__arrow_c_stream__`, each for the column of the table that has its name."""

    needs_types = True

    def __init__(self, data: Any) -> None:
        try:
            capsule = data.__arrow_c_stream__()
        except ImportError as e:  # pandas needs pyarrow for this
            kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
            raise ConfigurationError(f"copy_in() of a {kind} needs {e.name}: pip install {e.name}") from e
        self._frame = FrameReader(capsule)
        self._at: list[int] = []
        self.keys: list[str] = []

    def columns(
        self, table: str, known: Mapping[str, Any], columns: Sequence[str] | None, names: Mapping[str, str]
    ) -> list[str]:
        """The columns of the table that are written: `columns`, or those that the frame has.

        Args:
            table: its name, for messages.
            known: the columns that COPY can write.
            columns: which of them are written.
            names: the names of fields, by which a frame may call columns too, and their columns.

        Raises:
            ConfigurationError: a column that only one of the two has, or that the frame has twice.
        """
        places: dict[str, int] = {}
        for at, given in enumerate(self._frame.column_names):
            name = given if given in known else names.get(given, given)
            if columns is not None and name not in columns:
                continue
            if name not in known:
                raise ConfigurationError(
                    f"{table} has no column {given!r} that COPY can write; it has {', '.join(known)}. Leave it out of the data, "
                    "or say columns="
                )
            if name in places:
                raise ConfigurationError(f"the data has two columns for {table}.{name}")
            places[name] = at
        written = list(places if columns is None else columns)
        for name in written:
            if name not in known:
                raise ConfigurationError(
                    f"{table} has no column {name!r} that COPY can write; it has {', '.join(known)}"
                )
            if name not in places:
                raise ConfigurationError(
                    f"the data has no column {name!r}; it has {', '.join(self._frame.column_names)}"
                )
        if not written:
            raise ConfigurationError("the data has no columns")
        self._at = [places[name] for name in written]
        return written

    def statement(self, schema: str | None, table: str, columns: Sequence[str]) -> str:
        """The COPY."""
        return binary_copy(schema, table, columns)

    async def aim(
        self, lease: Any, described: Sequence[tuple[str, int, str, int]], asked: Any, *, nan_is_null: bool
    ) -> None:
        """Takes name, type (its OID) and modifier of each column that is written, and checks that the types fit.

        Raises:
            EncodeError: a column whose type does not take the data, with both types.
        """
        fields: list[tuple[int, str, int]] = []
        if self._frame.has_structs:
            fields = await lease.run(("text", _FIELDS), (), TUPLES)
        columns = [(name, oid, modifier, at) for (name, oid, _, modifier), at in zip(described, self._at, strict=True)]
        self._frame.aim(columns, asked, fields=fields, nan_is_null=nan_is_null)

    async def pour(self, writer: Any, op: Any) -> None:
        """Sends every row.

        Raises:
            EncodeError: a value that its column does not have, with row and column.
        """
        while (put := writer.put_frame(self._frame)) is not None:
            await put
            if op.done():
                break
        writer.finish(b"")
