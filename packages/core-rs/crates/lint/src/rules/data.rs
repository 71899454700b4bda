//! L28, L29: rows that are changed beside the schema.

use crate::change::Change;
use crate::context::{Cx, Severity};
use crate::effect::Lock;

pub(crate) fn write(cx: &mut Cx<'_>, change: &Change, line: usize, text: &str) {
    let (table, keys, verb) = match change {
        Change::Update { table, keys } => (table, keys, "updates"),
        Change::Delete { table, keys } => (table, keys, "deletes"),
        Change::Insert { table, select: true } => (table, &None, "copies"),
        _ => return,
    };
    if table.name == "pg_enum" {
        let message =
            "pg_enum is the server's own: other sessions keep the old values in memory, indexes may break".to_owned();
        cx.report("L32", Severity::Error, line, message, "ALTER TYPE … ADD VALUE or RENAME VALUE", None);
        return;
    }
    if table.name.starts_with("pg_") {
        return;
    }
    if keys.as_ref().is_some_and(|k| names_rows(cx, table, k)) {
        return;
    }
    let held: Vec<String> = cx.strong.iter().map(ToString::to_string).collect();
    let source_fresh =
        verb == "copies" && cx.fresh.iter().any(|t| t != table && crate::schema::mentions(text, &t.name));
    let harmless = source_fresh || (cx.is_fresh(table) && verb != "copies");
    if !held.is_empty() && !harmless {
        let message =
            format!("this {verb} rows of {table} while the transaction holds a strong lock on {}", held.join(", "));
        cx.report(
            "L28",
            Severity::Warning,
            line,
            message,
            "change the schema in one migration and the rows in the next, in batches: backfill()",
            Some(Lock::RowExclusive),
        );
    } else if verb != "copies" && !cx.is_fresh(table) {
        let message = format!(
            "one statement {verb} rows of {table} without a bound: long locks on rows, bloat, a lagging replica"
        );
        cx.report(
            "L29",
            Severity::Warning,
            line,
            message,
            "backfill(): batches by key, each in a transaction of its own",
            Some(Lock::RowExclusive),
        );
    }
}

/// Whether the columns compared with constants name single rows.
fn names_rows(cx: &Cx<'_>, table: &crate::name::Name, keys: &[String]) -> bool {
    keys.iter().any(|k| k == "id" || k == "uuid")
        || cx.schema.indexes.iter().any(|i| {
            i.table == *table && i.unique && i.comparable && i.columns.iter().flatten().all(|c| keys.contains(c))
        })
}
