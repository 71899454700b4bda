//! Arrays of Arrow to the cells of a binary COPY: one writer for each column and for what is inside it.
mod bytes;
mod decimal;
mod list;
mod moment;
mod number;
mod primitive;
mod record;

use crate::misfit::Misfit;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use data_bridge_wire::Type;
use std::collections::HashMap;

/// Whether a value was written.
pub type Written = Result<(), Misfit>;

/// Writes the values of an array.
pub trait Cells: Send {
    /// Writes the length of a value and its bytes; NULL has the length -1.
    ///
    /// # Errors
    /// [`Misfit`] for a value that the column does not have.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written;
}

/// The modifiers of fields, by the OID of a composite type and the name of the field.
pub type FieldModifiers = HashMap<(u32, String), i32>;

/// What a column is.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The OID of its type.
    pub oid: u32,
    /// How the bytes of its values are laid out.
    pub layout: &'a Type,
    /// The modifier of its type; -1 for none.
    pub modifier: i32,
    /// The modifiers of fields.
    pub fields: &'a FieldModifiers,
    /// Whether the NaN of floats stands for NULL.
    pub nan_is_null: bool,
}

impl<'a> Target<'a> {
    /// What is inside it.
    fn inside(self, oid: u32, layout: &'a Type) -> Self {
        Self { oid, layout, ..self }
    }
}

/// The writer for the values of `array`; `None` when a column of this type does not take them.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    if let Type::Named(_, inner) = target.layout {
        return cells(array, target.inside(target.oid, inner));
    }
    match array.data_type() {
        DataType::Null => Some(Box::new(Nothing)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = cells(dictionary.values(), target)?;
            let keys = if dictionary.values().is_empty() { vec![] } else { dictionary.normalized_keys() };
            Some(Box::new(Dictionary { array: array.clone(), keys, values }))
        }
        DataType::Boolean => bytes::bools(array, target),
        data_type if data_type.is_integer() || data_type.is_floating() => number::cells(array, target),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            decimal::cells(array, target)
        }
        data_type if data_type.is_temporal() => moment::cells(array, target),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => list::cells(array, target),
        DataType::Struct(_) => record::cells(array, target),
        _ => bytes::cells(array, target),
    }
}

/// Writes NULL.
pub fn null(out: &mut Vec<u8>) {
    out.extend((-1i32).to_be_bytes());
}

/// Writes a value of a fixed width.
#[inline]
pub fn fixed<const N: usize>(value: [u8; N], out: &mut Vec<u8>) {
    out.extend((N as i32).to_be_bytes());
    out.extend(value);
}

/// Writes a value of any length: room for it, then what `body` writes.
pub fn sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Written) -> Written {
    data_bridge_wire::array::write_element(out, body)
}

/// An array of NULLs.
struct Nothing;

impl Cells for Nothing {
    fn write(&self, _: usize, out: &mut Vec<u8>) -> Written {
        null(out);
        Ok(())
    }
}

/// Values by their keys.
struct Dictionary {
    array: ArrayRef,
    keys: Vec<usize>,
    values: Box<dyn Cells>,
}

impl Cells for Dictionary {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        match self.keys.get(row).filter(|_| !self.array.is_null(row)) {
            Some(key) => self.values.write(*key, out),
            None => Nothing.write(row, out),
        }
    }
}
