"""Policies follow every change of what they use, on a real server, there and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from migrate_schema_laws import operations_lead, two_databases

from data_bridge.query import ColumnDef, ConstraintDef, FunctionDef, PolicyDef, SQLType, TableDef, sql, types
from data_bridge.testing import EmbeddedServer


def table(
    *policies: PolicyDef, columns: tuple[ColumnDef, ...] = (), security: Any = "forced", **options: Any
) -> TableDef:
    name = options.pop("name", "t")
    own = columns or (col("a"),)
    key = ConstraintDef("primary_key", f"{name}_pkey", ("id",))
    return TableDef(
        name, (ColumnDef("id", types.BigInt, nullable=False), *own), constraints=(key,), policies=policies, row_security=security,
        **options,
    )  # fmt: skip


def col(name: str, of: SQLType = types.BigInt) -> ColumnDef:
    return ColumnDef(name, of)


def rows(using: str | None = "a > 0", name: str = "p", check: str | None = None, **options: Any) -> PolicyDef:
    return PolicyDef(
        name, using=None if using is None else sql(using), check=None if check is None else sql(check), **options
    )


F = FunctionDef("CREATE FUNCTION f(n bigint) RETURNS boolean LANGUAGE sql STABLE RETURN n > 0")
PLAIN = table(security=None)
STEPS: dict[str, tuple[list[Any], list[Any]]] = {
    "a policy comes": ([PLAIN], [table(rows())]),
    "a policy of a new table": ([], [table(rows())]),
    "security without a policy": ([PLAIN], [table()]),
    "security is not forced": ([table(rows())], [table(rows(), security="enabled")]),
    "security goes": ([table(rows())], [table(rows(), security=None)]),
    "another condition": ([table(rows())], [table(rows("a > 1"))]),
    "a check comes": ([table(rows())], [table(rows(check="a > 1"))]),
    "another check": ([table(rows(check="a > 0"))], [table(rows(check="a > 1"))]),
    "another command": ([table(rows(command="select"))], [table(rows(command="update"))]),
    "a command with a check alone": ([table(rows())], [table(rows(None, check="a > 0", command="insert"))]),
    "restrictive": ([table(rows())], [table(rows(restrictive=True))]),
    "roles": ([table(rows())], [table(rows(roles=("policy_a", 'Policy "b"')))]),
    "other roles": ([table(rows(roles=("policy_a",)))], [table(rows(roles=('Policy "b"',)))]),
    "a comment": ([table(rows())], [table(rows(comment="it's"))]),
    "a policy goes": ([table(rows(), rows(name="q", restrictive=True))], [table(rows())]),
    "a function in a condition": ([PLAIN], [table(rows("f(a)")), F]),
    "another body of a function in a condition": (
        [table(rows("f(a)")), F],
        [table(rows("f(a)")), FunctionDef("CREATE FUNCTION f(n bigint) RETURNS boolean LANGUAGE sql STABLE RETURN n > 1")],
    ),
    "a type below": ([table(rows())], [table(rows(), columns=(col("a", types.Integer),))]),
    "a type below a policy that hides": (
        [table(rows(), rows(name="q", restrictive=True))],
        [table(rows(), rows(name="q", restrictive=True), columns=(col("a", types.Integer),))],
    ),
    "a column below goes": (
        [table(rows("b > 0"), columns=(col("a"), col("b")))], [table(rows("a > 0"), columns=(col("a"),))],
    ),
    "a policy goes with its column": (
        [table(rows(), rows("b > 0", "q"), columns=(col("a"), col("b")))], [table(rows(), columns=(col("a"),))],
    ),
    "a table with a policy goes": ([PLAIN, table(rows(), name="u")], [PLAIN]),
}  # fmt: skip
RENAMES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "a column below": ([table(rows())], [table(rows("x > 0"), columns=(col("x"),))], ["t.a:x"]),
    "a table": ([table(rows())], [table(rows(), name="u")], ["t:u"]),
    "a table whose policy is made again": (
        [table(rows(command="select"))], [table(rows(command="update"), name="u", schema="shop")], ["t:shop.u"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_change_leads_there_and_back(step: str, lead: Any) -> None:
    old, new = STEPS[step]
    lead(old, new)
    lead(new, old)


@pytest.mark.parametrize("case", RENAMES)
def test_a_policy_follows_a_rename(case: str, lead: Any) -> None:
    old, new, renames = RENAMES[case]
    lead(old, new, renames=renames)


@pytest.mark.servers
def test_postgresql_15_does_the_same() -> None:
    async def run(dsn: str) -> None:
        async with two_databases(dsn) as place:
            for old, new in STEPS.values():
                await operations_lead(place, old, new)
                await operations_lead(place, new, old)
            for old, new, renames in RENAMES.values():
                await operations_lead(place, old, new, renames=renames)

    with EmbeddedServer(provider="local") as server:
        asyncio.run(run(server.dsn))
