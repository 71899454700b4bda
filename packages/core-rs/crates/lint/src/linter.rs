//! Going through scripts, statement by statement.

use crate::change::Change;
use crate::context::{Cx, Finding, Options, Script, Statement, runs_alone};
use crate::effect::{Effect, effect};
use crate::name::Name;
use crate::phase::contracts;
use crate::read::read;
use crate::rules;
use crate::schema::Schema;
use std::collections::HashSet;

/// A statement as the runner sees it.
#[derive(Clone, Debug)]
pub struct Fact {
    /// One word: `create_index`, `alter_table`, …; `unknown` when it was not understood.
    pub kind: &'static str,
    /// Relations with their locks.
    pub locks: Vec<(String, &'static str)>,
    pub rewrites: Vec<String>,
    pub scans: Vec<String>,
    /// Whether it can run inside a transaction.
    pub transactional: bool,
    /// The object that a statement outside of transactions makes or removes.
    pub object: Option<String>,
    /// The relation that it belongs to.
    pub on: Option<String>,
    /// Whether the release before may need what it takes away.
    pub contracts: bool,
}

/// All findings, in the order of the scripts.
pub fn lint(scripts: &[Script], options: &Options) -> Vec<Finding> {
    let mut schema = Schema::default();
    let mut found = Vec::new();
    let nothing = Statement { sql: String::new(), line: 1 };
    for script in scripts {
        // The way back is looked at where the way there has led; what comes next does not build on it.
        let before = script.down.then(|| schema.clone());
        let mut cx = Cx {
            schema,
            options,
            script,
            statement: &nothing,
            found: Vec::new(),
            fresh: HashSet::new(),
            fresh_indexes: HashSet::new(),
            renamed_types: Vec::new(),
            strong: Vec::new(),
            unvalidated: Vec::new(),
            values: Vec::new(),
            explicit: false,
            in_block: false,
            utc: false,
            keys: Vec::new(),
            dropped: Vec::new(),
        };
        for statement in &script.statements {
            cx.statement = statement;
            let change = read(&statement.sql);
            one(&mut cx, &change);
        }
        rules::end(&mut cx);
        if script.report {
            cx.found.sort_by_key(|f| f.line);
            found.append(&mut cx.found);
        }
        schema = before.unwrap_or(cx.schema);
    }
    found
}

fn one(cx: &mut Cx<'_>, change: &Change) {
    let alone = runs_alone(change);
    if !cx.explicit && (alone || cx.script.atomic == Some(false)) {
        cx.end_transaction();
    }
    rules::statement(cx, change);
    match change {
        Change::Begin => {
            cx.end_transaction();
            cx.explicit = true;
        }
        Change::Commit | Change::Rollback => {
            cx.end_transaction();
            cx.explicit = false;
        }
        _ => {}
    }
    if alone && !cx.explicit {
        cx.end_transaction();
    }
}

/// What statements do, for plans and for continuing after an interruption. Earlier ones are the context of later ones.
pub fn facts(statements: &[String]) -> Vec<Fact> {
    let mut schema = Schema::default();
    statements
        .iter()
        .map(|sql| {
            let change = read(sql);
            let made = fact(&change, &effect(&change, &schema));
            schema.apply(&change);
            made
        })
        .collect()
}

fn fact(change: &Change, effect: &Effect) -> Fact {
    let (kind, object, on) = match change {
        Change::CreateIndex(i) => ("create_index", i.name.as_ref().map(ToString::to_string), Some(i.table.to_string())),
        Change::DropIndex { names, .. } => ("drop_index", names.first().map(ToString::to_string), None),
        Change::AlterTable { table, actions } => {
            let child = actions.iter().find_map(|(a, _)| match a {
                crate::change::Action::Detach { child, .. } => Some(child.to_string()),
                _ => None,
            });
            (if child.is_some() { "detach" } else { "alter_table" }, child, Some(table.to_string()))
        }
        Change::CreateTable(t) => ("create_table", Some(t.name.to_string()), None),
        Change::Reindex { what, name, .. } => {
            ("reindex", name.as_ref().map(ToString::to_string), Some((*what).to_owned()))
        }
        Change::AddValue { name, value, .. } => ("add_value", Some(value.clone()), Some(name.to_string())),
        Change::Update { .. } | Change::Delete { .. } | Change::Insert { .. } => ("write", None, None),
        Change::Unknown(_) => ("unknown", None, None),
        _ => ("other", None, None),
    };
    let strings = |names: &[Name]| names.iter().map(ToString::to_string).collect();
    Fact {
        kind,
        locks: effect.locks.iter().map(|(n, l)| (n.to_string(), l.name())).collect(),
        rewrites: strings(&effect.rewrites),
        scans: strings(&effect.scans),
        transactional: !runs_alone(change),
        object,
        on,
        contracts: contracts(change),
    }
}
