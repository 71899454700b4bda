//! What a type consists of, with what its layout does not say: labels of enums, precision and scale of numerics.
use crate::Type;
use std::sync::Arc;

/// A field of a composite type: its name, the OID of its type, and what that is.
pub type FormField = (Arc<str>, u32, Form);

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A type whose layout says everything.
    Plain(Type),
    /// `numeric`, with the precision and scale that were declared.
    Numeric(Option<(u16, i16)>),
    /// An enum, with its labels in their order.
    Enum(Arc<[Arc<str>]>),
    /// An array.
    Array(Arc<Form>),
    /// A range of this type.
    Range(Arc<Form>),
    /// A multirange: ranges whose bounds have this type.
    Multirange(Arc<Form>),
    /// A composite type.
    Composite(Arc<[FormField]>),
}

impl Form {
    /// The form of a built-in type, with the modifier of its column (-1: none).
    #[must_use]
    pub fn of(layout: &Type, modifier: i32) -> Self {
        match layout {
            Type::Numeric => Self::Numeric(precision_and_scale(modifier)),
            Type::Array(_, element) | Type::ZeroBased(_, element) => Self::Array(Arc::new(Self::of(element, modifier))),
            Type::Range(bound) => Self::Range(Arc::new(Self::of(bound, -1))),
            Type::Multirange(bound) => Self::Multirange(Arc::new(Self::of(bound, -1))),
            other => Self::Plain(other.clone()),
        }
    }
}

/// Precision and scale of a numeric from the modifier of its type; the scale has eleven bits and a sign.
fn precision_and_scale(modifier: i32) -> Option<(u16, i16)> {
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some(((packed >> 16) as u16, scale as i16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_of_numeric() {
        assert_eq!(precision_and_scale(-1), None);
        assert_eq!(precision_and_scale(((10 << 16) | 2) + 4), Some((10, 2)));
        assert_eq!(precision_and_scale(((3 << 16) | (-2i32 & 0x7ff)) + 4), Some((3, -2)));
        assert_eq!(precision_and_scale(((1000 << 16) | 1000) + 4), Some((1000, 1000)));
    }

    #[test]
    fn the_modifier_of_an_array_is_that_of_its_elements() {
        let array = Type::built_in(1231).expect("numeric[]");
        assert_eq!(Form::of(&array, (5 << 16) + 4), Form::Array(Arc::new(Form::Numeric(Some((5, 0))))));
        let range = Type::built_in(3906).expect("numrange");
        assert_eq!(Form::of(&range, (5 << 16) + 4), Form::Range(Arc::new(Form::Numeric(None))));
    }
}
