//! What a migration locks, rewrites and risks: rules L01–L43 over SQL text.
//!
//! Statements are read once into `Change`s, a `Schema` remembers what earlier ones made, and rules look at both. Knows no
//! I/O and no Python.
//!
//! ```
//! use data_bridge_lint::{Script, Options, lint};
//!
//! let script = Script::of("a.sql", "CREATE INDEX i ON users (email)");
//! let found = lint(&[script], &Options::default());
//! assert_eq!((found[0].rule, found[0].lock), ("L01", Some("SHARE")));
//! ```
#![allow(missing_docs, reason = "fields of plain data say what they are")]

mod change;
mod context;
mod effect;
mod linter;
mod name;
mod phase;
mod read;
mod read_expression;
mod read_table;
mod rules;
mod schema;
mod tree;
mod types;
mod volatile;

pub use context::{Finding, Model, Options, Script, Severity, Statement};
pub use effect::Lock;
pub use linter::{Fact, facts, lint};
pub use name::Name;
pub use types::Type;
