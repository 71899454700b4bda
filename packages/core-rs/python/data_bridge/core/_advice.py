"""What to do about an error of the server that comes from how statements are sent, where the server has no hint."""

from __future__ import annotations


def advice(sqlstate: str, message: str) -> str | None:
    """Returns the hint for an error, or None."""
    if sqlstate in ("26000", "42P05", "08P01") and '"sqlx_s_' in message:
        # The library's own statement is not where it was prepared, or another's is there.
        return (
            "behind a pool of transactions (PgBouncer with pool_mode = transaction) sessions change: use "
            "statement_cache_size=0, or max_prepared_statements of PgBouncer 1.21 and later"
        )
    if sqlstate == "42883" and message.startswith("no binary output function"):
        return "cast the column in SQL: column::text"
    if sqlstate == "26000" and message.startswith("unnamed"):
        return "a type of its columns was created again after this connection had met the statement: run it again"
    if sqlstate == "0A000" and "cached plan" in message:
        return (
            "a table changed after this statement was prepared, and its transaction cannot go on: run the transaction again, "
            "or name the columns instead of *"
        )
    return None
