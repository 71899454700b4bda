"""Names of spans are operations and tables, in the order of the statement."""

from __future__ import annotations

import pytest

from data_bridge.postgres.otel.summary import parameterized, summary_of


@pytest.mark.parametrize(
    ("sql", "text", "operation", "tables"),
    [
        ("/* tag */ SELECT a FROM t", "SELECT t", "SELECT", ("t",)),
        ("SELECT a FROM t JOIN s.u ON true WHERE x IN (SELECT 1 FROM v) FOR UPDATE", "SELECT t s.u SELECT v", "SELECT", ("t", "s.u", "v")),
        ('UPDATE "A"."b c" SET x = 1 FROM c', "UPDATE A.b c c", "UPDATE", ("A.b c", "c")),
        ("INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET x = 1", "INSERT a", "INSERT", ("a",)),
        ("INSERT INTO a (b) SELECT b FROM c", "INSERT a SELECT c", "INSERT", ("a", "c")),
        ("WITH x AS (DELETE FROM ONLY t RETURNING *) SELECT * FROM x", "DELETE t SELECT x", "DELETE", ("t", "x")),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN UPDATE SET x = 1", "MERGE a b", "MERGE", ("a", "b")),
        ("COPY (SELECT a FROM t) TO STDOUT", "COPY SELECT t", "COPY", ("t",)),
        ('COPY "t" ("a") FROM STDIN (FORMAT binary)', "COPY t", "COPY", ("t",)),
        ("COPY t FROM STDIN", "COPY t", "COPY", ("t",)),
        ('FETCH FORWARD 3 FROM "data_bridge_1"', "FETCH", "FETCH", ()),
        ('DECLARE "c" NO SCROLL CURSOR FOR SELECT a FROM t', "DECLARE SELECT t", "DECLARE", ("t",)),
        ("CREATE TABLE IF NOT EXISTS foo (a int REFERENCES t ON DELETE CASCADE)", "CREATE foo", "CREATE", ("foo",)),
        ("SELECT extract(year FROM x) FROM t WHERE a IS DISTINCT FROM b", "SELECT t", "SELECT", ("t",)),
        ("SELECT x FROM generate_series(1, 2) x", "SELECT", "SELECT", ()),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN", "BEGIN", ()),
        ("SELECT 1; DROP TABLE z", "SELECT DROP z", "SELECT", ("z",)),
        ("", "", "", ()),
    ],
)  # fmt: skip
def test_summaries(sql: str, text: str, operation: str, tables: tuple[str, ...]) -> None:
    found = summary_of(sql)
    assert (found.text, found.operation, found.tables) == (text, operation, tables)


def test_a_summary_is_short() -> None:
    assert len(summary_of("; ".join(f"SELECT * FROM table_{n}" for n in range(1000))).text) == 255


def test_constants_are_hidden_where_there_are_no_parameters() -> None:
    assert parameterized("SELECT 'a', 5, $q$b$q$ FROM t") == "SELECT ?, ?, ? FROM t"
    assert parameterized("SELECT $1, 5") == "SELECT $1, 5"
