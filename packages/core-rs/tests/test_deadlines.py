"""What a deadline does to a statement: how it ends, and what its error says."""

import pytest

import data_bridge.core as core
from data_bridge.core import Database

DOORS = {
    "execute": lambda on: on.execute("SELECT 1", timeout=0),
    "fetch": lambda on: on.fetch("SELECT 1", timeout=0),
    "fetch_one": lambda on: on.fetch_one("SELECT 1", timeout=0),
    "fetch_val": lambda on: on.fetch_val("SELECT 1", timeout=0),
}


async def test_errors_of_a_deadline_name_the_statement(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with pytest.raises(core.QueryTimeout, match=r"took longer than 0\.05 s and was cancelled") as late:
            await db.fetch_val("SELECT pg_sleep(9)", timeout=0.05)
        assert (late.value.sqlstate, late.value.sql) == ("57014", "SELECT pg_sleep(9)")
        assert isinstance(late.value, core.DatabaseError) and isinstance(late.value, TimeoutError)
        with pytest.raises(core.DatabaseError) as wrong:
            await db.fetch_val("SELECT $1::text::int", "s3cret")
        assert "s3cret" not in str(wrong.value) and "s3cret" in wrong.value.message
        assert wrong.value.sqlstate == "22P02"


@pytest.mark.parametrize("door", DOORS)
async def test_no_time_is_a_timeout_even_when_the_answer_is_fast(postgres_dsn: str, door: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        assert await db.fetch_val("SELECT 1") == 1
        for _ in range(200):
            with pytest.raises(core.QueryTimeout):
                await DOORS[door](db)
        async with db.transaction() as tx:
            for _ in range(20):
                with pytest.raises(core.QueryTimeout):
                    await DOORS[door](tx)
            assert await tx.fetch_val("SELECT 1") == 1
        assert await db.fetch_val("SELECT 1") == 1
