"""Names in the text of statements mean what they mean to the server."""

from typing import Any

import pytest

from data_bridge.core import ConfigurationError
from data_bridge.migrate import Migration, run_migrations
from data_bridge.migrate._sql_names import quote_path
from data_bridge.postgres import execute_script, fetch_val

ODD = ["plain", 'with "quotes"', "it's", "Spaß x", "back\\slash", "semi;colon", "-- c", "x" * 63]


@pytest.mark.parametrize("name", ODD)
async def test_every_operation_takes_any_name(isolated_db: Any, name: str) -> None:
    class Odd(Migration):
        version = "1"

        async def up(self) -> None:
            await self.create_table(name, {"id": "bigint PRIMARY KEY", name[:30]: "int"})

    class Changed(Migration):
        version = "2"

        async def up(self) -> None:
            await self.alter_column(name, name[:30], nullable=False)
            await self.backfill(name, '"id" = "id"', where="true", key="id")

    await run_migrations([Odd, Changed], using=isolated_db)
    assert await fetch_val("SELECT count(*) FROM pg_class WHERE relname = $1", name) == 1


async def test_a_name_that_the_server_cuts_is_found_by_a_plan(isolated_db: Any) -> None:
    long = "y" * 70
    await execute_script(
        f"CREATE TABLE {long} (a int); INSERT INTO {long} SELECT generate_series(1, 10); ANALYZE {long}"
    )

    class Long(Migration):
        version = "1"

        async def up(self) -> None:
            await self.execute(f"ALTER TABLE {long} ALTER a TYPE bigint")

    plan: Any = await run_migrations([Long], dry_run=True, using=isolated_db)
    assert [t.rows for step in plan.steps for t in step.touched] == [10]
    assert quote_path(f"s.{long}") == f'"s"."{"y" * 63}"'


def test_what_no_name_can_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be an identifier"):
        quote_path("a..b")


@pytest.mark.parametrize("timeout", ["5s'; DROP TABLE t; --", "\\'"])
async def test_a_timeout_is_a_value(isolated_db: Any, timeout: str) -> None:
    await execute_script("CREATE TABLE t (a int)")

    class Limited(Migration):
        version = "1"
        statement_timeout = timeout

        async def up(self) -> None:
            await self.execute("SELECT 1")

    with pytest.raises(Exception, match="statement_timeout"):
        await run_migrations([Limited], using=isolated_db)
    assert await fetch_val("SELECT count(*) FROM t") == 0
