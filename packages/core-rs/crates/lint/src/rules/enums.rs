//! L30–L32: enum types.

use crate::change::Change;
use crate::context::{Cx, Severity};
use crate::name::Name;
use crate::types::Type;

pub(crate) fn define(cx: &mut Cx<'_>, change: &Change, line: usize) {
    match change {
        Change::CreateEnum { name, values } => {
            cx.fresh.insert(name.clone());
            let old = cx.renamed_types.iter().find(|(from, _)| from == name).map(|(_, to)| to.clone());
            let Some(before) = old.and_then(|to| cx.schema.enums.get(&to).cloned()) else { return };
            let gone: Vec<&String> = before.iter().filter(|v| !values.contains(v)).collect();
            let kept: Vec<&String> = before.iter().filter(|v| values.contains(v)).collect();
            let order: Vec<&String> = values.iter().filter(|v| before.contains(v)).collect();
            if gone.is_empty() && kept == order {
                return;
            }
            let what = if gone.is_empty() {
                "its values are in another order".to_owned()
            } else {
                format!("{} is not a value any more", gone.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "))
            };
            let message = format!(
                "type {name} is recreated ({what}): every column of it is rewritten, and rows with a lost value stop the migration"
            );
            cx.report(
                "L32",
                Severity::Warning,
                line,
                message,
                "text with a CHECK, or a new type in a new column that is filled in batches",
                None,
            );
        }
        Change::AddValue { name, value, placed: false } if !cx.fresh.contains(name) && !cx.script.down => {
            let message = format!("{value} sorts behind all other values of {name}");
            let hint = "BEFORE or AFTER a value, where the order matters";
            cx.report("L31", Severity::Info, line, message, hint, None);
        }
        _ => {}
    }
}

/// A column goes over to a type that was recreated.
pub(crate) fn rebuilt(cx: &mut Cx<'_>, table: &Name, column: &str, ty: &Type, line: usize) {
    let name = Name::read(&ty.name);
    if cx.renamed_types.iter().any(|(from, _)| *from == name) {
        let message = format!("{table}.{column} is cast to the type {ty} that was recreated: {table} is rewritten");
        cx.report(
            "L32",
            Severity::Warning,
            line,
            message,
            "ALTER TYPE … ADD VALUE where values are only added; it writes nothing",
            None,
        );
    }
}

/// L30: a value that its own transaction uses.
pub(crate) fn uses(cx: &mut Cx<'_>, change: &Change, line: usize, text: &str) {
    if matches!(change, Change::AddValue { .. } | Change::CreateFunction { .. } | Change::Set { .. })
        || text.trim_start().get(..7).is_some_and(|t| t.eq_ignore_ascii_case("comment"))
    {
        return;
    }
    let used: Vec<(Name, String)> =
        cx.values.iter().filter(|(_, v)| text.contains(&format!("'{}'", v.replace('\'', "''")))).cloned().collect();
    for (name, value) in used {
        let held = cx.explicit || cx.in_block || cx.script.atomic == Some(true);
        let message = format!("{value} of {name} can be used only when the transaction that added it is committed");
        let (severity, hint) = if held {
            (Severity::Error, "use it in a later migration")
        } else {
            (
                Severity::Info,
                "the runner commits before this statement; other tools do not: better in a later migration",
            )
        };
        cx.report("L30", severity, line, message, hint, None);
    }
}
