//! What can be wrong with a value on the wire.
use std::fmt;

/// A value that is not what its type says, or that no Rust or Python value can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// A fixed-width value of another width.
    Length {
        /// Bytes that the type has.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The value ends before it is complete.
    Truncated,
    /// The value is complete, and bytes are left over.
    Trailing,
    /// A field has a value that the format does not know.
    Malformed(&'static str),
    /// A legal value that cannot be represented, with its reason.
    Unrepresentable(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, got } => write!(f, "the value has {got} bytes, its type has {expected}"),
            Self::Truncated => f.write_str("the value ends too early"),
            Self::Trailing => f.write_str("bytes are left over after the value"),
            Self::Malformed(what) => write!(f, "malformed value: {what}"),
            Self::Unrepresentable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for WireError {}
