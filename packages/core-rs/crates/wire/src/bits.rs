//! `bit` and `varbit`: a number of bits and the bytes that hold them, the most significant bit first.
use crate::WireError;

/// The bits as `0` and `1`.
///
/// # Errors
/// [`WireError`] when the bytes do not hold just these bits.
pub fn read(b: &[u8]) -> Result<String, WireError> {
    let Some((head, rest)) = b.split_first_chunk::<4>() else { return Err(WireError::Truncated) };
    let count =
        usize::try_from(i32::from_be_bytes(*head)).map_err(|_| WireError::Malformed("length of a bit string"))?;
    if rest.len() != count.div_ceil(8) {
        return Err(WireError::Malformed("length of a bit string"));
    }
    Ok((0..count).map(|i| if rest[i / 8] & (0x80 >> (i % 8)) == 0 { '0' } else { '1' }).collect())
}

/// Writes a text of `0` and `1`; false, with nothing written, when it is none.
#[must_use]
pub fn write(text: &[u8], out: &mut Vec<u8>) -> bool {
    if text.len() > i32::MAX as usize || text.iter().any(|c| !matches!(c, b'0' | b'1')) {
        return false;
    }
    out.extend((text.len() as i32).to_be_bytes());
    out.extend(text.chunks(8).map(|chunk| {
        chunk.iter().enumerate().fold(0u8, |byte, (i, c)| if *c == b'1' { byte | (0x80 >> i) } else { byte })
    }));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["", "1", "0", "10101010", "101010101", "0000000000000001"] {
            let mut b = vec![];
            assert!(write(text.as_bytes(), &mut b));
            assert_eq!(read(&b).unwrap(), text);
            for n in 0..b.len() {
                assert!(read(&b[..n]).is_err());
            }
        }
    }

    #[test]
    fn other_characters() {
        let mut b = vec![];
        assert!(!write(b"102", &mut b));
        assert!(b.is_empty());
    }
}
