use std::fmt;

/// Why a structure is not a statement, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Child indexes from the root to the node, as in `$.3.0.1`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Error {
    pub(crate) fn new(path: &[usize], message: impl Into<String>) -> Self {
        let mut text = String::from("$");
        for step in path {
            text.push('.');
            text.push_str(&step.to_string());
        }
        Self { path: text, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.path)
    }
}

impl std::error::Error for Error {}
