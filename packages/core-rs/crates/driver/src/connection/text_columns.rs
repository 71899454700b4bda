//! Columns of types that the server sends in no binary form, such as the privileges in its catalog, are read as text.
use sqlx::Column;
use sqlx::postgres::PgColumn;
use std::fmt::Write;

/// `pg_node_tree`, `aclitem`, the types of extended statistics, of the summaries of block ranges and of GiST's text search:
/// their OIDs never change.
const TEXT: [u32; 8] = [194, 1033, 3361, 3402, 4600, 4601, 3642, 5017];
/// `aclitem[]` and `gtsvector[]`.
const TEXTS: [u32; 2] = [1034, 3644];

/// The query around `query` that returns such columns as text; `None` when there are none.
pub(crate) fn readable(query: &str, columns: &[PgColumn]) -> Option<String> {
    let oid = |c: &PgColumn| c.type_info().oid().map_or(0, |oid| oid.0);
    if !columns.iter().any(|c| TEXT.contains(&oid(c)) || TEXTS.contains(&oid(c))) {
        return None;
    }
    let (mut list, mut names) = (String::new(), String::new());
    for (i, column) in columns.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let cast = match oid(column) {
            oid if TEXT.contains(&oid) => "::pg_catalog.text",
            oid if TEXTS.contains(&oid) => "::pg_catalog.text[]",
            _ => "",
        };
        let name = column.name().replace('"', "\"\"");
        let _ = write!(list, "{comma}c{i}{cast} AS \"{name}\"");
        let _ = write!(names, "{comma}c{i}");
    }
    Some(format!("SELECT {list} FROM ({query}) AS _({names})"))
}
