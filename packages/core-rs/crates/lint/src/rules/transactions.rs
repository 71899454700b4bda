//! L26, L27, L33, L34: transactions and the time that locks are held.

use crate::change::Change;
use crate::context::{Cx, Severity, runs_alone};
use crate::effect::Lock;
use crate::name::Name;

/// L33, L34 and the end of transactions.
pub(crate) fn control(cx: &mut Cx<'_>, change: &Change) {
    let line = cx.line(0);
    match change {
        Change::Begin if cx.explicit => {
            let message = "BEGIN inside a transaction does nothing but warn".to_owned();
            cx.report("L34", Severity::Warning, line, message, "leave it away", None);
        }
        Change::Begin => {
            let message =
                "transactions belong to the runner, which has one for each migration and its row in the history"
                    .to_owned();
            cx.report("L34", Severity::Info, line, message, "leave BEGIN and COMMIT away; the runner does", None);
        }
        Change::Commit if !cx.explicit => {
            let message = "COMMIT without BEGIN: what stands before it is committed for itself, a failure behind it does not undo it".to_owned();
            cx.report("L34", Severity::Warning, line, message, "leave it away", None);
        }
        Change::Rollback => {
            let message =
                "ROLLBACK undoes what stands before it: the migration would be recorded, but not done".to_owned();
            cx.report("L34", Severity::Error, line, message, "leave it away", None);
        }
        Change::Call if cx.script.atomic == Some(false) => {
            let message =
                "a procedure may commit half-way: when it is interrupted, the runner cannot know how far it came"
                    .to_owned();
            cx.report("L33", Severity::Warning, line, message, "write it so that it can be called twice", None);
        }
        _ => {}
    }
}

/// A DO block with COMMIT inside.
pub(crate) fn commits(cx: &mut Cx<'_>, line: usize) {
    let (rule, severity, message) = if cx.script.atomic == Some(false) {
        (
            "L33",
            Severity::Warning,
            "this block commits half-way: when it is interrupted, the runner cannot know how far it came",
        )
    } else {
        ("L34", Severity::Error, "COMMIT inside a block fails in the runner's transaction")
    };
    cx.report(
        rule,
        severity,
        line,
        message.to_owned(),
        "backfill(), or `-- no-transaction` and a block that can run twice",
        None,
    );
}

pub(crate) fn open(cx: &mut Cx<'_>) {
    if cx.explicit {
        let message = "BEGIN has no COMMIT in this file".to_owned();
        let line = cx.line(0);
        cx.report("L34", Severity::Error, line, message, "leave it away", None);
    }
}

fn strong(cx: &Cx<'_>, change: &Change) -> Vec<Name> {
    let mut names: Vec<Name> = super::locks_of(cx, change)
        .into_iter()
        .filter(|(name, lock)| *lock >= Lock::ShareRowExclusive && !cx.is_fresh(name))
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    names
}

/// L27: strong locks on several tables, held until the end of the transaction.
pub(crate) fn locks(cx: &mut Cx<'_>, change: &Change, line: usize) {
    if runs_alone(change) || (cx.script.atomic == Some(false) && !cx.explicit) || matches!(change, Change::Do { .. }) {
        return;
    }
    let names = strong(cx, change);
    let other: Vec<Name> = cx.strong.iter().filter(|n| !names.contains(n)).cloned().collect();
    let new = names.iter().any(|n| !cx.strong.contains(n));
    if new && !other.is_empty() && !names.is_empty() && !cx.found.iter().any(|f| f.rule == "L27") {
        let held: Vec<String> = other.iter().map(ToString::to_string).collect();
        let message = format!(
            "this locks {} while the transaction still holds {}: both wait together, and code that takes them the other way round deadlocks",
            names[0],
            held.join(", ")
        );
        cx.report("L27", Severity::Warning, line, message, "one table for each migration", Some(Lock::AccessExclusive));
    }
}

/// What the transaction holds from now on.
pub(crate) fn remember(cx: &mut Cx<'_>, change: &Change) {
    if let Change::AddValue { name, value, .. } = change
        && !cx.fresh.contains(name)
    {
        cx.values.push((name.clone(), value.clone()));
    }
    if runs_alone(change) {
        return;
    }
    for name in strong(cx, change) {
        if !cx.strong.contains(&name) {
            cx.strong.push(name);
        }
    }
}
