//! Going through scripts, statement by statement.

use crate::change::Change;
use crate::effect::{Effect, Lock, effect};
use crate::name::Name;
use crate::read::read;
use crate::rules;
use crate::schema::{KnownIndex, Schema};
use std::collections::HashSet;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
    Info,
}

impl Severity {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// Something that a rule found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    pub rule: &'static str,
    pub severity: Severity,
    pub message: String,
    pub hint: String,
    pub lock: Option<&'static str>,
    pub blocks: Option<&'static str>,
    pub rewrite: bool,
}

/// One statement and the line where it begins.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: String,
    pub line: usize,
}

/// One migration in one direction.
#[derive(Clone, Debug)]
pub struct Script {
    pub file: String,
    pub statements: Vec<Statement>,
    /// Some(true): all in one transaction, whatever it says; Some(false): each statement for itself; None: as the runner decides.
    pub atomic: Option<bool>,
    /// The way back: dropping things is what it is for.
    pub down: bool,
    /// Whether findings are wanted, or only what it does to the schema.
    pub report: bool,
}

impl Script {
    /// A script of one statement.
    pub fn of(file: &str, sql: &str) -> Script {
        let statements = vec![Statement { sql: sql.to_owned(), line: 1 }];
        Script { file: file.to_owned(), statements, atomic: None, down: false, report: true }
    }
}

/// A model of the application: the table and the columns that it needs.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: String,
    pub table: Name,
    pub columns: Vec<String>,
}

/// What is known beside the scripts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rule L36 about names without a schema.
    pub qualified: bool,
    pub models: Vec<Model>,
}

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
}

/// What the rules look at.
pub(crate) struct Cx<'a> {
    pub schema: Schema,
    pub options: &'a Options,
    pub script: &'a Script,
    pub statement: &'a Statement,
    pub found: Vec<Finding>,
    /// Objects that this script made: nobody uses them yet.
    pub fresh: HashSet<Name>,
    pub fresh_indexes: HashSet<String>,
    pub renamed_types: Vec<(Name, Name)>,
    /// Of the transaction: relations under a strong lock, unvalidated constraints, new enum values.
    pub strong: Vec<Name>,
    pub unvalidated: Vec<(Name, String)>,
    pub values: Vec<(Name, String)>,
    pub explicit: bool,
    pub in_block: bool,
    /// Whether the session's time zone is UTC by now.
    pub utc: bool,
    /// New foreign keys, looked at when the script is over.
    pub keys: Vec<(Name, Vec<String>, usize)>,
    /// Constraints dropped without a successor so far.
    pub dropped: Vec<(Name, String, usize)>,
}

impl Cx<'_> {
    pub fn line(&self, at: usize) -> usize {
        let end = at.min(self.statement.sql.len());
        self.statement.line + self.statement.sql.get(..end).map_or(0, |t| t.matches('\n').count())
    }

    pub fn report(
        &mut self,
        rule: &'static str,
        severity: Severity,
        line: usize,
        message: String,
        hint: &str,
        lock: Option<Lock>,
    ) {
        let finding = Finding {
            file: self.script.file.clone(),
            line,
            rule,
            severity,
            message,
            hint: hint.to_owned(),
            lock: lock.map(Lock::name),
            blocks: lock.map(Lock::blocks),
            rewrite: false,
        };
        if !self
            .found
            .iter()
            .any(|f| f.rule == rule && f.line == line && f.message == finding.message && f.file == finding.file)
        {
            self.found.push(finding);
        }
    }

    /// Marks the last finding: the table is rewritten.
    pub fn rewrites(&mut self) {
        if let Some(last) = self.found.last_mut() {
            last.rewrite = true;
        }
    }

    /// Whether nobody can be hurt: made by this script, or temporary.
    pub fn is_fresh(&self, table: &Name) -> bool {
        self.fresh.contains(table) || self.schema.tables.get(table).is_some_and(|t| t.temporary)
    }

    pub fn index(&self, name: &Name) -> Option<&KnownIndex> {
        self.schema.indexes.iter().find(|i| i.name == name.name)
    }

    fn end_transaction(&mut self) {
        self.strong.clear();
        self.unvalidated.clear();
        self.values.clear();
    }
}

/// Whether PostgreSQL refuses it inside a transaction.
pub(crate) fn runs_alone(change: &Change) -> bool {
    match change {
        Change::CreateIndex(index) => index.concurrently,
        Change::DropIndex { concurrently, .. } => *concurrently,
        Change::Reindex { concurrently, what, .. } => *concurrently || matches!(*what, "database" | "schema"),
        Change::VacuumFull(_) => true,
        Change::Cluster(table) => table.is_none(),
        Change::AlterTable { actions, .. } => {
            use crate::change::Action;
            actions.iter().any(|(a, _)| matches!(a, Action::Detach { concurrently: true, .. }))
        }
        Change::Drop { object, .. } => *object == crate::change::Object::Database,
        Change::Other(words) => [
            "VACUUM",
            "CREATE DATABASE",
            "ALTER SYSTEM",
            "CREATE TABLESPACE",
            "DROP TABLESPACE",
            "CREATE SUBSCRIPTION",
            "DROP SUBSCRIPTION",
        ]
        .iter()
        .any(|w| words.starts_with(w)),
        _ => false,
    }
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
    }
}
