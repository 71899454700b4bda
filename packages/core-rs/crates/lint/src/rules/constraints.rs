//! L06–L08, L10–L12, L24, L37, L41: constraints.

use crate::change::{Column, Constraint, Kind, Table};
use crate::context::{Cx, Severity};
use crate::effect::Lock;
use crate::name::Name;
use crate::schema::constraint_name;

const EXCLUSIVE: Option<Lock> = Some(Lock::AccessExclusive);

pub(crate) fn add(cx: &mut Cx<'_>, table: &Name, c: &Constraint, line: usize) {
    let name = constraint_name(table, c);
    cx.dropped.retain(|(t, n, _)| t != table || *n != name);
    if let Kind::Foreign { .. } = c.kind {
        cx.keys.push((table.clone(), c.columns.clone(), line));
    }
    if cx.is_fresh(table) {
        return;
    }
    if c.not_valid {
        cx.unvalidated.push((table.clone(), name));
        return;
    }
    match &c.kind {
        Kind::Foreign { table: target, .. } => {
            let message = format!("all rows of {table} are checked while writes are blocked on {table} or {target}");
            let hint = "ADD … NOT VALID, then VALIDATE CONSTRAINT in a later transaction: it blocks no reads or writes";
            cx.report("L06", Severity::Error, line, message, hint, Some(Lock::ShareRowExclusive));
        }
        Kind::Check => {
            let message = format!("all rows of {table} are checked while reads and writes are blocked on it");
            let hint = "ADD … NOT VALID, then VALIDATE CONSTRAINT in a later transaction: it blocks no reads or writes";
            cx.report("L07", Severity::Error, line, message, hint, EXCLUSIVE);
        }
        Kind::NotNull => c.columns.iter().for_each(|column| super::columns::not_null(cx, table, column, line)),
        Kind::Unique | Kind::Primary if c.using_index.is_some() => primary_columns(cx, table, c, line),
        Kind::Unique => {
            let message = format!("the index of {name} is built while reads and writes are blocked on {table}");
            let hint = "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX";
            cx.report("L10", Severity::Error, line, message, hint, EXCLUSIVE);
        }
        Kind::Primary => {
            let message = format!(
                "the index of {name} is built, and its columns searched for NULL, while reads and writes are blocked on {table}"
            );
            let hint = "make the columns NOT NULL by a validated check, CREATE UNIQUE INDEX CONCURRENTLY, then ADD PRIMARY KEY USING INDEX";
            cx.report("L11", Severity::Error, line, message, hint, EXCLUSIVE);
        }
        Kind::Exclude => {
            let message = format!(
                "an exclusion constraint cannot be NOT VALID: {table} is read and indexed under a lock that blocks reads and writes"
            );
            let hint = "a new table with the constraint, filled in batches, or a maintenance window";
            cx.report("L12", Severity::Error, line, message, hint, EXCLUSIVE);
        }
    }
}

/// ADD PRIMARY KEY USING INDEX makes its columns NOT NULL, which is a scan like any other.
fn primary_columns(cx: &mut Cx<'_>, table: &Name, c: &Constraint, line: usize) {
    if c.kind != Kind::Primary {
        return;
    }
    let Some(index) = c.using_index.as_ref().and_then(|n| cx.index(n)) else { return };
    let columns: Vec<String> = index.columns.iter().flatten().cloned().collect();
    for column in columns {
        let known = cx.schema.tables.get(table).is_some_and(|t| t.columns.contains_key(&column) && t.open);
        if known {
            super::columns::not_null(cx, table, &column, line);
        }
    }
}

/// Constraints beside a new column.
pub(crate) fn inline(cx: &mut Cx<'_>, table: &Name, column: &Column, line: usize) {
    for c in &column.constraints {
        if matches!(c.kind, Kind::Foreign { .. }) {
            cx.keys.push((table.clone(), c.columns.clone(), line));
        }
        // A new column without a default is NULL everywhere: PostgreSQL does not check the key then.
        let null = column.default.is_none();
        if cx.is_fresh(table) || (matches!(c.kind, Kind::Foreign { .. }) && null) {
            continue;
        }
        let (before, name) = (cx.keys.len(), constraint_name(table, c));
        add(cx, table, &Constraint { name: Some(name), ..c.clone() }, line);
        cx.keys.truncate(before);
    }
}

/// Foreign keys of a new table.
pub(crate) fn keys_of(cx: &mut Cx<'_>, table: &Table) {
    let inline = table.columns.iter().flat_map(|c| c.constraints.iter().map(|k| (k, c.at)));
    for (constraint, at) in table.constraints.iter().map(|c| (c, c.at)).chain(inline) {
        if matches!(constraint.kind, Kind::Foreign { .. }) {
            let line = cx.line(at);
            cx.keys.push((table.name.clone(), constraint.columns.clone(), line));
        }
    }
}

