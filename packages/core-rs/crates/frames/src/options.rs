//! What the caller decides where a type has no exact Arrow type.

/// What a `numeric` becomes whose column declares no precision, or more than 76 digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Numerics {
    /// Its decimal text.
    #[default]
    Text,
    /// The nearest float64.
    Float,
    /// A decimal of this precision and scale.
    Decimal(u8, i8),
}

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// For `numeric` without a precision.
    pub numeric: Numerics,
}
