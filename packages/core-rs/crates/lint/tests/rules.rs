//! Each rule with statements that it must find and statements that it must leave alone.

use data_bridge_lint::{Model, Name, Options, Script, Statement, lint};

/// The schema before each sample: what earlier migrations made.
const BEFORE: &str = "
CREATE TABLE users (id bigint PRIMARY KEY, email varchar(100), name text, age int, born timestamp, price numeric(8,2), tags text[]);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total numeric);
CREATE INDEX users_email_idx ON users (email);
CREATE TABLE events (id bigint, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE events_old (id bigint, at timestamptz);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE VIEW adults AS SELECT u.id, u.age FROM users u JOIN orders o ON o.user_id = u.id;
CREATE MATERIALIZED VIEW totals AS SELECT sum(total) FROM orders;
CREATE DOMAIN short AS text;
CREATE FUNCTION steady() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
ALTER TABLE users ADD CONSTRAINT name_there CHECK (name IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT name_there;
ALTER TABLE users ADD CONSTRAINT age_there CHECK (age IS NOT NULL) NOT VALID
";

fn statements(sql: &str) -> Vec<Statement> {
    let mut line = 1;
    if sql.contains("$$") {
        return vec![Statement { sql: sql.to_owned(), line }];
    }
    sql.split(";\n")
        .flat_map(|s| s.split("; "))
        .map(|s| {
            let made = Statement { sql: s.trim().to_owned(), line };
            line += s.matches('\n').count() + 1;
            made
        })
        .filter(|s| !s.sql.is_empty())
        .collect()
}

fn rules(sql: &str, change: impl Fn(&mut Script, &mut Options)) -> Vec<&'static str> {
    let before = Script { report: false, statements: statements(BEFORE), ..Script::of("before.sql", "") };
    let mut script = Script { statements: statements(sql), ..Script::of("sample.sql", "") };
    let mut options = Options::default();
    change(&mut script, &mut options);
    lint(&[before, script], &options).into_iter().map(|f| f.rule).collect()
}

#[track_caller]
fn bad(rule: &str, sql: &str) {
    let found = rules(sql, |_, _| {});
    assert!(found.contains(&rule), "{rule} is silent about: {sql}\nfound {found:?}");
}

#[track_caller]
fn good(rule: &str, sql: &str) {
    let found = rules(sql, |_, _| {});
    assert!(!found.contains(&rule), "{rule} complains about: {sql}");
    assert!(!found.contains(&"L00"), "not understood: {sql}");
}

#[test]
fn l00_says_what_it_does_not_understand() {
    bad("L00", "ALTER TABLE users FROBNICATE");
    bad("L00", "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$");
    bad("L00", "DO LANGUAGE plpython3u $$ plpy.execute('x') $$");
    good("L00", "SELECT 1");
}

#[test]
fn l01_to_l05_indexes() {
    bad("L01", "CREATE INDEX i ON users (name)");
    bad("L01", "DO $$ BEGIN CREATE INDEX i ON users (name); END $$");
    bad("L01", "CREATE INDEX i ON unknown (name)");
    good("L01", "CREATE INDEX CONCURRENTLY i ON users (name)");
    good("L01", "CREATE TABLE fresh (a int); CREATE INDEX i ON fresh (a)");
    good("L01", "CREATE TEMP TABLE t (a int); CREATE INDEX i ON t (a)");
    good("L01", "CREATE TABLE a (x int); ALTER TABLE a RENAME TO b; CREATE INDEX i ON b (x)");
    bad("L02", "DROP INDEX users_email_idx");
    good("L02", "DROP INDEX CONCURRENTLY users_email_idx");
    good("L02", "CREATE TABLE fresh (a int); CREATE INDEX i ON fresh (a); DROP INDEX i");
    bad("L03", "BEGIN; CREATE INDEX CONCURRENTLY i ON users (name); COMMIT");
    bad("L03", "DO $$ BEGIN CREATE INDEX CONCURRENTLY i ON users (name); END $$");
    assert!(rules("CREATE INDEX CONCURRENTLY i ON users (name)", |s, _| s.atomic = Some(true)).contains(&"L03"));
    good("L03", "ALTER TABLE users ADD x int; CREATE INDEX CONCURRENTLY i ON users (name)");
    bad("L04", "REINDEX TABLE users");
    bad("L04", "REINDEX INDEX users_email_idx");
    bad("L04", "REFRESH MATERIALIZED VIEW totals");
    bad("L04", "VACUUM FULL users");
    bad("L04", "CLUSTER users USING users_pkey");
    bad("L04", "ALTER TABLE events DETACH PARTITION events_old");
    good("L04", "REINDEX TABLE CONCURRENTLY users");
    good("L04", "REINDEX (VERBOSE, CONCURRENTLY) TABLE users");
    good("L04", "REFRESH MATERIALIZED VIEW CONCURRENTLY totals");
    good("L04", "CREATE MATERIALIZED VIEW m AS SELECT 1 WITH NO DATA; REFRESH MATERIALIZED VIEW m");
    good("L04", "VACUUM ANALYZE users");
    good("L04", "ALTER TABLE events DETACH PARTITION events_old CONCURRENTLY");
    bad("L05", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON users (name)");
    good("L05", "CREATE UNIQUE INDEX CONCURRENTLY i ON users (name)");
}

#[test]
fn l06_to_l12_constraints() {
    bad("L06", "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id)");
    bad("L06", "ALTER TABLE orders ADD COLUMN u bigint DEFAULT 1 REFERENCES users (id)");
    good("L06", "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID");
    good("L06", "CREATE TABLE fresh (u bigint REFERENCES users (id))");
    good("L06", "ALTER TABLE orders ADD COLUMN u bigint REFERENCES users (id)");
    bad("L07", "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)");
    bad("L07", "ALTER TABLE users ADD COLUMN n int CHECK (n > 0)");
    bad("L07", "ALTER TABLE events ATTACH PARTITION events_old FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')");
    good("L07", "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID");
    good(
        "L07",
        "CREATE TABLE p (id bigint, at timestamptz); ALTER TABLE events ATTACH PARTITION p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    );
    bad("L08", "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT c");
    bad("L08", "ALTER TABLE users ADD COLUMN z int, VALIDATE CONSTRAINT age_there");
    good("L08", "ALTER TABLE users VALIDATE CONSTRAINT age_there");
    let apart = "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT c";
    assert!(!rules(apart, |s, _| s.atomic = Some(false)).contains(&"L08"));
    bad("L09", "ALTER TABLE users ALTER COLUMN email SET NOT NULL");
    good("L09", "ALTER TABLE users ALTER COLUMN name SET NOT NULL");
    good("L09", "CREATE TABLE fresh (a int); ALTER TABLE fresh ALTER a SET NOT NULL");
    bad("L10", "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email)");
    bad("L10", "ALTER TABLE users ADD COLUMN code text UNIQUE");
    good(
        "L10",
        "CREATE UNIQUE INDEX CONCURRENTLY u ON users (email); ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX u",
    );
    bad("L11", "ALTER TABLE events_old ADD PRIMARY KEY (id)");
    good("L11", "ALTER TABLE events_old ADD PRIMARY KEY USING INDEX events_old_idx");
    bad("L12", "ALTER TABLE users ADD CONSTRAINT e EXCLUDE USING gist (tags WITH &&)");
    good("L12", "CREATE TABLE fresh (r int4range, EXCLUDE USING gist (r WITH &&))");
}

#[test]
fn l13_to_l19_columns() {
    bad("L13", "ALTER TABLE users ADD COLUMN k uuid DEFAULT gen_random_uuid()");
    bad("L13", "ALTER TABLE users ADD COLUMN k timestamptz DEFAULT clock_timestamp()");
    bad("L13", "ALTER TABLE users ADD COLUMN k int DEFAULT someones_function()");
    good("L13", "ALTER TABLE users ADD COLUMN k timestamptz NOT NULL DEFAULT now()");
    good("L13", "ALTER TABLE users ADD COLUMN k timestamptz DEFAULT CURRENT_TIMESTAMP");
    good("L13", "ALTER TABLE users ADD COLUMN k int DEFAULT steady()");
    good("L13", "ALTER TABLE users ADD COLUMN k jsonb NOT NULL DEFAULT '{}'::jsonb");
    bad("L14", "ALTER TABLE users ADD COLUMN n serial");
    bad("L14", "ALTER TABLE users ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY");
    good("L14", "ALTER TABLE users ADD COLUMN n bigint");
    bad("L15", "ALTER TABLE users ADD COLUMN up text GENERATED ALWAYS AS (upper(name)) STORED");
    good("L15", "ALTER TABLE users ADD COLUMN up text GENERATED ALWAYS AS (upper(name)) VIRTUAL");
    bad("L16", "ALTER TABLE users ADD COLUMN x int NOT NULL");
    bad("L16", "ALTER TABLE users ADD COLUMN x int NOT NULL DEFAULT NULL");
    good("L16", "ALTER TABLE users ADD COLUMN x int NOT NULL DEFAULT 0");
    good("L16", "ALTER TABLE users ADD COLUMN x int");
    bad("L17", "ALTER TABLE users ALTER COLUMN age TYPE bigint");
    bad("L17", "ALTER TABLE users ALTER COLUMN email TYPE varchar(50)");
    bad("L17", "ALTER TABLE users ALTER COLUMN price TYPE numeric(10,4)");
    bad("L17", "ALTER TABLE users ALTER COLUMN born TYPE timestamptz");
    bad("L17", "ALTER TABLE users ALTER COLUMN name TYPE int USING length(name)");
    bad("L17", "ALTER TABLE unknown ALTER COLUMN a TYPE bigint");
    bad("L17", "ALTER TABLE users SET TABLESPACE fast");
    bad("L17", "ALTER TABLE users SET LOGGED");
    good("L17", "ALTER TABLE users ALTER COLUMN email TYPE varchar(200)");
    good("L17", "ALTER TABLE users ALTER COLUMN email TYPE text");
    good("L17", "ALTER TABLE users ALTER COLUMN email TYPE text USING email::text");
    good("L17", "ALTER TABLE users ALTER COLUMN price TYPE numeric(12,2)");
    good("L17", "ALTER TABLE users ALTER COLUMN price TYPE numeric");
    good("L17", "SET LOCAL timezone = 'UTC'; ALTER TABLE users ALTER COLUMN born TYPE timestamptz");
    bad("L18", "ALTER TABLE users ALTER COLUMN age TYPE bigint");
    bad("L18", "ALTER TABLE users DROP COLUMN age");
    good("L18", "DROP VIEW adults; ALTER TABLE users ALTER COLUMN age TYPE bigint");
    good("L18", "ALTER TABLE users ALTER COLUMN price TYPE numeric");
    bad("L19", "ALTER TABLE users ALTER COLUMN age TYPE smallint");
    bad("L19", "ALTER TABLE users ALTER COLUMN name TYPE varchar(10)");
    bad("L19", "ALTER TABLE users ALTER COLUMN name TYPE int USING name::int");
    good("L19", "ALTER TABLE users ALTER COLUMN age TYPE bigint");
}

#[test]
fn l20_to_l25_what_code_relies_on() {
    bad("L20", "ALTER TABLE users RENAME COLUMN name TO full_name");
    bad("L20", "ALTER TABLE users RENAME TO people");
    bad("L20", "ALTER TABLE users SET SCHEMA archive");
    bad("L20", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'");
    bad("L20", "ALTER SCHEMA app RENAME TO old");
    bad("L20", "ALTER VIEW adults RENAME TO grown");
    good("L20", "ALTER INDEX users_email_idx RENAME TO i");
    good("L20", "ALTER TABLE users RENAME CONSTRAINT name_there TO n");
    good("L20", "CREATE TABLE a (x int); ALTER TABLE a RENAME COLUMN x TO y; ALTER TABLE a RENAME TO b");
    bad("L21", "ALTER TABLE users DROP COLUMN name");
    good("L21", "CREATE TABLE a (x int); ALTER TABLE a DROP COLUMN x");
    bad("L22", "DROP TABLE users");
    bad("L22", "DROP TABLE IF EXISTS users");
    good("L22", "CREATE TABLE a (x int); DROP TABLE a");
    assert!(
        !rules("DROP TABLE users; ALTER TABLE orders DROP COLUMN total", |s, _| s.down = true)
            .iter()
            .any(|r| ["L21", "L22"].contains(r))
    );
    bad("L23", "ALTER TABLE users ALTER COLUMN name DROP NOT NULL");
    good("L23", "ALTER TABLE users ALTER COLUMN name DROP DEFAULT");
    bad(
        "L24",
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID; ALTER TABLE users DROP CONSTRAINT users_pkey",
    );
    good(
        "L24",
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID; ALTER TABLE users DROP CONSTRAINT users_pkey, ADD CONSTRAINT users_pkey PRIMARY KEY (id)",
    );
    good("L24", "ALTER TABLE users DROP CONSTRAINT age_there");
    bad("L25", "TRUNCATE users CASCADE");
    bad("L25", "TRUNCATE users");
    bad("L25", "DROP TYPE mood CASCADE");
    bad("L25", "DROP SCHEMA app CASCADE");
    bad("L25", "DROP OWNED BY somebody");
    bad("L25", "ALTER TABLE users DROP COLUMN age CASCADE");
    good("L25", "DROP TYPE mood");
    good("L25", "CREATE TABLE a (x int); DROP TABLE a CASCADE");
}

#[test]
fn l26_to_l29_and_l33_l34_transactions() {
    bad("L26", "SET lock_timeout = 0");
    bad("L26", "SET LOCAL statement_timeout TO '0'");
    good("L26", "SET LOCAL lock_timeout = '5s'");
    bad("L27", "ALTER TABLE users ADD x int; ALTER TABLE orders ADD y int");
    good("L27", "ALTER TABLE users ADD x int; ALTER TABLE users ADD y int");
    good("L27", "CREATE TABLE a (x int); ALTER TABLE a ADD y int; ALTER TABLE users ADD y int");
    assert!(
        !rules("ALTER TABLE users ADD x int; ALTER TABLE orders ADD y int", |s, _| s.atomic = Some(false))
            .contains(&"L27")
    );
    bad("L28", "ALTER TABLE users ADD x int; UPDATE users SET x = 1");
    good("L28", "ALTER TABLE users ADD x int; UPDATE users SET x = 1 WHERE id = 7");
    good("L28", "CREATE TABLE a (x int); INSERT INTO a VALUES (1)");
    bad("L29", "UPDATE users SET age = 1");
    bad("L29", "DELETE FROM orders WHERE total = 0");
    good("L29", "DELETE FROM orders WHERE id IN (1, 2)");
    good("L29", "CREATE TABLE a (x int); UPDATE a SET x = 1");
    assert!(rules("CALL fill()", |s, _| s.atomic = Some(false)).contains(&"L33"));
    good("L33", "CALL fill()");
    bad("L34", "BEGIN; ALTER TABLE users ADD x int; COMMIT");
    bad("L34", "ALTER TABLE users ADD x int; COMMIT");
    bad("L34", "BEGIN; ALTER TABLE users ADD x int");
    bad("L34", "ROLLBACK");
    bad("L34", "DO $$ BEGIN COMMIT; END $$");
    good("L34", "SAVEPOINT a; SELECT 1; RELEASE a");
}

#[test]
fn l30_to_l32_enums() {
    bad("L30", "ALTER TYPE mood ADD VALUE 'great' AFTER 'ok'; UPDATE users SET name = 'x' WHERE name = 'great'");
    good("L30", "ALTER TYPE mood ADD VALUE 'great' AFTER 'ok'; COMMENT ON TYPE mood IS 'great'");
    good(
        "L30",
        "CREATE TYPE level AS ENUM ('a'); ALTER TYPE level ADD VALUE 'b'; CREATE TABLE l (x level DEFAULT 'b')",
    );
    bad("L31", "ALTER TYPE mood ADD VALUE 'great'");
    good("L31", "ALTER TYPE mood ADD VALUE 'great' BEFORE 'ok'");
    bad("L32", "ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('sad')");
    bad("L32", "ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('ok', 'sad')");
    bad("L32", "DELETE FROM pg_enum WHERE enumlabel = 'sad'");
    good("L32", "ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('sad', 'ok', 'great')");
}

#[test]
fn l35_to_l43_names_and_types() {
    let long = "n".repeat(64);
    bad("L35", &format!("CREATE INDEX CONCURRENTLY {long} ON users (name)"));
    good("L35", &format!("CREATE INDEX CONCURRENTLY {} ON users (name)", &long[1..]));
    bad("L36", "SET search_path TO app");
    bad("L36", "SELECT pg_catalog.set_config('search_path', '', false)");
    good("L36", "SET LOCAL search_path TO app");
    let asked = |sql: &str| rules(sql, |_, o| o.qualified = true).contains(&"L36");
    assert!(asked("ALTER TABLE users ADD x int") && !asked("ALTER TABLE public.users ADD x int"));
    good("L36", "ALTER TABLE users ADD x int");
    bad("L37", "CREATE TABLE a (u bigint REFERENCES users (id))");
    good("L37", "CREATE TABLE a (u bigint REFERENCES users (id)); CREATE INDEX ON a (u)");
    good("L37", "CREATE TABLE a (u bigint REFERENCES users (id), PRIMARY KEY (u, v), v int)");
    bad("L38", "CREATE INDEX CONCURRENTLY i ON users (email)");
    bad("L38", "CREATE INDEX CONCURRENTLY i ON orders (id)");
    bad("L38", "CREATE INDEX CONCURRENTLY i ON users (name, age, born, price)");
    good("L38", "CREATE INDEX CONCURRENTLY i ON users (email) WHERE age > 1");
    good("L38", "CREATE INDEX CONCURRENTLY i ON users USING hash (email)");
    good("L38", "CREATE INDEX CONCURRENTLY i ON users (email) INCLUDE (name)");
    good("L38", "CREATE INDEX CONCURRENTLY i ON users (email, name)");
    for ty in ["char(3)", "varchar(9)", "timestamp", "json"] {
        bad("L39", &format!("CREATE TABLE a (id bigint PRIMARY KEY, x {ty})"));
        bad("L39", &format!("ALTER TABLE users ADD x {ty}"));
    }
    bad("L39", "CREATE TABLE a (id int PRIMARY KEY)");
    good(
        "L39",
        "CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text, y timestamptz, z jsonb, n int, v varchar)",
    );
    bad("L40", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)");
    bad("L40", "ALTER DOMAIN short ADD CONSTRAINT c CHECK (length(VALUE) < 9)");
    good("L40", "ALTER DOMAIN short ADD CONSTRAINT c CHECK (length(VALUE) < 9) NOT VALID");
    bad("L41", "ALTER TABLE users ALTER COLUMN age SET NOT NULL");
    bad("L41", "ALTER TABLE users VALIDATE CONSTRAINT nobody_made_me");
    good("L41", "ALTER TABLE users ALTER COLUMN name SET NOT NULL");
    let model = |o: &mut Options, column: &str| {
        o.models.push(Model { name: "User".into(), table: Name::read("users"), columns: vec![column.into()] });
    };
    assert!(rules("ALTER TABLE users DROP COLUMN name", |_, o| model(o, "name")).contains(&"L43"));
    assert!(rules("DROP TABLE users", |_, o| model(o, "name")).contains(&"L43"));
    assert!(!rules("ALTER TABLE users DROP COLUMN name", |_, o| model(o, "email")).contains(&"L43"));
}

#[test]
fn lines_are_those_of_the_action() {
    let script = Script {
        statements: vec![Statement { sql: "ALTER TABLE users\n  ADD a int,\n  ADD b int NOT NULL".into(), line: 10 }],
        ..Script::of("a.sql", "")
    };
    let found = lint(&[script], &Options::default());
    assert_eq!(found.iter().map(|f| (f.rule, f.line)).collect::<Vec<_>>(), [("L16", 12)]);
}

#[test]
fn broken_text_is_a_finding_and_no_panic() {
    let text = BEFORE.replace('\n', " ");
    for (at, _) in text.char_indices().step_by(7) {
        for sql in [&text[..at], &text[at..]] {
            let script = Script { statements: statements(sql), ..Script::of("broken.sql", "") };
            lint(&[script], &Options::default());
        }
    }
}
