//! `vector` and `halfvec` of pgvector: a number of dimensions, two unused bytes, then the floats.
use crate::WireError;

/// The most dimensions of pgvector.
pub const MAX_DIMENSIONS: usize = 16_000;

/// The bytes of the floats, `width` each.
///
/// # Errors
/// [`WireError`] when their number is not the one in front.
pub fn read(b: &[u8], width: usize) -> Result<std::slice::ChunksExact<'_, u8>, WireError> {
    let (head, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let count = usize::from(u16::from_be_bytes([head[0], head[1]]));
    if rest.len() == count * width { Ok(rest.chunks_exact(width)) } else { Err(WireError::Malformed("dimensions")) }
}

/// Writes the header in front of `count` floats.
pub fn write_header(count: u16, out: &mut Vec<u8>) {
    out.extend(count.to_be_bytes());
    out.extend([0, 0]);
}

/// A number of 16 bits (IEEE 754 binary16) as one of 32.
#[must_use]
pub fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10) & 31, u32::from(bits) & 0x3ff);
    let magnitude = match (exponent, fraction) {
        (0, _) => f32::to_bits(fraction as f32 * 2f32.powi(-24)),
        (31, 0) => 0x7f80_0000,
        (31, _) => 0x7fc0_0000,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// The nearest number of 16 bits, ties to even; too large ones become infinite.
#[must_use]
pub fn to_half(f: f32) -> u16 {
    let bits = f.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    if f.is_nan() {
        return sign | 0x7e00;
    }
    let magnitude = f32::from_bits(bits & 0x7fff_ffff);
    if magnitude >= 65_520.0 {
        return sign | 0x7c00;
    }
    if magnitude < 2f32.powi(-14) {
        // Below the normal numbers the steps are even, so that rounding a product is rounding the number.
        return sign | (magnitude * 2f32.powi(24)).round_ties_even() as u16;
    }
    let bits = magnitude.to_bits();
    let rounded = bits + 0xfff + (bits >> 13 & 1);
    sign | ((rounded >> 13) - (112 << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for bits in 0..=u16::MAX {
            let f = half(bits);
            if f.is_nan() { assert!(half(to_half(f)).is_nan()) } else { assert_eq!(to_half(f), bits, "{bits:x} {f}") }
        }
        assert_eq!(half(0x3c00), 1.0);
        assert_eq!(half(0xc000), -2.0);
        assert_eq!(to_half(65_519.9), 0x7bff);
        assert_eq!(to_half(1e9), 0x7c00);
    }

    #[test]
    fn the_count_must_be_true() {
        assert_eq!(read(&[0, 1, 0, 0, 0, 0, 0, 0], 4).unwrap().len(), 1);
        assert!(read(&[0, 2, 0, 0, 0, 0, 0, 0], 4).is_err());
        assert!(read(&[0, 0], 4).is_err());
    }
}
