//! `hstore`: a count, then key and value, of which the value may be NULL.
use crate::WireError;

/// Iterator over the pairs of an hstore.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Pairs<'a> {
    /// Reads the count.
    ///
    /// # Errors
    /// [`WireError`] when it is missing or promises more pairs than there are bytes.
    pub fn read(b: &'a [u8]) -> Result<Self, WireError> {
        let (left, rest) = crate::counted(b, "number of pairs")?;
        Ok(Self { rest, left })
    }

    /// The next pair; `None` behind the last.
    ///
    /// # Errors
    /// [`WireError`] for a key that is NULL, missing bytes and left over bytes.
    #[allow(clippy::should_implement_trait, clippy::type_complexity)]
    pub fn next(&mut self) -> Result<Option<(&'a [u8], Option<&'a [u8]>)>, WireError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(WireError::Trailing) };
        }
        let (key, rest) = crate::sized(self.rest)?;
        let (value, rest) = crate::sized(rest)?;
        self.left -= 1;
        self.rest = rest;
        Ok(Some((key.ok_or(WireError::Malformed("key of an hstore"))?, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let b = [0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 1, b'1', 0, 0, 0, 1, b'b', 255, 255, 255, 255];
        let mut p = Pairs::read(&b).unwrap();
        assert_eq!(p.next().unwrap(), Some((&b"a"[..], Some(&b"1"[..]))));
        assert_eq!(p.next().unwrap(), Some((&b"b"[..], None)));
        assert_eq!(p.next().unwrap(), None);
        for n in 0..b.len() {
            let whole = Pairs::read(&b[..n]).and_then(|mut p| {
                while p.next()?.is_some() {}
                Ok(())
            });
            assert!(whole.is_err(), "{n}");
        }
    }
}
