//! `interval`: months, days and microseconds, which no calendar reduces to each other.
use crate::WireError;

/// An interval as PostgreSQL keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Whole months; a year has twelve.
    pub months: i32,
    /// Whole days; a day has no fixed number of hours.
    pub days: i32,
    /// Microseconds.
    pub microseconds: i64,
}

impl Interval {
    /// Reads the 16 bytes of `interval_send`.
    ///
    /// # Errors
    /// [`WireError::Length`] for another length, [`WireError::Unrepresentable`] for the infinities of PostgreSQL 17.
    pub fn read(b: &[u8]) -> Result<Self, WireError> {
        let b = crate::exact::<16>(b)?;
        let it = Self {
            microseconds: i64::from_be_bytes(b[..8].try_into().expect("eight bytes")),
            days: i32::from_be_bytes(b[8..12].try_into().expect("four bytes")),
            months: i32::from_be_bytes(b[12..].try_into().expect("four bytes")),
        };
        match (it.microseconds, it.days, it.months) {
            (i64::MAX, i32::MAX, i32::MAX) | (i64::MIN, i32::MIN, i32::MIN) => {
                Err(WireError::Unrepresentable("an infinite interval has no Python value"))
            }
            _ => Ok(it),
        }
    }

    /// Writes what [`Self::read`] reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.microseconds.to_be_bytes());
        out.extend(self.days.to_be_bytes());
        out.extend(self.months.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let it = Interval { months: -3, days: 4, microseconds: -5 };
        let mut b = vec![];
        it.write(&mut b);
        assert_eq!(Interval::read(&b), Ok(it));
        assert!(Interval::read(&b[1..]).is_err());
    }

    #[test]
    fn infinity_is_refused() {
        let mut b = vec![];
        Interval { months: i32::MAX, days: i32::MAX, microseconds: i64::MAX }.write(&mut b);
        assert!(matches!(Interval::read(&b), Err(WireError::Unrepresentable(_))));
    }
}
