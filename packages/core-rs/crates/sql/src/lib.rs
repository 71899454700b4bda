//! How PostgreSQL spells a statement: quoting, precedence, parameter numbers. No I/O, no Python.
//!
//! ```
//! let tree = serde_json::json!(["delete", ["table", null, "users", null], [["=", ["col", null, "id"], "$"]], [], null]);
//! let compiled = data_bridge_sql::compile(&data_bridge_ir::decode(&&tree).unwrap());
//! assert_eq!(compiled.sql, r#"DELETE FROM "users" WHERE "id" = $1"#);
//! ```

mod ddl;
mod dml;
mod expr;
mod ident;
pub mod parameter;
mod query;
mod source;
mod table;
pub mod text;
pub mod token;
mod writer;

use data_bridge_ir::{Decoded, Statement};
use writer::Writer;

/// A name as a quoted identifier.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    ident::quote(&mut out, name);
    out
}

/// A text as a literal, right under every setting of `standard_conforming_strings`.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 3);
    ident::literal(&mut out, text);
    out
}

/// What a statement does, as far as a caller must know before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the statements")]
pub enum Kind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Raw,
    Truncate,
    Explain,
    Copy,
    Ddl,
    Script,
}

impl Kind {
    /// The name by which observers and Python know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Raw => "raw",
            Self::Truncate => "truncate",
            Self::Explain => "explain",
            Self::Copy => "copy",
            Self::Ddl => "ddl",
            Self::Script => "script",
        }
    }
}

/// How parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// `$1`, PostgreSQL's own.
    #[default]
    Numeric,
    /// `%s`; every use is a parameter of its own, and `%` is doubled.
    Format,
    /// `%(p1)s`, and `%` is doubled.
    Pyformat,
    /// `:p1`.
    Named,
}

/// A statement as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The text.
    pub sql: String,
    /// How many parameters it takes.
    pub params: usize,
    /// What it does.
    pub kind: Kind,
    /// The tables it names, each once, in order of appearance; without common table expressions.
    pub tables: Vec<String>,
}

/// Writes a statement the way it is sent to the server.
#[must_use]
pub fn compile(decoded: &Decoded) -> Compiled {
    let style = match &decoded.statement {
        Statement::Styled { style: Some("pyformat"), .. } => Style::Pyformat,
        Statement::Styled { style: Some("named"), .. } => Style::Named,
        _ => Style::Numeric,
    };
    let pretty = matches!(decoded.statement, Statement::Styled { pretty: true, .. });
    render(decoded, style, pretty).0
}

/// Writes a statement in another style, or for humans. The second value lists the parameter slots (from 0) in the order
/// of the text: what a driver with positional `%s` wants.
#[must_use]
pub fn render(decoded: &Decoded, style: Style, pretty: bool) -> (Compiled, Vec<usize>) {
    let mut writer = Writer::new(style, pretty);
    writer.statement(&decoded.statement);
    let (sql, tables, order) = writer.finish();
    (Compiled { sql, params: decoded.params, kind: kind(&decoded.statement), tables }, order)
}

fn kind(statement: &Statement) -> Kind {
    match statement {
        Statement::Select(_) | Statement::Values(_) | Statement::Compound(_) => Kind::Select,
        Statement::Insert(_) => Kind::Insert,
        Statement::Update(_) => Kind::Update,
        Statement::Delete(_) => Kind::Delete,
        Statement::Merge(_) => Kind::Merge,
        Statement::Raw(_) => Kind::Raw,
        Statement::Truncate { .. } => Kind::Truncate,
        Statement::Explain { .. } => Kind::Explain,
        Statement::Copy(_) => Kind::Copy,
        Statement::Ddl(_) => Kind::Ddl,
        Statement::Script(_) => Kind::Script,
        Statement::Styled { statement, .. } => kind(statement),
    }
}