pub(crate) fn validate(cx: &mut Cx<'_>, table: &Name, name: &str, line: usize, lock: Lock) {
    if cx.is_fresh(table) {
        return;
    }
    if cx.unvalidated.iter().any(|(t, n)| t == table && n == name) || lock > Lock::ShareUpdateExclusive {
        let message = format!(
            "{name} is validated in the transaction that added it: its strong lock on {table} is held through the scan"
        );
        cx.report(
            "L08",
            Severity::Error,
            line,
            message,
            "validate in a migration of its own, or behind a COMMIT",
            EXCLUSIVE,
        );
        return;
    }
    let known = cx.schema.tables.get(table).filter(|t| !t.open && !t.columns.is_empty());
    if known.is_some_and(|t| !t.constraints.iter().any(|c| c.name.as_deref() == Some(name))) {
        let message = format!("no earlier migration gives {table} a constraint {name}");
        cx.report("L41", Severity::Warning, line, message, "is the name right?", Some(Lock::ShareUpdateExclusive));
    }
}

pub(crate) fn attach(cx: &mut Cx<'_>, table: &Name, child: &Name, line: usize) {
    if cx.is_fresh(child) {
        return;
    }
    let checked = cx
        .schema
        .tables
        .get(child)
        .is_some_and(|t| t.constraints.iter().any(|c| c.kind == Kind::Check && !c.not_valid));
    if !checked {
        let message = format!(
            "all rows of {child} are checked against its bounds under a lock that blocks reads and writes; the default partition of {table} is, too"
        );
        let hint =
            "first give the partition a CHECK like its bounds, NOT VALID and then validated: ATTACH then scans nothing";
        cx.report("L07", Severity::Warning, line, message, hint, EXCLUSIVE);
    }
}

pub(crate) fn drop(cx: &mut Cx<'_>, table: &Name, name: &str, cascade: bool, line: usize) {
    if cascade && !cx.script.down {
        let message = format!("CASCADE drops what depends on {name}, whatever that is by then");
        cx.report("L25", Severity::Warning, line, message, "name what is to go", EXCLUSIVE);
    }
    if !cx.is_fresh(table) && !cx.script.down {
        cx.dropped.push((table.clone(), name.to_owned(), line));
    }
}

/// L24: a key is gone that others rely on, and nothing took its place.
pub(crate) fn lost(cx: &mut Cx<'_>) {
    for (table, name, line) in std::mem::take(&mut cx.dropped) {
        if !name.ends_with("_pkey") && !name.ends_with("_key") {
            continue;
        }
        let mut users: Vec<String> = cx
            .schema
            .tables
            .iter()
            .filter(|(other, known)| {
                **other != table
                    && known
                        .constraints
                        .iter()
                        .any(|c| matches!(&c.kind, Kind::Foreign { table: target, .. } if *target == table))
            })
            .map(|(other, _)| other.to_string())
            .collect();
        users.sort();
        let again = cx
            .schema
            .tables
            .get(&table)
            .is_some_and(|t| t.constraints.iter().any(|c| matches!(c.kind, Kind::Primary | Kind::Unique)));
        if !users.is_empty() && !again {
            let message = format!("{name} of {table} goes, and foreign keys rely on that table: {}", users.join(", "));
            cx.report(
                "L24",
                Severity::Warning,
                line,
                message,
                "drop or move those foreign keys first, in steps of their own",
                EXCLUSIVE,
            );
        }
    }
}

/// L37: a foreign key whose columns no index begins with.
pub(crate) fn unindexed(cx: &mut Cx<'_>) {
    for (table, columns, line) in std::mem::take(&mut cx.keys) {
        let gone =
            cx.schema.tables.get(&table).is_none_or(|t| columns.iter().any(|c| !t.columns.contains_key(c) && !t.open));
        let served = |i: &crate::schema::KnownIndex| {
            i.table == table
                && i.columns.len() >= columns.len()
                && columns.iter().all(|c| i.columns[..columns.len()].contains(&Some(c.clone())))
        };
        if cx.script.down || gone || columns.is_empty() || cx.schema.indexes.iter().any(served) {
            continue;
        }
        let message = format!(
            "no index begins with {} of {table}: deleting a referenced row reads all of {table}",
            columns.join(", ")
        );
        cx.report(
            "L37",
            Severity::Warning,
            line,
            message,
            "CREATE INDEX CONCURRENTLY on the referencing columns",
            None,
        );
    }
}
