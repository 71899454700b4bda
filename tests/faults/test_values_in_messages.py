"""A value that the server refuses is in the attributes of the error, and never in its text."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import Database, DatabaseError, MigrationError, TransactionAborted, begin_transaction
from data_bridge.migrate import run_migrations

SECRET = "4111s3cret1111"
TYPES = (
    "int2 int4 int8 float4 float8 numeric bool date time timestamp timestamptz timetz interval uuid json jsonb jsonpath xml inet "
    "cidr macaddr bit varbit point line box path polygon circle lseg int4range tstzrange int4multirange tsvector tsquery "
    "int4[] text[][] pg_lsn oid regclass pg_snapshot money bytea record_of_secrets color_of_secrets small_domain"
).split()
HOSTILE = [
    SECRET,
    f'{SECRET}" is "{SECRET}',
    f'"{SECRET}"',
    f"{{{SECRET}",
    f"[{SECRET},",
    f"'{SECRET}",
    f"\\x{SECRET}",
    f"{SECRET}\n",
]


async def test_texts_that_no_type_reads(postgres_dsn: str) -> None:
    refused = 0
    async with Database(postgres_dsn, max_connections=1) as db:
        transaction = db.transaction()
        async with transaction as tx:
            await tx.execute_script(
                "CREATE TYPE color_of_secrets AS ENUM ('red'); CREATE TYPE record_of_secrets AS (a int, b date);"
                "CREATE DOMAIN small_domain AS int"
            )
            for kind in TYPES:
                for text in HOSTILE:
                    try:
                        async with tx.savepoint():
                            await tx.execute(f"SELECT $1::text::{kind}", text)
                    except DatabaseError as e:
                        refused += 1
                        # Names of objects that do not exist are the application's.
                        if kind != "regclass":
                            assert SECRET not in str(e), (kind, text)
                        assert kind == "regclass" or e.message
            tx.set_rollback_only()
    assert refused > 250


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT $1::text::int", "99999999994111"),
        ("SELECT to_date($1, 'YYYY-MM-DD')", "s3cret4111"),
        ("SELECT '2024-01-01'::timestamp AT TIME ZONE $1", "s3cret4111"),
        ("SELECT 'x' ~ $1", "(s3cret4111"),
        ("SELECT date_trunc($1, now())", "s3cret4111"),
        ("SELECT date_part($1, now())", "s3cret4111"),
        ("SELECT encode('x'::bytea, $1)", "s3cret4111"),
        ("SELECT decode($1, 'hex')", "s3cret4111"),
        ("SELECT convert_to('x', $1)", "s3cret4111"),
        ("SELECT '{\"a\": 1}'::jsonb @? ($1::text)::jsonpath", "$.s3cret4111 ?"),
        ("SELECT to_tsquery('english', $1)", "s3cret4111 & & x"),
        ("SELECT xmlparse(document $1)", "<s3cret4111"),
        ("SELECT set_config('work_mem', $1, true)", "s3cret4111"),
        ("SELECT regexp_replace('a', 'b', 'c', $1)", "s3cret4111"),
        ("SELECT make_interval(secs => $1::text::float8)", "s3cret4111"),
    ],
)
async def test_arguments_that_functions_refuse(postgres_dsn: str, sql: str, value: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        with pytest.raises(DatabaseError) as caught:
            await db.execute(sql, value)
        assert "4111" not in str(caught.value), caught.value.sqlstate
        assert caught.value.message


NEXT: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "execute": lambda tx: tx.execute("SELECT 1"),
    "fetch": lambda tx: tx.fetch("SELECT 1"),
    "fetch_val": lambda tx: tx.fetch_val("SELECT $1::int", 1),
    "execute_script": lambda tx: tx.execute_script("SELECT 1; SELECT 2"),
    "commit": lambda tx: tx.commit(),
}


@pytest.mark.parametrize("door", NEXT)
async def test_what_an_aborted_transaction_says_of_its_first_error(postgres_dsn: str, door: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        tx = await begin_transaction(using=db)
        with contextlib.suppress(DatabaseError):
            await tx.execute("SELECT $1::text::int", SECRET)
        with pytest.raises((TransactionAborted, DatabaseError)) as caught:
            await NEXT[door](tx)
        assert SECRET not in str(caught.value) + repr(caught.value)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        if isinstance(caught.value, TransactionAborted):
            assert '(22P02: invalid input syntax for type integer: "…")' in str(caught.value)
            cause = caught.value.__cause__
            # Its own statement is not known any more; that of the later one is not shown for it.
            assert isinstance(cause, DatabaseError) and SECRET in cause.message and cause.sql is None
        with contextlib.suppress(Exception):
            await tx.rollback()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("ALTER TABLE secrets ALTER v TYPE int USING v::int", 'invalid input syntax for type integer: "…" [22P02]'),
        ("ALTER TABLE secrets ADD UNIQUE (v)", "Detail: left out, as it quotes values of rows"),
        ("ALTER TABLE secrets ALTER v TYPE varchar(3)", "value too long for type character varying(3) [22001]"),
    ],
)
async def test_a_migration_that_meets_values_of_rows(postgres_dsn: str, tmp_path: Path, sql: str, said: str) -> None:
    async with Database(postgres_dsn, server_settings={"search_path": "of_secrets"}) as db:
        await db.execute_script(
            "DROP SCHEMA IF EXISTS of_secrets CASCADE; CREATE SCHEMA of_secrets;"
            f"CREATE TABLE secrets (v text); INSERT INTO secrets VALUES ('{SECRET}'), ('{SECRET}')"
        )
        (tmp_path / "0001_meet.sql").write_text(f"-- migrate:up\n{sql};\n")
        try:
            with pytest.raises(MigrationError) as caught:
                await run_migrations(directory=tmp_path, using=db)
            assert said in str(caught.value), str(caught.value)
            assert SECRET not in "".join(traceback.format_exception(caught.value))
        finally:
            await db.execute("DROP SCHEMA of_secrets CASCADE")


async def test_what_the_statement_says_itself_stays(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=1) as db:
        for sql, said in [
            ("SELECT 'abc'::int", 'invalid input syntax for type integer: "abc"'),
            ("SELEC 1", 'syntax error at or near "SELEC"'),
            ("SELECT 1 FORM t WHERE", 'syntax error at or near "t"'),
            ("SELECT no_such_column", 'column "no_such_column" does not exist'),
        ]:
            with pytest.raises(DatabaseError) as caught:
                await db.execute(sql)
            assert said in str(caught.value)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("ungültige Eingabesyntax für Typ integer: „4111“", 'ungültige Eingabesyntax für Typ integer: "…"'),
        (
            "syntaxe en entrée invalide pour le type integer : « 4111 »",
            'syntaxe en entrée invalide pour le type integer : "…"',
        ),
        ("недопустимое значение «41» «11» для целого", 'недопустимое значение "…" для целого'),
    ],
)
def test_languages_of_the_server(message: str, text: str) -> None:
    assert str(DatabaseError(message, sqlstate="22P02", sql="SELECT $1::text::int")).startswith(f"{text} [22P02]")
