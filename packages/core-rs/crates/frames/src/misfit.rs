//! A value, or a type, that the other side does not have.
use data_bridge_wire::WireError;
use std::borrow::Cow;
use std::fmt;

/// The reason, without the value: messages never show values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit(pub Cow<'static, str>);

impl Misfit {
    /// For this reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl From<WireError> for Misfit {
    fn from(e: WireError) -> Self {
        Self::new(e.to_string())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}
