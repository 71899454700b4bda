"""Scripts inside a transaction: what would end it is refused, and what stays inside runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data_bridge.core import ConfigurationError, Database, tenant

CONTROL = (
    "COMMIT",
    "SELECT 1; commit",
    "INSERT INTO t VALUES (1); ROLLBACK; INSERT INTO t VALUES (2)",
    "/* why */ BEGIN; SELECT 1; END",
    "SELECT 1;\n-- then\nABORT",
    "START TRANSACTION; SELECT 1",
    "ROLLBACK AND CHAIN",
    "PREPARE TRANSACTION 'x'",
    "CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; COMMIT",
)
NO_CONTROL = (
    "SAVEPOINT a; INSERT INTO t VALUES (1); ROLLBACK TO a; RELEASE a",
    "SAVEPOINT a; ROLLBACK WORK TO SAVEPOINT a",
    "SELECT 'COMMIT'; SELECT $$; ROLLBACK;$$",
    "CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT one()",
    "DO $$ BEGIN PERFORM 1; END $$",
    "PREPARE p AS SELECT 1; DEALLOCATE p",
    'CREATE TABLE "commit" ("end" int)',
)


@pytest.mark.parametrize("sql", CONTROL)
@pytest.mark.parametrize("where", ["transaction", "nested", "tenant"])
def test_a_script_does_not_end_the_transaction_around_it(run: Callable[..., Any], sql: str, where: str) -> None:
    async def test(db: Database) -> None:
        await db.execute_script("DROP TABLE IF EXISTS t; CREATE TABLE t (a int)")
        with pytest.raises(ConfigurationError, match="a script inside a transaction holds"):
            if where == "tenant":
                async with tenant("a"):
                    await db.execute_script(sql)
            else:
                async with db.transaction() as tx:
                    await tx.execute("INSERT INTO t VALUES (0)")
                    if where == "transaction":
                        await tx.execute_script(sql)
                    async with db.transaction():
                        await db.execute_script(sql)
        assert await db.fetch("SELECT * FROM t") == []

    run(test)


@pytest.mark.parametrize("sql", NO_CONTROL)
def test_a_script_may_hold_what_stays_inside(run: Callable[..., Any], sql: str) -> None:
    async def test(db: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as tx:
                await tx.execute_script("DROP TABLE IF EXISTS t; CREATE TABLE t (a int)")
                await tx.execute_script(sql)
                assert tx.is_active
                raise ZeroDivisionError

    run(test)


def test_outside_of_a_transaction_a_script_may_have_its_own(run: Callable[..., Any]) -> None:
    async def test(db: Database) -> None:
        await db.execute_script("DROP TABLE IF EXISTS t; CREATE TABLE t (a int)")
        await db.execute_script("BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); ROLLBACK")
        assert await db.fetch("SELECT a FROM t", as_=tuple) == [(1,)]

    run(test)
