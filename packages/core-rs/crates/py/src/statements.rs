//! SQL: structures that become text, what is known of a text, and the linter.
pub mod compile;
pub mod lint;
pub mod plan;
pub mod session_effects;
pub mod text;
pub mod tree;
