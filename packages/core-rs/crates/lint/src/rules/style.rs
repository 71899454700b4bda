//! L26, L35, L36, L39, L40: settings, names and types.

use crate::change::{Change, Column, Kind, Table};
use crate::context::{Cx, Severity};
use crate::name::Name;

/// L35: names that PostgreSQL cuts. L36: names that depend on `search_path`, when asked for.
pub(crate) fn identifiers(cx: &mut Cx<'_>, change: &Change) {
    let mut made: Vec<String> = Vec::new();
    let mut named: Vec<&Name> = Vec::new();
    match change {
        Change::CreateTable(t) => {
            made.push(t.name.name.clone());
            made.extend(t.columns.iter().map(|c| c.name.clone()));
            made.extend(t.constraints.iter().filter_map(|c| c.name.clone()));
            named.push(&t.name);
        }
        Change::CreateIndex(i) => {
            made.extend(i.name.iter().map(|n| n.name.clone()));
            named.push(&i.table);
        }
        Change::CreateEnum { name, .. } | Change::CreateView { name, .. } => {
            made.push(name.name.clone());
            named.push(name);
        }
        Change::Rename { to, .. } => made.push(to.clone()),
        Change::AlterTable { table, actions } => {
            use crate::change::Action as A;
            named.push(table);
            for (action, _) in actions {
                match action {
                    A::AddColumn { column, .. } => made.push(column.name.clone()),
                    A::Add(c) => made.extend(c.name.clone()),
                    A::RenameColumn { to, .. } | A::RenameTable(to) | A::RenameConstraint { to, .. } => {
                        made.push(to.clone())
                    }
                    _ => {}
                }
            }
        }
        Change::Drop { names, .. } => named.extend(names),
        Change::Update { table, .. } | Change::Delete { table, .. } | Change::Insert { table, .. } => named.push(table),
        _ => {}
    }
    let line = cx.line(0);
    for name in made.into_iter().filter(|n| n.len() > 63) {
        let cut: String = name
            .chars()
            .scan(0, |n, c| {
                *n += c.len_utf8();
                (*n <= 63).then_some(c)
            })
            .collect();
        let message = format!("{name} has {} bytes: PostgreSQL cuts it to {cut}", name.len());
        cx.report("L35", Severity::Warning, line, message, "at most 63 bytes", None);
    }
    if cx.options.qualified
        && let Some(name) =
            named.into_iter().find(|n| n.schema.is_none() && !cx.statement.sql.to_lowercase().contains("public."))
    {
        let message = format!("{name} is looked for along search_path");
        cx.report("L36", Severity::Warning, line, message, "write schema.name", None);
    }
}

pub(crate) fn settings(cx: &mut Cx<'_>, change: &Change, line: usize) {
    let (name, value, local) = match change {
        Change::Set { name, value, local } => (name.clone(), value.clone(), *local),
        Change::Select { set_config } => match set_config.first() {
            Some((name, local)) => (name.to_lowercase(), String::new(), *local),
            None => return,
        },
        _ => return,
    };
    if name == "timezone" {
        cx.utc = value.trim_matches('\'').eq_ignore_ascii_case("utc");
    }
    if name == "search_path" && !local {
        let message = "search_path stays changed behind this migration's statements".to_owned();
        cx.report(
            "L36",
            Severity::Warning,
            line,
            message,
            "SET LOCAL search_path, or names with their schema (the runner resets the session after each migration)",
            None,
        );
    }
    // A concurrent build outside of transactions may take its time.
    let matters = name == "lock_timeout" || (name == "statement_timeout" && cx.script.atomic != Some(false));
    if matters && matches!(value.trim_matches('\'').trim(), "0" | "0s" | "0ms" | "default") {
        let message =
            format!("{name} is switched off: while this migration waits for a lock, all other sessions wait behind it");
        cx.report(
            "L26",
            Severity::Warning,
            line,
            message,
            "leave the runner's timeouts as they are, or set longer ones",
            None,
        );
    }
}

/// L39 for a new table.
pub(crate) fn table(cx: &mut Cx<'_>, table: &Table) {
    let keys: Vec<&String> = table
        .constraints
        .iter()
        .filter(|c| c.kind == Kind::Primary && c.columns.len() == 1)
        .flat_map(|c| &c.columns)
        .collect();
    for c in &table.columns {
        let line = cx.line(c.at);
        let primary = keys.contains(&&c.name) || c.constraints.iter().any(|k| k.kind == Kind::Primary);
        if primary && matches!(c.ty.name.as_str(), "integer" | "smallint" | "serial" | "smallserial") {
            let message = format!(
                "the key {}.{} ends at {}",
                table.name,
                c.name,
                if c.ty.name.starts_with("small") { "32,767" } else { "2,147,483,647" }
            );
            cx.report("L39", Severity::Info, line, message, "bigint GENERATED ALWAYS AS IDENTITY", None);
        } else {
            column(cx, &table.name, c, line);
        }
    }
}

/// L39 for a column.
pub(crate) fn column(cx: &mut Cx<'_>, table: &Name, c: &Column, line: usize) {
    if cx.script.down {
        return;
    }
    let (why, hint) = match c.ty.name.as_str() {
        "char" => ("char(n) is padded with blanks", "text"),
        "varchar" if !c.ty.modifiers.is_empty() => (
            "making the limit of a varchar(n) smaller later reads and locks the whole table",
            "text, with a CHECK where a limit is needed",
        ),
        "timestamp" => ("a timestamp without a time zone is not a moment", "timestamptz"),
        "json" => ("json cannot be compared: DISTINCT and GROUP BY fail", "jsonb"),
        "serial" | "bigserial" | "smallserial" => (
            "the sequence of a serial column has an owner and privileges of its own",
            "bigint GENERATED ALWAYS AS IDENTITY",
        ),
        "money" => ("the meaning of money depends on lc_monetary", "numeric"),
        _ => return,
    };
    let message = format!("{table}.{}: {why}", c.name);
    cx.report("L39", Severity::Info, line, message, hint, None);
}

/// L40.
pub(crate) fn domain(cx: &mut Cx<'_>, change: &Change, line: usize) {
    match change {
        Change::CreateDomain { name, checked: true } => {
            cx.fresh.insert(name.clone());
            let message = format!("changing the constraint of domain {name} later reads every table that uses it");
            cx.report("L40", Severity::Info, line, message, "a CHECK on the column", None);
        }
        Change::CreateDomain { name, .. } => {
            cx.fresh.insert(name.clone());
        }
        Change::AlterDomain { name, adds: true, not_valid: false } if !cx.fresh.contains(name) => {
            let message = format!("every table that uses domain {name} is read while writes are blocked on it");
            cx.report(
                "L40",
                Severity::Error,
                line,
                message,
                "ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT",
                Some(crate::effect::Lock::Share),
            );
        }
        _ => {}
    }
}
