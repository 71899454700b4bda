//! L20–L22, L25, L43: what running code still uses.

use crate::change::{Action, Change, Object};
use crate::context::{Cx, Severity};
use crate::effect::Lock;
use crate::name::Name;

const EXCLUSIVE: Option<Lock> = Some(Lock::AccessExclusive);

fn used(cx: &mut Cx<'_>, table: &Name, column: Option<&str>, line: usize) {
    let models: Vec<String> = cx
        .options
        .models
        .iter()
        .filter(|m| m.table == *table && column.is_none_or(|c| m.columns.iter().any(|mine| mine == c)))
        .map(|m| column.map_or_else(|| m.name.clone(), |c| format!("{}.{c}", m.name)))
        .collect();
    if !models.is_empty() {
        let message = format!("models still use it: {}", models.join(", "));
        cx.report("L43", Severity::Error, line, message, "take it out of the models, deploy, then drop it", None);
    }
}

pub(crate) fn drop(cx: &mut Cx<'_>, change: &Change, line: usize) {
    let Change::Drop { object, names, .. } = change else { return };
    if cx.script.down {
        return;
    }
    for name in names {
        match object {
            Object::Table if !cx.is_fresh(name) => {
                let locks = super::locks_of(cx, change);
                let mut parents: Vec<String> =
                    locks.iter().filter(|(n, _)| n != name && !names.contains(n)).map(|(n, _)| n.to_string()).collect();
                parents.sort();
                parents.dedup();
                let also = if parents.is_empty() {
                    String::new()
                } else {
                    format!(", and it locks {} whose foreign keys go", parents.join(", "))
                };
                let message = format!("{name} and its rows are gone for good; code that still asks for it fails{also}");
                cx.report(
                    "L22",
                    Severity::Error,
                    line,
                    message,
                    "deploy code that does without it, drop its foreign keys in steps of their own, then the table",
                    EXCLUSIVE,
                );
                used(cx, name, None, line);
            }
            Object::View | Object::MaterializedView if !cx.fresh.contains(name) => used(cx, name, None, line),
            Object::Database => {
                let message = format!("database {name} is gone for good");
                cx.report("L25", Severity::Error, line, message, "not in a migration", None);
            }
            Object::Owned => {
                let message = "DROP OWNED drops whatever the role has by then".to_owned();
                cx.report("L25", Severity::Error, line, message, "name what is to go", None);
            }
            _ => {}
        }
    }
}

pub(crate) fn cascade(cx: &mut Cx<'_>, change: &Change, line: usize) {
    let (what, names) = match change {
        Change::Drop { object, names, .. } => (object.word(), names),
        Change::DropIndex { names, .. } => ("index", names),
        _ => return,
    };
    if cx.script.down || !names.is_empty() && names.iter().all(|n| cx.is_fresh(n) || cx.fresh_indexes.contains(&n.name))
    {
        return;
    }
    let list: Vec<String> = names.iter().map(ToString::to_string).collect();
    let message = format!("CASCADE drops what depends on {what} {}, whatever that is by then", list.join(", "));
    cx.report("L25", Severity::Warning, line, message.replace("  ", " "), "name what is to go", EXCLUSIVE);
}

pub(crate) fn column(cx: &mut Cx<'_>, table: &Name, name: &str, cascade: bool, line: usize) {
    if cascade && !cx.is_fresh(table) && !cx.script.down {
        let message = format!("CASCADE drops what depends on {table}.{name}, whatever that is by then");
        cx.report("L25", Severity::Warning, line, message, "name what is to go", EXCLUSIVE);
    }
    let views = cx.schema.dependents(table, name);
    if !views.is_empty() && !cascade && !cx.is_fresh(table) {
        let message = format!("the server refuses it while others depend on {table}.{name}: {}", views.join(", "));
        cx.report(
            "L18",
            Severity::Warning,
            line,
            message,
            "drop them before and make them again behind, in the same migration",
            EXCLUSIVE,
        );
    }
    if cx.script.down || cx.is_fresh(table) {
        return;
    }
    let message = format!("{table}.{name} and its values are gone for good; code that still asks for it fails");
    cx.report(
        "L21",
        Severity::Error,
        line,
        message,
        "deploy code that neither reads nor writes it (and no SELECT *), then drop it in a later migration",
        EXCLUSIVE,
    );
    used(cx, table, Some(name), line);
}

const RENAME: &str = "add the new one, keep both in step by a trigger, move the code, drop the old one in a later migration; for tables an updatable view with the old name does";

pub(crate) fn alter(cx: &mut Cx<'_>, table: &Name, action: &Action, line: usize) {
    if cx.script.down || cx.is_fresh(table) {
        return;
    }
    let (what, column) = match action {
        Action::RenameColumn { from, to } => (format!("{table}.{from} is called {to}"), Some(from.as_str())),
        Action::RenameTable(to) => (format!("{table} is called {to}"), None),
        Action::SetSchema(to) => (format!("{table} is in schema {to}"), None),
        _ => return,
    };
    let message = format!("{what} from one moment to the next; running code fails until it is replaced");
    cx.report("L20", Severity::Error, line, message, RENAME, EXCLUSIVE);
    used(cx, table, column, line);
}

pub(crate) fn rename(cx: &mut Cx<'_>, change: &Change, line: usize) {
    if cx.script.down {
        return;
    }
    let what = match change {
        Change::Rename { object: Object::Index | Object::Sequence | Object::Other, .. } => return,
        Change::Rename { object: Object::Type, name, to } => {
            let new = Name { schema: name.schema.clone(), name: to.clone() };
            cx.renamed_types.push((name.clone(), new));
            return; // values keep their meaning; what follows tells whether the type is rebuilt
        }
        Change::Rename { name, .. } if cx.fresh.contains(name) => return,
        Change::Rename { object, name, to } => format!("{} {name} is called {to}", object.word()),
        Change::RenameValue { name, from, to } if !cx.fresh.contains(name) => {
            format!("value {from} of {name} is called {to}")
        }
        _ => return,
    };
    let message = format!("{what} from one moment to the next; running code fails until it is replaced");
    cx.report("L20", Severity::Error, line, message, RENAME, EXCLUSIVE);
}

pub(crate) fn truncate(cx: &mut Cx<'_>, change: &Change, line: usize) {
    let Change::Truncate { tables, cascade } = change else { return };
    let touched: Vec<String> = tables.iter().filter(|t| !cx.is_fresh(t)).map(ToString::to_string).collect();
    if touched.is_empty() {
        return;
    }
    let (severity, message) = if *cascade {
        (
            Severity::Error,
            format!(
                "TRUNCATE … CASCADE empties {} and every table that references it, whichever that is by then",
                touched.join(", ")
            ),
        )
    } else {
        (Severity::Warning, format!("the rows of {} are gone for good", touched.join(", ")))
    };
    cx.report("L25", severity, line, message, "name every table, or DELETE in batches", EXCLUSIVE);
}
