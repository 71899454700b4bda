//! Decimals, and texts of numbers, to `numeric`.
use crate::encode::primitive::primitive;
use crate::encode::{Cells, Target, Written, sized};
use crate::misfit::Misfit;
use arrow_array::ArrayRef;
use arrow_array::types::*;
use arrow_schema::DataType;
use data_bridge_wire::Type;
use data_bridge_wire::form::Form;
use data_bridge_wire::numeric::{self, Value};

/// The writer for decimals.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    if *target.layout != Type::Numeric {
        return None;
    }
    let modifier = target.modifier;
    match *array.data_type() {
        DataType::Decimal32(_, scale) => {
            primitive::<Decimal32Type, _>(array, move |n, out| put(n.into(), scale, modifier, out))
        }
        DataType::Decimal64(_, scale) => {
            primitive::<Decimal64Type, _>(array, move |n, out| put(n.into(), scale, modifier, out))
        }
        DataType::Decimal128(_, scale) => {
            primitive::<Decimal128Type, _>(array, move |n, out| put(n, scale, modifier, out))
        }
        DataType::Decimal256(_, scale) => primitive::<Decimal256Type, _>(array, move |n, out| {
            put_text(&format!("{n}E{}", -i32::from(scale)), modifier, out)
        }),
        _ => None,
    }
}

/// Writes the number of these digits, of which `scale` are behind the point.
fn put(digits: i128, scale: i8, modifier: i32, out: &mut Vec<u8>) -> Written {
    // With more places the group of the last ones may leave 128 bits.
    let Some(scale) = u16::try_from(scale).ok().filter(|scale| *scale <= 34) else {
        return put_text(&format!("{digits}E{}", -i32::from(scale)), modifier, out);
    };
    sized(out, |out| {
        let at = out.len();
        numeric::write_scaled(digits, scale, out);
        check(&out[at..], modifier)
    })
}

/// Writes a number from its text.
pub fn put_text(text: &str, modifier: i32, out: &mut Vec<u8>) -> Written {
    sized(out, |out| {
        let at = out.len();
        numeric::write(text.as_bytes(), out)?;
        check(&out[at..], modifier)
    })
}

/// The server would round what has more places than its column.
fn check(written: &[u8], modifier: i32) -> Written {
    let Form::Numeric(Some((_, scale))) = Form::of(&Type::Numeric, modifier) else { return Ok(()) };
    match numeric::value(written)? {
        Value::Finite(number) if number.places() > i32::from(scale) => Err(Misfit::new(format!(
            "the number has more than the {scale} digits behind the point that the column keeps"
        ))),
        _ => Ok(()),
    }
}
