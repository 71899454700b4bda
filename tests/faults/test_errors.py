"""What the server refuses has one class, all its fields, and no effect on anybody else."""

from __future__ import annotations

import asyncio
import time

import pytest

from data_bridge import core
from data_bridge.core import Database, DatabaseError, QueryCancelled, QueryTimeout, TransactionAborted

from .conftest import whole

CLASSES = {
    "02000": core.DatabaseError, "03000": core.DatabaseError, "08P01": core.DatabaseError, "09000": core.DatabaseError,
    "0A000": core.DatabaseError, "0B000": core.DatabaseError, "0F000": core.DatabaseError, "0L000": core.DatabaseError,
    "0P000": core.DatabaseError, "0Z000": core.DatabaseError, "20000": core.DatabaseError, "21000": core.DatabaseError,
    "22001": core.DatabaseError, "22012": core.DatabaseError, "23000": core.IntegrityError,
    "23502": core.NotNullViolation, "23503": core.ForeignKeyViolation, "23505": core.UniqueViolation,
    "23514": core.CheckViolation, "23P01": core.ExclusionViolation, "24000": core.DatabaseError,
    "25006": core.ReadOnlyError, "25P02": core.DatabaseError, "26000": core.DatabaseError, "27000": core.DatabaseError,
    "28000": core.DatabaseError, "2B000": core.DatabaseError, "2D000": core.DatabaseError, "2F000": core.DatabaseError,
    "34000": core.DatabaseError, "38000": core.DatabaseError, "39000": core.DatabaseError, "3B000": core.DatabaseError,
    "3D000": core.DatabaseError, "3F000": core.DatabaseError, "40001": core.SerializationFailure,
    "40P01": core.DeadlockDetected, "42000": core.SyntaxOrAccessError, "42601": core.SyntaxOrAccessError,
    "42703": core.UndefinedColumn, "42P01": core.UndefinedTable, "42501": core.SyntaxOrAccessError,
    "44000": core.DatabaseError, "53000": core.ServerResourceError, "53100": core.ServerResourceError,
    "53200": core.ServerResourceError, "53300": core.ServerResourceError, "54000": core.DatabaseError,
    "55000": core.DatabaseError, "55P03": core.LockNotAvailable, "57000": core.DatabaseError,
    "58000": core.DatabaseError, "58030": core.DatabaseError, "72000": core.DatabaseError, "F0000": core.DatabaseError,
    "HV000": core.DatabaseError, "P0001": core.DatabaseError, "P0002": core.DatabaseError, "XX000": core.DatabaseError,
    "ZZZZZ": core.DatabaseError,
}  # fmt: skip
"""At least one code of each class of the manual's appendix A that ends a statement, and one that nobody knows."""

RAISE = """DO $$ BEGIN RAISE 'the message' USING ERRCODE = '{}', DETAIL = 'the detail', HINT = 'the hint',
COLUMN = 'the column', CONSTRAINT = 'the constraint', DATATYPE = 'the type', TABLE = 'the table', SCHEMA = 'the schema';
END $$"""


@pytest.mark.fault("H1", "H2", "H4")
async def test_every_class(postgres_dsn: str) -> None:
    """Disk full (53100) and out of memory (53200) too: as the server tells them, without filling a disk."""
    async with Database(postgres_dsn, max_connections=4) as db:

        async def one(code: str, kind: type[DatabaseError]) -> None:
            with pytest.raises(DatabaseError) as caught:
                await db.execute(RAISE.format(code))
            e = caught.value
            assert type(e) is kind and e.sqlstate == code
            fields = (e.message, e.detail, e.hint, e.column, e.constraint, e.data_type, e.table, e.schema)
            wanted = ("message", "detail", "hint", "column", "constraint", "type", "table", "schema")
            assert fields == tuple(f"the {w}" for w in wanted)
            assert e.context is not None and "PL/pgSQL" in e.context
            assert e.severity == "ERROR" and code in str(e) and "the hint" in str(e)
            assert "the detail" not in str(e).partition("SQL:")[0], "it repeats values"

        # All at once: an error of one call never appears in another.
        await asyncio.gather(*(one(code, kind) for code, kind in CLASSES.items()))
        assert db.pool_stats().closed_broken == 0
        with pytest.raises(DatabaseError) as caught:
            await db.execute("SELECT nothing FROM pg_class")
        assert caught.value.position == 8
        await whole(db)


