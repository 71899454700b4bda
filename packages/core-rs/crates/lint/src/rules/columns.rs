//! L09, L13–L19, L23: columns.

use crate::change::Column;
use crate::context::{Cx, Severity};
use crate::effect::Lock;
use crate::name::Name;
use crate::schema::mentions;
use crate::types::{Cost, Type};
use crate::volatile::volatile;

const SWAP: &str =
    "a new column, filled by a trigger and in batches, swapped by renaming; the old one goes in a later migration";
const EXCLUSIVE: Option<Lock> = Some(Lock::AccessExclusive);

pub(crate) fn add(cx: &mut Cx<'_>, table: &Name, column: &Column, line: usize) {
    super::style::column(cx, table, column, line);
    if cx.is_fresh(table) {
        super::constraints::inline(cx, table, column, line);
        return;
    }
    let name = &column.name;
    if column.identity || column.ty.serial() {
        let message = format!("each row of {table} gets a number for {name}: the table is rewritten");
        cx.report("L14", Severity::Error, line, message, "add a nullable bigint, set a sequence as its default, backfill in batches, then make it NOT NULL by a validated check", EXCLUSIVE);
        cx.rewrites();
    } else if column.generated.is_some() && column.stored {
        let message = format!("{name} is computed for each row of {table}: the table is rewritten");
        cx.report(
            "L15",
            Severity::Error,
            line,
            message,
            "a plain column with a trigger and a backfill; PostgreSQL 18 has VIRTUAL columns, which write nothing",
            EXCLUSIVE,
        );
        cx.rewrites();
    } else if let Some(default) = &column.default {
        if volatile(default, &cx.schema) {
            let message =
                format!("the default {} of {name} differs from row to row: {table} is rewritten", default.text);
            cx.report(
                "L13",
                Severity::Error,
                line,
                message,
                "add the column without a default, set the default in a second statement, backfill in batches",
                EXCLUSIVE,
            );
            cx.rewrites();
        } else if column.not_null && default.text.eq_ignore_ascii_case("null") {
            missing(cx, table, column, line);
        }
    } else if column.not_null && column.generated.is_none() {
        missing(cx, table, column, line);
    }
    super::constraints::inline(cx, table, column, line);
}

fn missing(cx: &mut Cx<'_>, table: &Name, column: &Column, line: usize) {
    let message = format!(
        "{} is NOT NULL and has no default: this fails when {table} has rows, and inserts of running code fail afterwards",
        column.name
    );
    cx.report("L16", Severity::Error, line, message, "give it a default (it costs nothing, and can be dropped later), or add it nullable, backfill, then NOT NULL by a validated check", EXCLUSIVE);
}

pub(crate) fn not_null(cx: &mut Cx<'_>, table: &Name, column: &str, line: usize) {
    if cx.is_fresh(table) {
        return;
    }
    let hint = "ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID; in a later transaction VALIDATE CONSTRAINT; then SET NOT NULL scans nothing; drop the check";
    let check = cx.schema.tables.get(table).and_then(|t| {
        t.constraints.iter().find(|c| {
            let text = c.text.to_lowercase().replace('"', "");
            c.kind == crate::change::Kind::Check && text.contains("is not null") && mentions(&text, column)
        })
    });
    match check {
        Some(c) if !c.not_valid => {}
        Some(c) => {
            let message = format!(
                "the check {} that would spare the scan is not validated yet",
                c.name.clone().unwrap_or_default()
            );
            cx.report(
                "L41",
                Severity::Error,
                line,
                message,
                "VALIDATE CONSTRAINT in an earlier transaction",
                EXCLUSIVE,
            );
        }
        None => {
            let message = format!("SET NOT NULL reads all of {table} under a lock that blocks reads and writes");
            cx.report("L09", Severity::Error, line, message, hint, EXCLUSIVE);
        }
    }
}

pub(crate) fn nullable(cx: &mut Cx<'_>, table: &Name, column: &str, line: usize) {
    if !cx.is_fresh(table) && !cx.script.down {
        let message = format!("{table}.{column} may be NULL from now on; code that reads it may not expect that");
        cx.report("L23", Severity::Info, line, message, "make readers ready first", EXCLUSIVE);
    }
}

