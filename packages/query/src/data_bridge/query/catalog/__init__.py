"""A live schema as definitions: queries over the system catalogs, and a pure reader of their rows.

Nothing here connects. The caller runs `queries` on its own connection and passes the rows, as tuples, to `read`::

    rows = {name: [tuple(row) for row in await fetch(statement)] for name, statement in queries().items()}
    schema = read(rows)

Objects of extensions are left out, like the indexes behind constraints and the sequences of identity columns: they
belong to what they are part of. Needs PostgreSQL 14 or newer.
"""

from .reader import Rows, Schema, Unmodelled, queries, read

__all__ = ["Rows", "Schema", "Unmodelled", "queries", "read"]
