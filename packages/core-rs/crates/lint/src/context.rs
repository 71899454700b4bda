//! What rules look at, and what they report.
use crate::change::Change;
use crate::effect::Lock;
use crate::name::Name;
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

/// What the rules look at.
pub(crate) struct Cx<'a> {
    pub schema: Schema,
    pub options: &'a Options,
    pub script: &'a Script,
    pub statement: &'a Statement,
    pub found: Vec<Finding>,
    /// Objects that this script made, and that are not in use yet.
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

    /// Whether no other session can use it: made by this script, or temporary.
    pub fn is_fresh(&self, table: &Name) -> bool {
        self.fresh.contains(table) || self.schema.tables.get(table).is_some_and(|t| t.temporary)
    }

    pub fn index(&self, name: &Name) -> Option<&KnownIndex> {
        self.schema.indexes.iter().find(|i| i.name == name.name)
    }

    pub fn end_transaction(&mut self) {
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