pub(crate) fn rewrite(cx: &mut Cx<'_>, table: &Name, what: &str, line: usize) {
    if !cx.is_fresh(table) {
        let message = format!("{what} rewrites {table}; it cannot be read meanwhile");
        cx.report(
            "L17",
            Severity::Error,
            line,
            message,
            "a maintenance window, or a new table that is filled in batches and swapped",
            EXCLUSIVE,
        );
        cx.rewrites();
    }
}

/// A USING that says no more than the cast that PostgreSQL makes by itself.
fn is_plain(using: &str, column: &str, ty: &Type) -> bool {
    let text = using.to_lowercase().replace(['"', ' ', '(', ')'], "");
    let column = column.to_lowercase();
    text == column
        || text.strip_prefix(&format!("{column}::")).is_some_and(|t| Type::read(t).name == ty.name)
        || Type::read(using.rsplit("::").next().unwrap_or("")).name == ty.name
            && text.starts_with(&format!("{column}::"))
}

pub(crate) fn retype(cx: &mut Cx<'_>, table: &Name, column: &str, ty: &Type, using: Option<&str>, line: usize) {
    if cx.is_fresh(table) {
        return;
    }
    let old = cx.schema.column(table, column).cloned().unwrap_or_default();
    let dependents = cx.schema.dependents(table, column);
    if !dependents.is_empty() && old != *ty {
        let message =
            format!("the server refuses it while others depend on {table}.{column}: {}", dependents.join(", "));
        cx.report(
            "L18",
            Severity::Warning,
            line,
            message,
            "drop them before and make them again behind, in the same migration",
            EXCLUSIVE,
        );
    }
    let computed = using.is_some_and(|u| !is_plain(u, column, ty));
    let zoned = (old.name.as_str(), ty.name.as_str()) == ("timestamp", "timestamptz") && !old.array;
    let cost = match ty.cost_from(&old) {
        _ if computed => Cost::Rewrite,
        Cost::Rewrite if zoned && cx.utc => Cost::Free,
        cost => cost,
    };
    let safe = if zoned && !computed {
        "if the values are UTC, SET LOCAL timezone = 'UTC' before it: then nothing is written"
    } else {
        SWAP
    };
    let is_enum = |t: &Type| cx.schema.enums.contains_key(&Name::read(&t.name));
    let known_enum = is_enum(ty);
    match cost {
        Cost::Free => {}
        Cost::Rewrite => {
            let message = if old.name.is_empty() {
                format!("{table}.{column} becomes {ty} by an expression: the table and its indexes are rewritten")
            } else {
                format!(
                    "{table}.{column} from {old} to {ty}: the table and its indexes are rewritten, it cannot be read meanwhile"
                )
            };
            cx.report("L17", Severity::Error, line, message, safe, EXCLUSIVE);
            cx.rewrites();
        }
        Cost::Unknown if ty.name == "text" && !ty.array => {
            let message = format!(
                "the old type of {table}.{column} is not known here: unless it is varchar, the table is rewritten"
            );
            cx.report("L17", Severity::Warning, line, message, safe, EXCLUSIVE);
        }
        Cost::Unknown => {
            let message =
                format!("the old type of {table}.{column} is not known here: making it {ty} may rewrite the table");
            cx.report("L17", Severity::Warning, line, message, safe, EXCLUSIVE);
            cx.rewrites();
        }
    }
    if known_enum && using.is_some() {
        super::enums::rebuilt(cx, table, column, ty, line);
    }
    if ty.narrows(&old)
        || (old.name.is_empty()
            && using.is_some_and(|u| u.contains("::"))
            && !matches!(ty.name.as_str(), "text" | "varchar" | "jsonb"))
    {
        let from = if old.name.is_empty() { String::new() } else { format!(" from {old}") };
        let message =
            format!("values of {table}.{column} may not fit{from} into {ty}: the statement fails, or cuts them");
        cx.report(
            "L19",
            Severity::Warning,
            line,
            message,
            "ask for such rows first, and hold them off by a CHECK … NOT VALID",
            EXCLUSIVE,
        );
    }
}
