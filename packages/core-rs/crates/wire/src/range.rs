//! Ranges: a byte of flags and the bounds that are there.
use crate::WireError;

/// The range has no element.
pub const EMPTY: u8 = 0x01;
/// The lower bound belongs to it.
pub const LOWER_INCLUSIVE: u8 = 0x02;
/// The upper bound belongs to it.
pub const UPPER_INCLUSIVE: u8 = 0x04;
/// There is no lower bound.
pub const LOWER_INFINITE: u8 = 0x08;
/// There is no upper bound.
pub const UPPER_INFINITE: u8 = 0x10;

/// A range with the bytes of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'a> {
    /// [`EMPTY`] and the others.
    pub flags: u8,
    /// The lower bound, unless it is infinite.
    pub lower: Option<&'a [u8]>,
    /// The upper bound, unless it is infinite.
    pub upper: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    /// Reads what `range_send` writes.
    ///
    /// # Errors
    /// [`WireError`] when a bound is missing or bytes are left over.
    pub fn read(b: &'a [u8]) -> Result<Self, WireError> {
        let (&flags, mut rest) = b.split_first().ok_or(WireError::Truncated)?;
        let mut bound = |absent: u8| {
            if flags & (EMPTY | absent) != 0 {
                return Ok(None);
            }
            let (value, more) = crate::sized(rest)?;
            rest = more;
            value.map(Some).ok_or(WireError::Malformed("bound of a range"))
        };
        let it = Self { flags, lower: bound(LOWER_INFINITE)?, upper: bound(UPPER_INFINITE)? };
        if rest.is_empty() { Ok(it) } else { Err(WireError::Trailing) }
    }

    /// How the bounds are written: `[)`.
    #[must_use]
    pub fn bounds(&self) -> &'static str {
        match (self.flags & LOWER_INCLUSIVE != 0, self.flags & UPPER_INCLUSIVE != 0) {
            (true, true) => "[]",
            (true, false) => "[)",
            (false, true) => "(]",
            (false, false) => "()",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bounds() {
        let b = [LOWER_INCLUSIVE, 0, 0, 0, 1, 7, 0, 0, 0, 1, 9];
        let it = Range::read(&b).unwrap();
        assert_eq!((it.lower, it.upper, it.bounds()), (Some(&[7][..]), Some(&[9][..]), "[)"));
        for n in 0..b.len() {
            assert!(Range::read(&b[..n]).is_err());
        }
        assert_eq!(Range::read(&[EMPTY]).unwrap().lower, None);
        assert_eq!(Range::read(&[LOWER_INFINITE | UPPER_INFINITE]).unwrap().upper, None);
        assert_eq!(Range::read(&[EMPTY, 1]), Err(WireError::Trailing));
    }
}
