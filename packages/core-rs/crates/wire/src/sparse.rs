//! `sparsevec` of pgvector, as pgvector prints it: `{1:0.5,4:2}/5`, indices from 1 and the number of dimensions.
use crate::WireError;
use crate::vector::MAX_DIMENSIONS;
use std::fmt::Write as _;

/// The most dimensions of a sparse vector; at most [`MAX_DIMENSIONS`] of them have a value.
const MOST: i32 = 1_000_000_000;

/// The text of the bytes: dimensions, number of values, an unused word, then indices (from 0) and values.
///
/// # Errors
/// [`WireError`] when the bytes are no sparse vector.
pub fn read(b: &[u8]) -> Result<String, WireError> {
    let (head, rest) = b.split_first_chunk::<12>().ok_or(WireError::Truncated)?;
    let word = |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let count = usize::try_from(word(4)).map_err(|_| WireError::Malformed("number of values"))?;
    if rest.len() as u64 != count as u64 * 8 {
        return Err(WireError::Malformed("number of values"));
    }
    let (indices, values) = rest.split_at(count * 4);
    let mut out = String::with_capacity(count * 8 + 8);
    out.push('{');
    for (i, (index, value)) in indices.as_chunks::<4>().0.iter().zip(values.as_chunks::<4>().0).enumerate() {
        let index = i64::from(i32::from_be_bytes(*index)) + 1;
        let _ = write!(out, "{}{index}:", if i > 0 { "," } else { "" });
        shortest(f32::from_be_bytes(*value), &mut out);
    }
    let _ = write!(out, "}}/{}", word(0));
    Ok(out)
}

/// A float4 as the server prints it: the fewest digits, with an exponent where `printf` would use one.
fn shortest(f: f32, out: &mut String) {
    let scientific = format!("{f:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return out.push_str(&scientific) };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = match exponent {
        -4..6 => write!(out, "{f}"),
        _ => write!(out, "{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    };
}

/// Appends the bytes of such a text, in any order of indices and with zeros left out; `None` when it is none.
#[must_use]
pub fn write(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (items, dimensions) = text.trim().strip_prefix('{')?.rsplit_once('}')?;
    let dimensions: i32 = dimensions.trim_start().strip_prefix('/')?.trim().parse().ok()?;
    let mut values = vec![];
    for item in items.split(',').filter(|_| !items.trim().is_empty()) {
        let (index, value) = item.split_once(':')?;
        let (index, value): (i32, f32) = (index.trim().parse().ok()?, value.trim().parse().ok()?);
        if !(1..=dimensions).contains(&index) || !value.is_finite() {
            return None;
        }
        if value != 0.0 {
            values.push((index - 1, value));
        }
    }
    values.sort_unstable_by_key(|v| v.0);
    if !(1..=MOST).contains(&dimensions) || values.len() > MAX_DIMENSIONS || values.windows(2).any(|w| w[0].0 == w[1].0)
    {
        return None;
    }
    for word in [dimensions, values.len() as i32, 0].into_iter().chain(values.iter().map(|v| v.0)) {
        out.extend(word.to_be_bytes());
    }
    values.iter().for_each(|v| out.extend(v.1.to_be_bytes()));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> Option<String> {
        let mut b = vec![];
        write(text, &mut b)?;
        for n in 0..b.len() {
            assert!(read(&b[..n]).is_err(), "{text} {n}");
        }
        Some(read(&b).expect("what was written can be read"))
    }

    #[test]
    fn what_was_written_is_read() {
        for text in ["{}/3", "{1:0.5,4:2}/5", "{2:-1.5e+20,3:1e-05}/3", "{1:123456}/1", "{1:1.234567e+06}/1000000000"] {
            assert_eq!(again(text).as_deref(), Some(text));
        }
        assert_eq!(again(" { 4 : 2.0 , 1:.5, 2:0 } / 5 ").as_deref(), Some("{1:0.5,4:2}/5"));
    }

    #[test]
    fn what_is_none_is_refused() {
        let none = [
            "",
            "{}",
            "{}/0",
            "{}/-1",
            "{}/1000000001",
            "[1,2]",
            "{1}/2",
            "{0:1}/2",
            "{3:1}/2",
            "{1:1,1:2}/2",
            "{1:x}/2",
            "{1:inf}/2",
            "{1:1e40}/2",
            "{1:1,}/2",
            "{1:1}/2 x",
        ];
        for text in none {
            assert_eq!(again(text), None, "{text}");
        }
    }
}
