//! Arrays of any element type, with any number of dimensions and any lower bounds.
use crate::WireError;

/// The most dimensions that PostgreSQL allows (`MAXDIM`).
pub const MAX_DIMENSIONS: usize = 6;

/// The header of an array and the bytes of its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array<'a> {
    /// OID of the element type, as the server names it.
    pub element: u32,
    /// Number of elements in each dimension; empty for an empty array.
    pub lengths: Vec<usize>,
    /// Number of elements in all.
    pub count: usize,
    rest: &'a [u8],
}

fn i32_at(b: &[u8], at: usize) -> Result<i32, WireError> {
    b.get(at..at + 4).map(|b| i32::from_be_bytes(b.try_into().expect("four bytes"))).ok_or(WireError::Truncated)
}

impl<'a> Array<'a> {
    /// Reads the header of `array_send`.
    ///
    /// # Errors
    /// [`WireError`] when the header is short, has too many dimensions or promises more elements than bytes.
    pub fn read(b: &'a [u8]) -> Result<Self, WireError> {
        let dimensions = i32_at(b, 0)?;
        let element = i32_at(b, 8)? as u32;
        if !(0..=MAX_DIMENSIONS as i32).contains(&dimensions) {
            return Err(WireError::Malformed("number of array dimensions"));
        }
        let (mut lengths, mut count) = (Vec::with_capacity(dimensions as usize), usize::from(dimensions > 0));
        for i in 0..dimensions as usize {
            let n = usize::try_from(i32_at(b, 12 + 8 * i)?).map_err(|_| WireError::Malformed("array length"))?;
            i32_at(b, 16 + 8 * i)?;
            lengths.push(n);
            count = count.checked_mul(n).ok_or(WireError::Malformed("array length"))?;
        }
        let rest = &b[12 + 8 * dimensions as usize..];
        if count > rest.len() / 4 {
            return Err(WireError::Truncated);
        }
        Ok(Self { element, lengths, count, rest })
    }

    /// The elements in row-major order; `None` is NULL.
    pub fn elements(&self) -> Elements<'a> {
        Elements { rest: self.rest, left: self.count }
    }
}

/// Iterator over the elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Elements<'a> {
    /// The next element, `None` behind the last.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::Trailing`].
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Option<&'a [u8]>>, WireError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(WireError::Trailing) };
        }
        self.left -= 1;
        let (value, rest) = crate::sized(self.rest)?;
        self.rest = rest;
        Ok(Some(value))
    }
}

/// Writes the header of an array whose elements follow, each with its length before it.
pub fn write_header(out: &mut Vec<u8>, element: u32, lengths: &[usize], has_null: bool) {
    let dimensions = if lengths.contains(&0) { 0 } else { lengths.len() };
    out.extend((dimensions as i32).to_be_bytes());
    out.extend(i32::from(has_null).to_be_bytes());
    out.extend(element.to_be_bytes());
    for n in &lengths[..dimensions] {
        out.extend((*n as i32).to_be_bytes());
        out.extend(1i32.to_be_bytes());
    }
}

/// Writes one element: room for its length, then what `body` writes.
///
/// # Errors
/// Whatever `body` returns.
pub fn write_element<E>(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let at = out.len();
    out.extend([0; 4]);
    body(out)?;
    let n = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&n.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_two() -> Vec<u8> {
        let mut b = vec![];
        write_header(&mut b, 23, &[2, 2], true);
        for x in [Some(1i32), None, Some(3), Some(4)] {
            match x {
                Some(x) => write_element::<()>(&mut b, |o| {
                    o.extend(x.to_be_bytes());
                    Ok(())
                })
                .unwrap(),
                None => b.extend((-1i32).to_be_bytes()),
            }
        }
        b
    }

    #[test]
    fn dimensions_and_nulls() {
        let b = two_by_two();
        let a = Array::read(&b).unwrap();
        assert_eq!((a.element, a.lengths.as_slice(), a.count), (23, &[2, 2][..], 4));
        let (mut e, mut seen) = (a.elements(), vec![]);
        while let Some(x) = e.next().unwrap() {
            seen.push(x.map(|x| i32::from_be_bytes(x.try_into().unwrap())));
        }
        assert_eq!(seen, [Some(1), None, Some(3), Some(4)]);
    }

    #[test]
    fn every_cut_is_an_error() {
        let b = two_by_two();
        for n in 0..b.len() {
            let whole = Array::read(&b[..n]).and_then(|a| {
                let mut e = a.elements();
                while e.next()?.is_some() {}
                Ok(())
            });
            assert!(whole.is_err(), "{n}");
        }
    }

    #[test]
    fn empty() {
        let mut b = vec![];
        write_header(&mut b, 25, &[0], false);
        assert_eq!(b.len(), 12);
        assert_eq!(Array::read(&b).unwrap().count, 0);
    }

    #[test]
    fn a_lie_about_the_length_allocates_nothing() {
        let mut b = vec![];
        write_header(&mut b, 23, &[0x7fff_ffff, 0x7fff_ffff], false);
        assert!(Array::read(&b).is_err());
    }
}
