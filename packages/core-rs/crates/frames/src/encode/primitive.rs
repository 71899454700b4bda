//! Arrays of one primitive type.
use crate::encode::{Cells, Written, null};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};

/// Values of one primitive type, and what writes one.
pub struct Primitive<A: ArrowPrimitiveType, F> {
    array: PrimitiveArray<A>,
    put: F,
}

impl<A, F> Cells for Primitive<A, F>
where
    A: ArrowPrimitiveType,
    F: Fn(A::Native, &mut Vec<u8>) -> Written + Send,
{
    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        (self.put)(self.array.value(row), out)
    }
}

/// A writer over an array of this primitive type.
pub fn primitive<A, F>(array: &ArrayRef, put: F) -> Option<Box<dyn Cells>>
where
    A: ArrowPrimitiveType,
    F: Fn(A::Native, &mut Vec<u8>) -> Written + Send + 'static,
{
    Some(Box::new(Primitive { array: array.as_primitive::<A>().clone(), put }))
}
