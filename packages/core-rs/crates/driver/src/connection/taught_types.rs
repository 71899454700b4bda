//! Types that sqlx 0.9 must be told about: multiranges, and those of a category that it does not know.
//!
//! sqlx describes every type of a statement that it does not know by a query on the catalog, and fails on the answer for a
//! multirange, because it has no word for `typtype` m, and on that for a type of the server's own use, because it has none
//! for `typcategory` Z. No function tells it a type; but the text of that query holds the name of an array's element as it
//! was given, and so the query can be made to answer for these types: for multiranges as arrays of their ranges, for the
//! others as types of category U, both of which it understands. What it has learnt stays with the connection. The version of
//! sqlx is pinned; tests/test_multiranges.py fails when another one asks differently (ADR 0012).
use crate::error::Error;
use sqlx::postgres::{PgConnection, PgTypeInfo, PgTypeKind};
use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr, TypeInfo};

/// In place of a name, and therefore on one line: it ends the list of names, returns the rows to read from, and leaves what
/// sqlx appends to a second query without rows.
const LESSON: &str = concat!(
    "' || NULL, 0::oid)) lookup_inner(original_name, lookup_oid)) type_lookup CROSS JOIN (",
    "SELECT t.oid, t.typname, 'b'::\"char\" AS typtype, 'A'::\"char\" AS typcategory, r.rngtypid AS typelem, ",
    "0::oid AS typbasetype, 0::oid AS typrelid, NULL::oid AS rngsubtype ",
    "FROM pg_catalog.pg_range r JOIN pg_catalog.pg_type t ON t.oid = r.rngmultitypid ",
    "UNION ALL SELECT t.oid, t.typname, 'b', 'U', 0::oid, 0::oid, 0::oid, NULL FROM pg_catalog.pg_type t ",
    "WHERE t.typtype = 'b' AND t.typcategory::text !~ '[ABCDEGINPRSTUVX]') pg_type; ",
    "SELECT pg_type.oid FROM (SELECT 0::oid AS lookup_oid WHERE false -- ",
);

/// Tells the connection about these types of its database, after the description of `sql` has failed.
///
/// # Errors
/// When the server refuses, or when this sqlx does not listen.
pub(crate) async fn teach(pg: &mut PgConnection, sql: &str) -> Result<(), Error> {
    match pg.prepare_with("SELECT".into_sql_str(), &[PgTypeInfo::array_of(LESSON)]).await {
        // The name itself is not defined.
        Err(sqlx::Error::TypeNotFound { .. }) | Ok(_) => forget(pg, sql).await.map_err(|e| Error::from_sqlx(e, false)),
        Err(e) => Err(Error::from_sqlx(e, false)),
    }
}

/// The statement stayed prepared on the server, and sqlx does not know its name any more.
pub(crate) async fn forget(pg: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let text = sql.replace('\\', "\\\\").replace('\'', "''");
    let question = format!(
        "SELECT 'DEALLOCATE ' || pg_catalog.quote_ident(name) FROM pg_catalog.pg_prepared_statements \
         WHERE NOT from_sql AND statement = E'{text}'"
    );
    for row in pg.fetch_all(sqlx::raw_sql(AssertSqlSafe(question))).await? {
        pg.execute(sqlx::raw_sql(AssertSqlSafe(row.try_get::<String, _>(0)?))).await?;
    }
    Ok(())
}

/// Whether a type that sqlx takes for an array is a multirange: only the names of arrays end in brackets.
pub(crate) fn is_multirange(array: &PgTypeInfo, element: &PgTypeInfo) -> bool {
    matches!(element.kind(), PgTypeKind::Range(_)) && !array.name().ends_with("[]")
}
