"""Raw SQL that a sandbox must not send."""

from __future__ import annotations

import pytest

from data_bridge.testing.sandbox.control import changes_schema, controls, outside_only


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("COMMIT", "COMMIT"),
        ("  /* x */ commit;", "COMMIT"),
        ("-- COMMIT\nSELECT 1", None),
        ("END", "END"),
        ("ABORT WORK", "ABORT"),
        ("ROLLBACK", "ROLLBACK"),
        ("ROLLBACK AND CHAIN", "ROLLBACK"),
        ("ROLLBACK TO a", None),
        ("ROLLBACK TO SAVEPOINT a", None),
        ("ROLLBACK WORK TO SAVEPOINT a", None),
        ("BEGIN", "BEGIN"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("PREPARE q AS SELECT 1", None),
        ("SELECT 'COMMIT; COMMIT'", None),
        ("SELECT 1; SELECT 2; COMMIT", "COMMIT"),
        ("DO $$ BEGIN COMMIT; END $$", None),
        ("SELECT CASE WHEN true THEN 1 END", None),
        ('SELECT "commit" FROM t', None),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT 1", None),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT", "COMMIT"),
        ("", None),
    ],
)
def test_controls(sql: str, expected: str | None) -> None:
    assert controls(sql) == expected


@pytest.mark.parametrize(
    ("ir", "expected"),
    [
        (("select", None), False),
        (("insert", None), False),
        (("create_table", None), True),
        (("text", "SELECT 1"), False),
        (("text", "  -- x\n create table t ()"), True),
        (("text", "DO $$ BEGIN END $$"), True),
        (("raw", "ALTER TABLE ", "t"), True),
        (("raw", "SELECT ", "$"), False),
        (("text",), False),
    ],
)
def test_changes_of_the_schema(ir: tuple[object, ...], expected: bool) -> None:
    assert changes_schema(ir) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("VACUUM ANALYZE t", True),
        ("CREATE DATABASE x", True),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", True),
        ("REINDEX TABLE CONCURRENTLY t", True),
        ("CREATE INDEX i ON t (concurrently)", False),
        ("SELECT 'VACUUM'", False),
        ("", False),
    ],
)
def test_what_runs_outside_only(sql: str, expected: bool) -> None:
    assert outside_only(sql) is expected
