//! Ranges: a byte of flags and the bounds that are there. Multiranges: their number, and each with its length.
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

/// The ranges of a multirange, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Ranges<'a> {
    left: usize,
    rest: &'a [u8],
}

impl<'a> Ranges<'a> {
    /// Begins to read what `multirange_send` writes.
    ///
    /// # Errors
    /// [`WireError`] when the number of ranges is missing or cannot be right.
    pub fn read(b: &'a [u8]) -> Result<Self, WireError> {
        let (count, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
        let left = u32::from_be_bytes(*count) as usize;
        // Each takes a length and flags at least, so that no number makes the reader reserve much memory.
        if left > rest.len() / 5 {
            return Err(WireError::Truncated);
        }
        Ok(Self { left, rest })
    }

    /// How many are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// The bytes of the next range.
    ///
    /// # Errors
    /// [`WireError`] when the bytes end early, or go on after the last.
    #[allow(clippy::should_implement_trait, reason = "an iterator that can fail")]
    pub fn next(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(WireError::Trailing) };
        }
        let (value, rest) = crate::sized(self.rest)?;
        (self.left, self.rest) = (self.left - 1, rest);
        value.map(Some).ok_or(WireError::Malformed("range of a multirange"))
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
    #[test]
    fn reads_multiranges() {
        let b = [0, 0, 0, 2, 0, 0, 0, 1, EMPTY, 0, 0, 0, 1, LOWER_INFINITE | UPPER_INFINITE];
        let mut it = Ranges::read(&b).unwrap();
        assert_eq!(it.left(), 2);
        assert_eq!(it.next(), Ok(Some(&[EMPTY][..])));
        assert_eq!(it.next(), Ok(Some(&[LOWER_INFINITE | UPPER_INFINITE][..])));
        assert_eq!(it.next(), Ok(None));
        assert_eq!(Ranges::read(&[0xff; 8]).err(), Some(WireError::Truncated));
        let mut more = Ranges::read(&[0, 0, 0, 0, 9]).unwrap();
        assert_eq!(more.next(), Err(WireError::Trailing));
    }
}
