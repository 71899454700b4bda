//! `numeric`: decimals of a declared precision and scale, text or floats.
use crate::decode::bytes::Text;
use crate::decode::scalar::Primitive;
use crate::decode::{Cells, Taken};
use crate::misfit::Misfit;
use arrow_array::ArrowNativeTypeOp;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float64Type};
use arrow_buffer::i256;
use arrow_schema::DataType;
use data_bridge_wire::numeric::{self, Value};

/// The builder for this Arrow type.
pub fn cells(data_type: &DataType) -> Box<dyn Cells> {
    match *data_type {
        DataType::Decimal128(precision, scale) => {
            let limit = 10i128.pow(precision.into());
            let read = move |b: &[u8]| mantissa(b, scale, limit, i128::from);
            Box::new(Primitive::<Decimal128Type, _>::new(data_type.clone(), read))
        }
        DataType::Decimal256(precision, scale) => {
            let limit = i256::from_i128(10).wrapping_pow(precision.into());
            let read = move |b: &[u8]| mantissa(b, scale, limit, |n| i256::from_i128(n.into()));
            Box::new(Primitive::<Decimal256Type, _>::new(data_type.clone(), read))
        }
        DataType::Float64 => Box::new(Primitive::<Float64Type, _>::new(DataType::Float64, float)),
        _ => Box::new(Text::of(text)),
    }
}

fn text(b: &[u8], out: &mut Vec<u8>) -> Taken {
    Ok(numeric::read(b, out)?)
}

/// The nearest float.
fn float(b: &[u8]) -> Result<f64, Misfit> {
    let mut digits = Vec::with_capacity(48);
    numeric::read(b, &mut digits)?;
    let parsed = std::str::from_utf8(&digits).ok().and_then(|s| s.parse::<f64>().ok());
    parsed.ok_or_else(|| Misfit::new("the number has no float"))
}

/// The digits of a number, shifted by `scale` places; below `limit`.
fn mantissa<N: ArrowNativeTypeOp>(b: &[u8], scale: i8, limit: N, of: impl Fn(i32) -> N) -> Result<N, Misfit> {
    let number = match numeric::value(b)? {
        Value::Finite(number) => number,
        Value::Special(what) => {
            return Err(Misfit::new(format!("{what} has no decimal value; cast the column to text")));
        }
    };
    let too_large = || Misfit::new("the number has more digits than the decimal's precision");
    let lost = || Misfit::new("the number has more digits behind the point than the decimal's scale");
    let count = number.groups().len() as i32;
    let mut made = of(0);
    // The place of a group's last digit, counted from the last one that the decimal keeps.
    let mut place = 4 * (number.weight + 1) + i32::from(scale);
    for group in number.groups() {
        place -= 4;
        let (factor, digits) = match place {
            0.. => (10_000, i32::from(group)),
            -3..0 => {
                let cut = 10i32.pow(place.unsigned_abs());
                if i32::from(group) % cut != 0 {
                    return Err(lost());
                }
                (10_000 / cut, i32::from(group) / cut)
            }
            _ => return Err(lost()),
        };
        made = made.mul_checked(of(factor)).and_then(|m| m.add_checked(of(digits))).map_err(|_| too_large())?;
    }
    // A number without groups is zero, whatever its weight.
    for _ in 0..if count == 0 { 0 } else { place.max(0) } {
        made = made.mul_checked(of(10)).map_err(|_| too_large())?;
    }
    if made.is_ge(limit) {
        return Err(too_large());
    }
    Ok(if number.negative { made.neg_wrapping() } else { made })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str, precision: u32, scale: i8) -> Result<i128, Misfit> {
        let mut b = vec![];
        numeric::write(text.as_bytes(), &mut b).expect("a numeric");
        mantissa(&b, scale, 10i128.pow(precision), i128::from)
    }

    #[test]
    fn digits_move_to_the_scale() {
        for (text, precision, scale, expected) in [
            ("0", 10, 2, 0),
            ("0.00", 10, 2, 0),
            ("12.5", 10, 2, 1250),
            ("-12.50", 10, 2, -1250),
            ("12.5000", 10, 2, 1250),
            ("0.00012", 10, 5, 12),
            ("99999999.99", 10, 2, 9_999_999_999),
            ("100000000", 38, 10, 1_000_000_000_000_000_000),
            ("12345678", 8, 0, 12_345_678),
        ] {
            assert_eq!(decimal(text, precision, scale), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_longest_decimal_is_read() {
        let nines = "9".repeat(36) + ".99";
        assert_eq!(decimal(&nines, 38, 2), Ok(10i128.pow(38) - 1));
        assert!(decimal(&format!("1{nines}"), 38, 2).is_err());
    }

    #[test]
    fn nothing_is_rounded() {
        for (text, precision, scale) in
            [("1.005", 10, 2), ("0.00001", 10, 4), ("100000000", 10, 2), ("NaN", 10, 2), ("-Infinity", 10, 2)]
        {
            assert!(decimal(text, precision, scale).is_err(), "{text}");
        }
    }
}
