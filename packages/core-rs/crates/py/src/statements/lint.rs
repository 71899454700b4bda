//! The linter, for Python: plain tuples in, plain tuples out.

use data_bridge_lint::{Model, Name, Options, Script, Statement, facts, lint};
use pyo3::prelude::*;

type PyScript = (String, Vec<(String, usize)>, Option<bool>, bool, bool);
type PyFinding =
    (String, usize, &'static str, &'static str, String, String, Option<&'static str>, Option<&'static str>, bool);
type PyFact =
    (&'static str, Vec<(String, &'static str)>, Vec<String>, Vec<String>, bool, Option<String>, Option<String>, bool);

/// Findings over scripts `(file, [(sql, line)], atomic, down, report)`; models are `(name, table, columns)`.
#[pyfunction]
pub fn lint_scripts(
    py: Python<'_>,
    scripts: Vec<PyScript>,
    qualified: bool,
    models: Vec<(String, String, Vec<String>)>,
) -> Vec<PyFinding> {
    let scripts: Vec<Script> = scripts
        .into_iter()
        .map(|(file, statements, atomic, down, report)| Script {
            file,
            statements: statements.into_iter().map(|(sql, line)| Statement { sql, line }).collect(),
            atomic,
            down,
            report,
        })
        .collect();
    let models =
        models.into_iter().map(|(name, table, columns)| Model { name, table: Name::read(&table), columns }).collect();
    let options = Options { qualified, models };
    py.detach(|| lint(&scripts, &options))
        .into_iter()
        .map(|f| (f.file, f.line, f.rule, f.severity.name(), f.message, f.hint, f.lock, f.blocks, f.rewrite))
        .collect()
}

/// What statements do: `(kind, locks, rewrites, scans, transactional, object, on, contracts)`.
#[pyfunction]
pub fn statement_facts(py: Python<'_>, statements: Vec<String>) -> Vec<PyFact> {
    py.detach(|| facts(&statements))
        .into_iter()
        .map(|f| (f.kind, f.locks, f.rewrites, f.scans, f.transactional, f.object, f.on, f.contracts))
        .collect()
}