@pytest.mark.fault("H2")
async def test_timeouts_of_the_server(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script("DROP TABLE IF EXISTS locked; CREATE TABLE locked (a varchar(3) PRIMARY KEY)")
        async with db.transaction() as holder:
            await holder.execute("LOCK TABLE locked")
            for sql in ("SET LOCAL lock_timeout = '30ms'; SELECT * FROM locked", "LOCK TABLE locked NOWAIT"):
                with pytest.raises(core.LockNotAvailable):
                    async with core.detached(), db.transaction() as tx:
                        await tx.execute_script(sql)
        with pytest.raises(QueryCancelled) as by_server:
            async with db.transaction() as tx:
                await tx.set_local("statement_timeout", "30ms")
                await tx.execute("SELECT pg_sleep(20)")
        assert not isinstance(by_server.value, QueryTimeout), "the server's limit is told apart from the caller's"
        with pytest.raises(QueryTimeout):
            await db.execute("SELECT pg_sleep(20)", timeout=0.03)
        with pytest.raises(DatabaseError) as too_long:
            await db.execute("INSERT INTO locked VALUES ($1)", "four")
        assert too_long.value.sqlstate == "22001"
        assert db.pool_stats().closed_broken == 0
        await whole(db)
        await db.execute("DROP TABLE locked")


@pytest.mark.fault("H2", "H4")
async def test_deadlocks_and_serialization(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        await db.execute_script(
            "DROP TABLE IF EXISTS dl; CREATE TABLE dl (id int PRIMARY KEY, n int); INSERT INTO dl VALUES (1, 0), (2, 0)"
        )
        both_hold = asyncio.Barrier(2)

        async def crossing(first: int, second: int) -> str:
            try:
                async with db.transaction() as tx:
                    await tx.set_local("deadlock_timeout", "50ms")
                    await tx.execute("UPDATE dl SET n = n + 1 WHERE id = $1", first)
                    await both_hold.wait()
                    await tx.execute("UPDATE dl SET n = n + 1 WHERE id = $1", second)
            except core.DeadlockDetected as e:
                assert e.sqlstate == "40P01"
                return "deadlock"
            return "done"

        started = time.monotonic()
        assert sorted(await asyncio.gather(crossing(1, 2), crossing(2, 1))) == ["deadlock", "done"]
        assert time.monotonic() - started < 10
        assert await db.fetch("SELECT n FROM dl", as_=tuple) == [(1,), (1,)]

        async with db.transaction("repeatable read") as old:
            await old.fetch("SELECT * FROM dl")
            async with core.detached():
                await db.execute("UPDATE dl SET n = 9 WHERE id = 1")
            with pytest.raises(core.SerializationFailure):
                await old.execute("UPDATE dl SET n = 8 WHERE id = 1")
            await old.rollback()
        assert db.pool_stats().closed_broken == 0
        await whole(db)
        await db.execute("DROP TABLE dl")


@pytest.mark.fault("H3")
async def test_errors_that_come_late(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as db:
        seen = 0
        with pytest.raises(DatabaseError) as caught:
            async with db.stream("SELECT 1 / (900 - g) FROM generate_series(1, 2000) g", batch=100, as_=tuple) as rows:
                async for _ in rows:
                    seen += 1
        assert caught.value.sqlstate == "22012" and 700 <= seen < 900
        with pytest.raises(DatabaseError) as caught:
            await db.fetch("SELECT 1 / (900 - g) FROM generate_series(1, 2000) g")
        assert caught.value.sqlstate == "22012"
        with pytest.raises(DatabaseError) as caught:
            async for _ in db.copy_out("SELECT 1 / (90000 - g) FROM generate_series(1, 200000) g"):
                pass
        assert caught.value.sqlstate == "22012"
        await db.execute_script(
            "DROP TABLE IF EXISTS late; CREATE TABLE late (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        )
        with pytest.raises(core.UniqueViolation):  # of COMMIT
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO late VALUES (1), (1)")
        with pytest.raises(TransactionAborted):  # the error that was swallowed
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO late VALUES (2)")
                with pytest.raises(DatabaseError):
                    await tx.execute("SELECT 1 / 0")
        assert await db.fetch_val("SELECT count(*) FROM late") == 0
        await whole(db)
        await db.execute("DROP TABLE late")
