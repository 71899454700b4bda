"""Which server a statement goes to: every door, every kind of statement, every level."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from replication_kit import settled

from data_bridge.core import (
    AtLevel,
    ConfigurationError,
    Database,
    DatabaseError,
    ReplicatedDatabase,
    begin_transaction,
    consistency,
    detached,
    fetch_val,
    init,
    pg_transaction,
    read_your_writes,
    resolve,
    tenant,
    use_database,
)
from data_bridge.testing import EmbeddedCluster

WHERE = "SELECT pg_is_in_recovery()"
Read = Callable[[Any], Awaitable[bool]]


async def stream(db: Any) -> bool:
    return (await anext(db.stream(WHERE, as_=tuple)))[0]  # type: ignore[no-any-return]


async def stream_arrow(db: Any) -> bool:
    return (await anext(db.stream_arrow(f"{WHERE} AS r"))).to_pyarrow()["r"][0].as_py()  # type: ignore[no-any-return]


async def fetch_arrow(db: Any) -> bool:
    return (await db.fetch_arrow(f"{WHERE} AS r")).to_pyarrow()["r"][0].as_py()  # type: ignore[no-any-return]


async def fetch(db: Any) -> bool:
    return (await db.fetch(WHERE, as_=tuple))[0][0]  # type: ignore[no-any-return]


async def fetch_one(db: Any) -> bool:
    return (await db.fetch_one(WHERE, as_=tuple))[0]  # type: ignore[no-any-return]


async def fetch_value(db: Any) -> bool:
    return await db.fetch_val(WHERE)  # type: ignore[no-any-return]


async def in_a_reading_transaction(db: Any) -> bool:
    async with db.transaction(read_only=True), pg_transaction():
        return await fetch_val(WHERE)  # type: ignore[no-any-return]


async def for_a_tenant(db: Any) -> bool:
    async with tenant("acme"):
        found = await db.fetch_one(f"{WHERE}, current_setting('app.tenant')", as_=tuple)
    assert found[1] == "acme"
    return found[0]  # type: ignore[no-any-return]


READS: dict[str, Read] = {
    f.__name__: f
    for f in (fetch, fetch_one, fetch_value, stream, stream_arrow, fetch_arrow, in_a_reading_transaction, for_a_tenant)
}
Write = Callable[[Any], Awaitable[Any]]


async def committed(db: Any) -> None:
    async with db.transaction():
        await fetch_val("SELECT put(1)")


async def committed_inside(db: Any) -> None:
    async with db.transaction(), pg_transaction():
        await db.execute("INSERT INTO routed VALUES (1)")


async def committed_copy(db: Any) -> None:
    async with db.transaction() as tx:
        await tx.copy_in("routed", [(1,)])


async def committed_script(db: Any) -> None:
    async with db.transaction() as tx:
        await tx.execute_script("INSERT INTO routed VALUES (1)")


async def copied_out(db: Any) -> None:
    assert b"".join([c async for c in db.copy_out("INSERT INTO routed VALUES (2) RETURNING n")]) == b"2\n"


WRITES: dict[str, Write] = {
    "execute": lambda db: db.execute("INSERT INTO routed VALUES (1)"),
    "fetch": lambda db: db.fetch("UPDATE routed SET n = n RETURNING n"),
    "cte": lambda db: db.fetch("WITH x AS (DELETE FROM routed RETURNING n) SELECT * FROM x"),
    "script": lambda db: db.execute_script("INSERT INTO routed VALUES (1); SELECT 1"),
    "copy_in": lambda db: db.copy_in("routed", [(1,)]),
    "copy_in_csv": lambda db: db.copy_in_csv("routed", b"n\n5\n"),
    "copy_out": copied_out,
    "function": lambda db: db.fetch_val("SELECT put(3)"),
    "sequence": lambda db: db.fetch_val("SELECT nextval('routed_numbers')"),
    "transaction": committed,
    "nested block": committed_inside,
    "COPY in a transaction": committed_copy,
    "script in a transaction": committed_script,
    "notify": lambda db: db.notify("routed", "x"),
    "row locks": lambda db: db.fetch("SELECT n FROM routed FOR UPDATE"),
    "advisory lock": lambda db: db.fetch_val("SELECT pg_advisory_lock(7)"),
}


@pytest.fixture
async def table(db: ReplicatedDatabase, cluster: EmbeddedCluster) -> ReplicatedDatabase:
    await db.execute_script(
        "DROP TABLE IF EXISTS routed; CREATE TABLE routed (n int); CREATE SEQUENCE IF NOT EXISTS routed_numbers;"
        "CREATE OR REPLACE FUNCTION put(m int) RETURNS int LANGUAGE sql AS 'INSERT INTO routed VALUES (m) RETURNING n';"
        "CREATE OR REPLACE FUNCTION twice(m int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * m'"
    )
    await settled(db, cluster)
    return db


@pytest.mark.parametrize("name", READS)
async def test_reads_go_to_replicas(table: ReplicatedDatabase, name: str) -> None:
    assert [await READS[name](table) for _ in range(4)] == [True] * 4


@pytest.mark.parametrize("name", READS)
async def test_not_inside_a_transaction_that_writes(table: ReplicatedDatabase, name: str) -> None:
    if name in ("in_a_reading_transaction", "for_a_tenant"):
        return
    async with table.transaction():
        assert await READS[name](table) is False
        async with detached():
            assert await READS[name](table) is True


@pytest.mark.parametrize("name", READS)
async def test_levels(table: ReplicatedDatabase, name: str) -> None:
    async with consistency("primary"):
        assert await READS[name](table) is False
        async with consistency("eventual"):
            assert await READS[name](table) is True
    if name != "in_a_reading_transaction":  # its functions resolve the database themselves
        assert await READS[name](resolve(AtLevel(table, "primary"))) is False
    await table.execute("INSERT INTO routed VALUES (1)")
    assert await READS[name](table) is False
    async with consistency("eventual"):
        assert await READS[name](table) is True


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_read_by_its_session(table: ReplicatedDatabase, cluster: EmbeddedCluster, name: str) -> None:
    async with read_your_writes() as session:
        assert await fetch(table) is True
        assert not session.has_written
        await WRITES[name](table)
        assert session.has_written
        assert await fetch(table) is False
        async with read_your_writes():
            assert await fetch(table) is True  # somebody else
        await settled(table, cluster)
        assert await fetch(table) is True
    assert await table.fetch_val("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> 0") in (0, 1)


async def test_a_transaction_that_has_only_read_is_no_write(table: ReplicatedDatabase) -> None:
    async with read_your_writes() as session:
        async with table.transaction(), pg_transaction():
            assert await table.fetch_val("SELECT count(*) FROM routed") is not None
        with pytest.raises(ZeroDivisionError):
            async with table.transaction():
                await table.execute("INSERT INTO routed VALUES (1)")
                raise ZeroDivisionError
        assert not session.has_written
        assert await fetch(table) is True


async def test_the_session_that_writes_is_told_when_another_one_commits(table: ReplicatedDatabase) -> None:
    async with read_your_writes() as writer, use_database(table):
        tx = await begin_transaction()
        await table.execute("INSERT INTO routed VALUES (1)")
    async with read_your_writes() as other:
        await tx.commit()
    assert (writer.has_written, other.has_written) == (True, False)
    assert await writer.token() is not None
    async with writer:
        assert await fetch(table) is False


async def test_a_read_outside_of_sessions_sees_the_writes_of_all(table: ReplicatedDatabase) -> None:
    async with read_your_writes():
        await table.execute("INSERT INTO routed VALUES (1)")
    assert await fetch(table) is False


async def test_without_a_session_the_whole_process_is_one(table: ReplicatedDatabase) -> None:
    await table.execute("INSERT INTO routed VALUES (1)")
    assert await fetch(table) is False


@pytest.mark.parametrize(
    "sql", ["SELECT twice(2)", "SELECT lower('A')", "VALUES (1)", "TABLE routed", "SELECT random()"]
)
async def test_functions_that_change_nothing_are_no_write(table: ReplicatedDatabase, sql: str) -> None:
    async with read_your_writes() as session:
        await table.fetch(sql)
        assert not session.has_written


async def test_what_a_replica_refuses_runs_on_the_primary_once(
    table: ReplicatedDatabase, cluster: EmbeddedCluster
) -> None:
    """A function that nobody has told of: the replica refuses its INSERT, and the primary does it."""
    cluster.run("CREATE FUNCTION unseen(m int) RETURNS int LANGUAGE sql AS 'INSERT INTO routed VALUES (m) RETURNING n'")
    cluster.catch_up()
    async with read_your_writes() as session:
        assert await table.fetch_val("SELECT unseen(9)") == 9
        assert session.has_written
        assert await table.fetch_val("SELECT count(*) FROM routed WHERE n = 9") == 1
    async with consistency("eventual"):
        assert await table.fetch_val("SELECT unseen(9)") == 9
    assert cluster.run("SELECT count(*) FROM routed WHERE n = 9") == [("2",)]
    cluster.run("CREATE UNLOGGED TABLE unlogged (n int)")
    cluster.catch_up()
    assert await table.fetch("SELECT * FROM unlogged") == []
    assert [row async for row in table.stream("SELECT * FROM unlogged")] == []
    cluster.run("DROP TABLE unlogged; DROP FUNCTION unseen")


async def test_errors_of_the_statement_are_raised(table: ReplicatedDatabase) -> None:
    with pytest.raises(DatabaseError) as caught:
        await table.fetch_val("SELECT 1 / 0")
    assert caught.value.sqlstate == "22012"
    with pytest.raises(DatabaseError) as caught:
        await table.fetch_val("SELECT * FROM nowhere")
    assert caught.value.sqlstate == "42P01"
    with pytest.raises(DatabaseError):
        await table.fetch_val("SELECT pg_sleep(5)", timeout=0.05)


async def test_transactions_that_only_read(table: ReplicatedDatabase) -> None:
    async with pg_transaction(read_only=True) as tx:
        with pytest.raises(ConfigurationError, match="advisory lock"):
            await tx.advisory_lock(1)
        async with pg_transaction():
            with pytest.raises(ConfigurationError, match="advisory lock"):
                await fetch_val("SELECT pg_try_advisory_xact_lock(1)")
        assert await fetch_val(WHERE) is True
    async with pg_transaction("SERIALIZABLE", read_only=True):
        assert await fetch_val(WHERE) is False
    async with pg_transaction("REPEATABLE READ", read_only=True):
        assert await fetch_val(WHERE) is True


@pytest.mark.db_real
async def test_init_and_its_options(cluster: EmbeddedCluster) -> None:
    db = await init(cluster.dsn, replicas=cluster.replica_dsns, consistency="primary", alias="by_init")
    try:
        assert isinstance(db, ReplicatedDatabase)
        assert await fetch_val(WHERE, using="by_init") is False
        assert len(db.replicas) == 2
    finally:
        await db.close()
    for options in ({"replicas": []}, {"replicas": "x"}, {"replicas": [cluster.dsn], "consistency": "soon"}):
        with pytest.raises(ConfigurationError):
            ReplicatedDatabase(cluster.dsn, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        ReplicatedDatabase(cluster.dsn, replicas=[cluster.dsn], max_lag=0)
    with pytest.raises(TypeError, match="did you mean replicas"):
        await init(cluster.dsn, read_replicas=[])


async def test_the_primary_named_as_a_replica_is_none(cluster: EmbeddedCluster) -> None:
    async with ReplicatedDatabase(cluster.dsn, replicas=[cluster.dsn, cluster.replica_dsns[0]]) as db:
        assert [replica.is_up for replica in db.replicas] == [False, True]


async def test_a_plain_database_has_levels_of_no_effect(cluster: EmbeddedCluster) -> None:
    async with Database(cluster.dsn) as db, consistency("eventual"):
        assert await db.fetch_val(WHERE) is False
        assert resolve(AtLevel(db, "eventual")) is db
