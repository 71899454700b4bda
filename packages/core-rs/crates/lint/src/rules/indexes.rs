//! L01–L05, L38: indexes, and statements that have a CONCURRENTLY.

use crate::change::{Change, Index};
use crate::context::{Cx, Severity};
use crate::effect::Lock;
use crate::name::Name;

pub(crate) fn create(cx: &mut Cx<'_>, index: &Index, line: usize) {
    let name = index.name.as_ref().map_or_else(|| "the index".to_owned(), |n| format!("index {n}"));
    if let Some(n) = &index.name {
        cx.fresh_indexes.insert(n.name.clone());
    }
    if index.concurrently {
        inside(cx, "CREATE INDEX CONCURRENTLY", line);
        if index.if_not_exists {
            cx.report(
                "L05",
                Severity::Warning,
                line,
                format!("IF NOT EXISTS takes an invalid {name}, left over by a failed build, for the real one: a unique one would not be enforced"),
                "leave IF NOT EXISTS away: the runner drops an invalid left-over and rebuilds it",
                None,
            );
        }
    } else if !cx.is_fresh(&index.table) && !index.only {
        let partitioned = cx.schema.tables.get(&index.table).is_some_and(|t| t.partitioned);
        let hint = if partitioned {
            "CREATE INDEX … ON ONLY the parent, build it CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION"
        } else {
            "CREATE INDEX CONCURRENTLY, which runs outside of a transaction as a step of its own"
        };
        let message = format!("building {name} blocks every write to {} until it is done", index.table);
        cx.report("L01", Severity::Error, line, message, hint, Some(Lock::Share));
    }
    redundant(cx, index, &name, line);
}

/// L38: an index that another one serves as well.
fn redundant(cx: &mut Cx<'_>, index: &Index, name: &str, line: usize) {
    let own = index.name.as_ref().map(|n| n.name.clone());
    let plain = index.plain && !index.partial && index.columns.iter().all(Option::is_some);
    if !plain || cx.script.down {
        return;
    }
    let other = cx.schema.indexes.iter().find(|o| {
        o.table == index.table
            && o.comparable
            && o.method == index.method
            && Some(&o.name) != own.as_ref()
            && if index.unique {
                o.unique && o.columns == index.columns
            } else {
                o.columns == index.columns || (index.method == "btree" && o.columns.starts_with(&index.columns))
            }
    });
    if let Some(other) = other {
        let message = format!("{name} on {} does what {} does already", index.table, other.name);
        cx.report("L38", Severity::Warning, line, message, "leave it away: each index costs every write", None);
    } else if index.columns.len() > 3 && !index.unique && index.method == "btree" {
        let message = format!("{name} has {} columns", index.columns.len());
        cx.report(
            "L38",
            Severity::Info,
            line,
            message,
            "three columns are seldom too few; INCLUDE carries those that are only read",
            None,
        );
    }
}

pub(crate) fn drop(cx: &mut Cx<'_>, names: &[Name], concurrently: bool, line: usize) {
    if concurrently {
        inside(cx, "DROP INDEX CONCURRENTLY", line);
        return;
    }
    for name in names {
        let table = cx.index(name).map(|i| i.table.clone());
        if cx.fresh_indexes.contains(&name.name) || table.as_ref().is_some_and(|t| cx.is_fresh(t)) {
            continue;
        }
        if table.as_ref().and_then(|t| cx.schema.tables.get(t)).is_some_and(|t| t.partitioned) {
            continue; // cannot be dropped concurrently
        }
        let of = table.map_or_else(|| "its table".to_owned(), |t| t.to_string());
        let message = format!("dropping index {name} waits for all queries on {of}, and later queries wait behind it");
        cx.report("L02", Severity::Warning, line, message, "DROP INDEX CONCURRENTLY", Some(Lock::AccessExclusive));
    }
}

/// L03: the server refuses it inside a transaction.
fn inside(cx: &mut Cx<'_>, what: &str, line: usize) {
    if cx.explicit || cx.in_block || cx.script.atomic == Some(true) {
        let message = format!("{what} cannot run inside a transaction: the server refuses it");
        cx.report(
            "L03",
            Severity::Error,
            line,
            message,
            "take it out of BEGIN … COMMIT, DO and atomic = True; the runner makes it a step of its own",
            None,
        );
    }
}

/// L04: what stops readers or writers although it need not.
pub(crate) fn exclusive(cx: &mut Cx<'_>, change: &Change, line: usize) {
    match change {
        Change::Reindex { what, name, concurrently } => {
            if *concurrently {
                return inside(cx, "REINDEX CONCURRENTLY", line);
            }
            let known = name.as_ref().map(|n| cx.index(n).map_or_else(|| n.clone(), |i| i.table.clone()));
            if known.is_some_and(|t| cx.is_fresh(&t)) {
                return;
            }
            let of = name.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
            let message =
                format!("REINDEX of {what}{of} blocks writers, and readers as soon as they would use the index");
            cx.report("L04", Severity::Error, line, message, "REINDEX … CONCURRENTLY", Some(Lock::AccessExclusive));
        }
        Change::Refresh { view, concurrently: false, no_data } => {
            if *no_data || cx.fresh.contains(view) || cx.schema.views.get(view).is_some_and(|v| v.empty) {
                return;
            }
            let unique = cx.schema.indexes.iter().any(|i| i.table == *view && i.unique && i.comparable);
            let hint = if unique {
                "REFRESH MATERIALIZED VIEW CONCURRENTLY"
            } else {
                "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index over all rows of the view"
            };
            let message = format!("{view} cannot be read while it is refreshed");
            cx.report("L04", Severity::Warning, line, message, hint, Some(Lock::AccessExclusive));
        }
        Change::VacuumFull(table) | Change::Cluster(table) => {
            if table.as_ref().is_some_and(|t| cx.is_fresh(t)) {
                return;
            }
            let what = if matches!(change, Change::Cluster(_)) { "CLUSTER" } else { "VACUUM FULL" };
            let of = table.as_ref().map_or_else(|| "every table".to_owned(), ToString::to_string);
            let message = format!("{what} rewrites {of}; it cannot be read meanwhile");
            cx.report(
                "L04",
                Severity::Error,
                line,
                message,
                "pg_repack or pg_squeeze, or a maintenance window",
                Some(Lock::AccessExclusive),
            );
            cx.rewrites();
        }
        _ => {}
    }
}

pub(crate) fn detach(cx: &mut Cx<'_>, table: &Name, child: &Name, concurrently: bool, line: usize) {
    if concurrently {
        return inside(cx, "DETACH PARTITION CONCURRENTLY", line);
    }
    if !cx.is_fresh(table) && !cx.is_fresh(child) {
        let message = format!("detaching {child} waits for all queries on {table}, and later queries wait behind it");
        cx.report(
            "L04",
            Severity::Warning,
            line,
            message,
            "DETACH PARTITION … CONCURRENTLY",
            Some(Lock::AccessExclusive),
        );
    }
}
