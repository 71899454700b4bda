"""Every operation that the reference lists, as SQL on a small schema: the tests run them and look at pg_locks."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE parent (id bigint PRIMARY KEY, name text);
CREATE TABLE t (id bigint PRIMARY KEY, a int, b varchar(10), c text, n numeric(8,2), at timestamp, p bigint);
INSERT INTO parent VALUES (1, 'x');
INSERT INTO t SELECT i, i, i::text, i::text, i, now(), 1 FROM generate_series(1, 100) i;
ALTER TABLE t ADD CONSTRAINT checked CHECK (a > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT keyed FOREIGN KEY (p) REFERENCES parent (id) NOT VALID;
CREATE UNIQUE INDEX t_a ON t (a);
CREATE TABLE child (id bigint PRIMARY KEY, p bigint REFERENCES parent (id));
CREATE TABLE parted (id bigint, d int) PARTITION BY RANGE (d);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (id bigint, d int);
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE SEQUENCE s;
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
"""

SAMPLES: dict[str, str] = {
    "create_table()": "CREATE TABLE fresh (id bigint PRIMARY KEY)",
    "create_table() with a foreign key": "CREATE TABLE fresh (id bigint, p bigint REFERENCES parent (id))",
    "drop_table()": "DROP TABLE part2",
    "drop_table() with a foreign key": "DROP TABLE child",
    "rename_table()": "ALTER TABLE t RENAME TO u",
    "add_column()": "ALTER TABLE t ADD COLUMN x int",
    "add_column() with a constant or now() as default": "ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now()",
    "add_column() with a volatile default, not online": "ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid()",
    "add_column() serial or identity": "ALTER TABLE t ADD COLUMN x bigint GENERATED ALWAYS AS IDENTITY",
    "add_column() generated and stored": "ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED",
    "drop_column()": "ALTER TABLE t DROP COLUMN n",
    "rename_column()": "ALTER TABLE t RENAME COLUMN n TO x",
    "alter_column(default=…), drop_default": "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
    "alter_column(nullable=True)": "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
    "alter_column(nullable=False), not online": "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "alter_column(type=…), wider varchar or text": "ALTER TABLE t ALTER COLUMN b TYPE varchar(20)",
    "alter_column(type=…), integer to bigint": "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "alter_column(type=…), other scale": "ALTER TABLE t ALTER COLUMN n TYPE numeric(8,4)",
    "create_index()": "CREATE INDEX CONCURRENTLY i ON t (c)",
    "create_index(concurrently=False)": "CREATE INDEX i ON t (c)",
    "drop_index()": "DROP INDEX CONCURRENTLY t_a",
    "drop_index(concurrently=False)": "DROP INDEX t_a",
    "add_constraint() check, not valid": "ALTER TABLE t ADD CONSTRAINT x CHECK (a < 1000) NOT VALID",
    "add_constraint() check, not online": "ALTER TABLE t ADD CONSTRAINT x CHECK (a < 1000)",
    "add_foreign_key(), not valid": "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (p) REFERENCES parent (id) NOT VALID",
    "add_foreign_key(), not online": "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (p) REFERENCES parent (id)",
    "add_constraint() unique, not online": "ALTER TABLE t ADD CONSTRAINT x UNIQUE (c)",
    "add_constraint() unique, of an index": "ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX t_a",
    "validate_constraint() check": "ALTER TABLE t VALIDATE CONSTRAINT checked",
    "validate_constraint() foreign key": "ALTER TABLE t VALIDATE CONSTRAINT keyed",
    "drop_constraint()": "ALTER TABLE t DROP CONSTRAINT checked",
    "drop_constraint() foreign key": "ALTER TABLE t DROP CONSTRAINT keyed",
    "rename_constraint()": "ALTER TABLE t RENAME CONSTRAINT checked TO x",
    "create_enum()": "CREATE TYPE level AS ENUM ('x')",
    "add_enum_value()": "ALTER TYPE mood ADD VALUE 'c' AFTER 'a'",
    "rename_enum_value()": "ALTER TYPE mood RENAME VALUE 'a' TO 'z'",
    "create_sequence()": "CREATE SEQUENCE q",
    "create_schema()": "CREATE SCHEMA x",
    "comment()": "COMMENT ON TABLE t IS 'x'",
    "backfill(), each batch": "UPDATE t SET c = 'x' WHERE id < 10",
    "CREATE TRIGGER": "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE VIEW": "CREATE VIEW w AS SELECT 1",
    "DROP VIEW": "DROP VIEW v",
    "REFRESH MATERIALIZED VIEW": "REFRESH MATERIALIZED VIEW m",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY": "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "ATTACH PARTITION": "ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20)",
    "DETACH PARTITION": "ALTER TABLE parted DETACH PARTITION part1",
    "CREATE TABLE … PARTITION OF": "CREATE TABLE part3 PARTITION OF parted FOR VALUES FROM (30) TO (40)",
    "SET (fillfactor = …)": "ALTER TABLE t SET (fillfactor = 70)",
    "SET STATISTICS": "ALTER TABLE t ALTER COLUMN a SET STATISTICS 100",
    "DISABLE TRIGGER": "ALTER TABLE t DISABLE TRIGGER USER",
    "ENABLE ROW LEVEL SECURITY": "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY": "CREATE POLICY x ON t USING (true)",
    "TRUNCATE": "TRUNCATE child",
    "INSERT": "INSERT INTO parent VALUES (2, 'y')",
    "REINDEX TABLE": "REINDEX TABLE t",
    "REINDEX TABLE CONCURRENTLY": "REINDEX TABLE CONCURRENTLY t",
    "CLUSTER": "CLUSTER child USING child_pkey",
    "LOCK TABLE": "LOCK TABLE t IN SHARE MODE",
}
