//! SQL text for Python: its tokens, and the two writers of identifiers and literals.
use crate::errors::named;
use data_bridge_sql::text::{self, NotAQuery};
use data_bridge_sql::token::{TokenKind, tokens};
use data_bridge_sql::{quote_identifier, quote_literal};
use pyo3::prelude::*;

/// The tokens of a text as `(kind, start, end)`, in characters; white space is left out.
#[pyfunction]
pub fn tokenize(py: Python<'_>, sql: &str) -> Vec<(&'static str, usize, usize)> {
    py.detach(|| {
        let mut at = 0;
        let mut found = Vec::with_capacity(sql.len() / 4);
        for token in tokens(sql) {
            let start = at;
            at += if token.text.is_ascii() { token.text.len() } else { token.text.chars().count() };
            if token.kind != TokenKind::Space {
                found.push((token.kind.name(), start, at));
            }
        }
        found
    })
}

/// The first keyword of a text in lower case; empty when it starts with something else.
#[pyfunction]
pub fn first_word(sql: &str) -> String {
    text::first_word(sql)
}

/// A name as a quoted identifier.
#[pyfunction]
#[pyo3(name = "quote_identifier")]
pub fn quoted_identifier(py: Python<'_>, name: &str) -> PyResult<String> {
    if name.is_empty() || name.contains('\0') || name.len() > 63 {
        let message = format!("{name:?} cannot be an identifier: 1 to 63 bytes, without NUL");
        return Err(named(py, "ConfigurationError", message));
    }
    Ok(quote_identifier(name))
}

/// A text as a literal, right under every setting of `standard_conforming_strings`.
#[pyfunction]
#[pyo3(name = "quote_literal")]
pub fn quoted_literal(py: Python<'_>, text: &str) -> PyResult<String> {
    if text.contains('\0') {
        return Err(named(py, "EncodeError", "text of PostgreSQL cannot contain NUL"));
    }
    Ok(quote_literal(text))
}

/// A query whose placeholders are replaced by typed literals: `values` are `(text or None, SQL name of the type)`.
#[pyfunction]
pub fn query_with_literals(py: Python<'_>, sql: &str, values: Vec<(Option<String>, String)>) -> PyResult<String> {
    if sql.contains('\0') || values.iter().any(|(t, _)| t.as_ref().is_some_and(|t| t.contains('\0'))) {
        return Err(named(py, "EncodeError", "text of PostgreSQL cannot contain NUL"));
    }
    let line = |at: usize| sql[..at].matches('\n').count() + 1;
    text::with_literals(sql, &values).map_err(|e| match e {
        NotAQuery::Empty => named(py, "CompileError", "the text holds no query"),
        NotAQuery::Several(at) => named(
            py,
            "CompileError",
            format!("the text holds several statements; the second starts in line {}", line(at)),
        ),
        NotAQuery::Unterminated(at) => {
            named(py, "CompileError", format!("a string, identifier or comment in line {} does not end", line(at)))
        }
        NotAQuery::Unbalanced(at) => {
            named(py, "CompileError", format!("a parenthesis in line {} has no partner", line(at)))
        }
        NotAQuery::Missing(n) => {
            named(py, "EncodeError", format!("the statement takes ${n}, {} parameters given", values.len()))
        }
        NotAQuery::Unused(used, given) => {
            named(py, "EncodeError", format!("the statement takes {used} parameters, {given} given"))
        }
    })
}

/// How many parameters a text takes: its highest placeholder.
#[pyfunction]
pub fn count_placeholders(sql: &str) -> usize {
    text::placeholders(sql)
}

/// Refuses a script that sends or receives rows by COPY.
pub fn without_copy(py: Python<'_>, sql: &str) -> PyResult<()> {
    text::client_copy(sql).map_or(Ok(()), |at| {
        let line = sql[..at].matches('\n').count() + 1;
        let message = format!(
            "line {line} of the script is a COPY with STDIN or STDOUT, which a script cannot run: use copy_in() or \
             copy_out(), or INSERT (pg_dump --inserts)"
        );
        Err(named(py, "ConfigurationError", message))
    })
}
