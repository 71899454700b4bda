//! What a statement does besides its own work.
use std::sync::Arc;

/// What a statement may define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Defines {
    /// Nothing.
    #[default]
    Nothing,
    /// Functions, tables, triggers.
    Objects,
    /// Types, too: another one by an old name, or other attributes of a row.
    Types,
}

/// What a statement may do besides its own work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// It may change the session, which is reset before its next user gets it.
    pub dirty: bool,
    /// What it may define.
    pub defines: Defines,
    /// The names in it, when it was not known yet whether one of them leads to a function that changes the session.
    pub undecided: Option<Arc<[String]>>,
}
