//! The rules. Each file has those about one thing.

mod columns;
mod constraints;
mod data;
mod drops;
mod enums;
mod indexes;
mod style;
mod transactions;

use crate::change::{Action, Change};
use crate::context::{Cx, Severity};
use crate::effect::{Lock, effect};
use crate::name::Name;

/// All rules about one statement; afterwards the schema knows it.
pub(crate) fn statement(cx: &mut Cx<'_>, change: &Change) {
    let line = cx.line(0);
    transactions::control(cx, change);
    match change {
        Change::Unknown(error) => {
            let head: String = cx.statement.sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
            cx.report(
                "L00",
                Severity::Warning,
                line,
                format!("not understood ({error}): {head} …; no rule has looked at this statement"),
                "look at its locks yourself, then waive this line with a reason",
                None,
            );
        }
        Change::Do { inner, dynamic, error, commits } => {
            if let Some(error) = error {
                cx.report(
                    "L00",
                    Severity::Warning,
                    line,
                    format!("this block was not understood: {error}"),
                    "look at it yourself",
                    None,
                );
            }
            for at in dynamic {
                let line = cx.line(*at);
                let message = "EXECUTE runs a text that is made while it runs; no rule can look at it".to_owned();
                cx.report(
                    "L00",
                    Severity::Info,
                    line,
                    message,
                    "look at its locks yourself, then waive this line with a reason",
                    None,
                );
            }
            if *commits {
                transactions::commits(cx, line);
            }
            cx.in_block = true;
            for (change, at, text) in inner {
                let line = cx.line(*at);
                change_rules(cx, change, line, text);
                cx.schema.apply(change);
            }
            cx.in_block = false;
        }
        _ => {
            let text = cx.statement.sql.clone();
            change_rules(cx, change, line, &text);
            cx.schema.apply(change);
        }
    }
    style::identifiers(cx, change);
}

fn change_rules(cx: &mut Cx<'_>, change: &Change, line: usize, text: &str) {
    enums::uses(cx, change, line, text);
    transactions::locks(cx, change, line);
    match change {
        Change::CreateTable(table) => {
            if !(table.if_not_exists && cx.schema.tables.contains_key(&table.name)) {
                cx.fresh.insert(table.name.clone());
            }
            style::table(cx, table);
            constraints::keys_of(cx, table);
        }
        Change::AlterTable { table, actions } => {
            let strongest = actions.iter().map(|(a, _)| crate::effect::action_lock(a)).max();
            for (action, at) in actions {
                let line = if cx.in_block { line } else { cx.line(*at) };
                alter(cx, table, action, line, strongest.unwrap_or(Lock::AccessExclusive));
            }
        }
        Change::CreateIndex(index) => indexes::create(cx, index, line),
        Change::DropIndex { names, concurrently, .. } => indexes::drop(cx, names, *concurrently, line),
        Change::Reindex { .. } | Change::Refresh { .. } | Change::VacuumFull(_) | Change::Cluster(_) => {
            indexes::exclusive(cx, change, line);
        }
        Change::Drop { .. } => drops::drop(cx, change, line),
        Change::Rename { .. } | Change::RenameValue { .. } => drops::rename(cx, change, line),
        Change::Truncate { .. } => drops::truncate(cx, change, line),
        Change::CreateEnum { .. } | Change::AddValue { .. } => enums::define(cx, change, line),
        Change::CreateDomain { .. } | Change::AlterDomain { .. } => style::domain(cx, change, line),
        Change::Update { .. } | Change::Delete { .. } | Change::Insert { .. } => data::write(cx, change, line, text),
        Change::Set { .. } | Change::Select { .. } => style::settings(cx, change, line),
        Change::CreateView { name, .. } => {
            cx.fresh.insert(name.clone());
        }
        _ => {}
    }
    if matches!(change, Change::Drop { cascade: true, .. } | Change::DropIndex { cascade: true, .. }) {
        drops::cascade(cx, change, line);
    }
    transactions::remember(cx, change);
}

fn alter(cx: &mut Cx<'_>, table: &Name, action: &Action, line: usize, lock: Lock) {
    // Names move along: what was made here stays fresh under its new name.
    if let Action::RenameTable(to) = action
        && cx.is_fresh(table)
    {
        cx.fresh.insert(Name { schema: table.schema.clone(), name: to.clone() });
    }
    match action {
        Action::AddColumn { column, .. } => columns::add(cx, table, column, line),
        Action::SetType { column, ty, using } => columns::retype(cx, table, column, ty, using.as_deref(), line),
        Action::SetNotNull(column) => columns::not_null(cx, table, column, line),
        Action::DropNotNull(column) => columns::nullable(cx, table, column, line),
        Action::Rewrite(what) => columns::rewrite(cx, table, what, line),
        Action::Add(constraint) => constraints::add(cx, table, constraint, line),
        Action::Validate(name) => constraints::validate(cx, table, name, line, lock),
        Action::DropConstraint { name, cascade } => constraints::drop(cx, table, name, *cascade, line),
        Action::DropColumn { name, cascade } => drops::column(cx, table, name, *cascade, line),
        Action::RenameColumn { .. } | Action::RenameTable(_) | Action::SetSchema(_) => {
            drops::alter(cx, table, action, line)
        }
        Action::Attach(child) => constraints::attach(cx, table, child, line),
        Action::Detach { child, concurrently } => indexes::detach(cx, table, child, *concurrently, line),
        _ => {}
    }
}

/// What can be said only when a script is over.
pub(crate) fn end(cx: &mut Cx<'_>) {
    constraints::unindexed(cx);
    constraints::lost(cx);
    transactions::open(cx);
}

pub(crate) fn locks_of(cx: &Cx<'_>, change: &Change) -> Vec<(Name, Lock)> {
    effect(change, &cx.schema).locks
}
