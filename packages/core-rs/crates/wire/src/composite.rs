//! Composite values and anonymous records: a count, then an OID and a value for every field.
use crate::WireError;

/// Iterator over the fields of a composite value.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Fields<'a> {
    /// Reads the count.
    ///
    /// # Errors
    /// [`WireError`] when it is missing or promises more fields than there are bytes.
    pub fn read(b: &'a [u8]) -> Result<Self, WireError> {
        let (left, rest) = crate::counted(b, "number of fields")?;
        Ok(Self { rest, left })
    }

    /// How many fields are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.left
    }

    /// OID and bytes of the next field, whose value `None` is NULL; `None` behind the last.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::Trailing`].
    #[allow(clippy::should_implement_trait, clippy::type_complexity)]
    pub fn next(&mut self) -> Result<Option<(u32, Option<&'a [u8]>)>, WireError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(WireError::Trailing) };
        }
        let (oid, rest) = self.rest.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
        let (value, rest) = crate::sized(rest)?;
        self.left -= 1;
        self.rest = rest;
        Ok(Some((u32::from_be_bytes(*oid), value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_nulls() {
        let b = [0, 0, 0, 2, 0, 0, 0, 23, 0, 0, 0, 1, 5, 0, 0, 0, 25, 255, 255, 255, 255];
        let mut f = Fields::read(&b).unwrap();
        assert_eq!(f.next().unwrap(), Some((23, Some(&[5][..]))));
        assert_eq!(f.next().unwrap(), Some((25, None)));
        assert_eq!(f.next().unwrap(), None);
        for n in 0..b.len() {
            let whole = Fields::read(&b[..n]).and_then(|mut f| {
                while f.next()?.is_some() {}
                Ok(())
            });
            assert!(whole.is_err(), "{n}");
        }
    }
}
