//! Integers and floats.
use crate::encode::decimal::put_text;
use crate::encode::primitive::primitive;
use crate::encode::{Cells, Target, fixed, null};
use crate::misfit::Misfit;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::DataType;
use data_bridge_wire::Type;

/// The writer for integers and floats.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    match array.data_type() {
        DataType::Int8 => integers::<Int8Type>(array, target),
        DataType::Int16 => integers::<Int16Type>(array, target),
        DataType::Int32 => integers::<Int32Type>(array, target),
        DataType::Int64 => integers::<Int64Type>(array, target),
        DataType::UInt8 => integers::<UInt8Type>(array, target),
        DataType::UInt16 => integers::<UInt16Type>(array, target),
        DataType::UInt32 => integers::<UInt32Type>(array, target),
        DataType::UInt64 => integers::<UInt64Type>(array, target),
        DataType::Float16 => floats::<Float16Type>(array, target, f64::from),
        DataType::Float32 => floats::<Float32Type>(array, target, f64::from),
        DataType::Float64 => floats::<Float64Type>(array, target, |f| f),
        _ => None,
    }
}

fn outside(low: impl std::fmt::Display, high: impl std::fmt::Display) -> Misfit {
    Misfit::new(format!("the integer is outside {low}…{high}"))
}

fn integers<A>(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>>
where
    A: ArrowPrimitiveType,
    A::Native: Into<i128>,
{
    macro_rules! within {
        ($of:ty) => {
            primitive::<A, _>(array, |n, out| {
                let n = <$of>::try_from(n.into()).map_err(|_| outside(<$of>::MIN, <$of>::MAX))?;
                fixed(n.to_be_bytes(), out);
                Ok(())
            })
        };
    }
    match target.layout {
        Type::Int2 => within!(i16),
        Type::Int4 => within!(i32),
        Type::Int8 => within!(i64),
        Type::Oid => within!(u32),
        Type::Xid8 => within!(u64),
        Type::Float4 => primitive::<A, _>(array, |n, out| {
            fixed((exactly(n.into(), 24)? as f32).to_be_bytes(), out);
            Ok(())
        }),
        Type::Float8 => primitive::<A, _>(array, |n, out| {
            fixed((exactly(n.into(), 53)? as f64).to_be_bytes(), out);
            Ok(())
        }),
        Type::Numeric => {
            let modifier = target.modifier;
            primitive::<A, _>(array, move |n, out| put_text(&n.into().to_string(), modifier, out))
        }
        _ => None,
    }
}

/// An integer that a float with a significand of so many bits holds.
fn exactly(n: i128, bits: u32) -> Result<i128, Misfit> {
    if n.unsigned_abs() <= 1 << bits { Ok(n) } else { Err(Misfit::new("the integer has no exact float")) }
}

fn floats<A: ArrowPrimitiveType>(
    array: &ArrayRef,
    target: Target<'_>,
    wide: impl Fn(A::Native) -> f64 + Send + 'static,
) -> Option<Box<dyn Cells>> {
    let nan_is_null = target.nan_is_null;
    match target.layout {
        Type::Float8 => primitive::<A, _>(array, move |f, out| {
            let f = wide(f);
            if nan_is_null && f.is_nan() {
                null(out);
            } else {
                fixed(f.to_be_bytes(), out);
            }
            Ok(())
        }),
        Type::Float4 => primitive::<A, _>(array, move |f, out| {
            let f = wide(f);
            let narrow = f as f32;
            if nan_is_null && f.is_nan() {
                null(out);
                return Ok(());
            }
            if f.is_finite() && !narrow.is_finite() {
                return Err(Misfit::new("the number is too large for float4"));
            }
            fixed(narrow.to_be_bytes(), out);
            Ok(())
        }),
        _ => None,
    }
}
