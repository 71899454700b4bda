//! `numeric`: base-10000 digits to decimal text and back, exact to PostgreSQL's limits.
use crate::WireError;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;
/// Most digits before the decimal point (PostgreSQL manual, "Arbitrary Precision Numbers").
const MAX_INTEGER_DIGITS: i64 = 131_072;
/// Most digits behind the decimal point.
const MAX_SCALE: i64 = 16_383;

/// What a `numeric` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Finite(Finite<'a>),
    /// `NaN`, `Infinity` or `-Infinity`.
    Special(&'static str),
}

/// The groups of four digits of a number, each as two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finite<'a> {
    /// Whether it is below zero.
    pub negative: bool,
    /// The power of 10,000 of the first group.
    pub weight: i32,
    /// Digits behind the decimal point, as they are shown.
    pub scale: usize,
    groups: &'a [u8],
}

impl Finite<'_> {
    /// The groups, from the most significant one, as numbers below 10,000.
    pub fn groups(&self) -> impl DoubleEndedIterator<Item = u16> + ExactSizeIterator {
        self.groups.chunks_exact(2).map(|g| u16::from_be_bytes([g[0], g[1]]))
    }

    /// Digits behind the decimal point up to the last one that is not zero; below zero for whole hundreds.
    #[must_use]
    pub fn places(&self) -> i32 {
        let Some((i, last)) = self.groups().enumerate().rfind(|(_, group)| *group != 0) else {
            return i32::MIN;
        };
        let zeros = (1..4).take_while(|n| last % 10u16.pow(*n) == 0).count() as i32;
        4 * (i as i32 - self.weight) - zeros
    }
}

/// Reads the header of a `numeric`, and checks its digits.
///
/// # Errors
/// [`WireError`] when the digits are short, out of range or the sign is unknown.
pub fn value(b: &[u8]) -> Result<Value<'_>, WireError> {
    if b.len() < 8 {
        return Err(WireError::Truncated);
    }
    let word = |i: usize| u16::from_be_bytes([b[2 * i], b[2 * i + 1]]);
    let (count, weight, sign, scale) = (word(0) as usize, i32::from(word(1) as i16), word(2), word(3) as usize);
    match b.len().cmp(&(8 + 2 * count)) {
        std::cmp::Ordering::Less => return Err(WireError::Truncated),
        std::cmp::Ordering::Greater => return Err(WireError::Trailing),
        std::cmp::Ordering::Equal => {}
    }
    let negative = match sign {
        0 => false,
        NEGATIVE => true,
        NAN => return Ok(Value::Special("NaN")),
        INFINITY => return Ok(Value::Special("Infinity")),
        MINUS_INFINITY => return Ok(Value::Special("-Infinity")),
        _ => return Err(WireError::Malformed("sign of a numeric")),
    };
    let number = Finite { negative, weight, scale, groups: &b[8..] };
    if number.groups().any(|group| group > 9999) {
        return Err(WireError::Malformed("digit of a numeric"));
    }
    Ok(Value::Finite(number))
}

/// Appends the decimal text of a `numeric` (`-12.50`, `NaN`, `-Infinity`).
///
/// # Errors
/// [`WireError`] when the digits are short, out of range or the sign is unknown.
pub fn read(b: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let number = match value(b)? {
        Value::Finite(number) => number,
        Value::Special(text) => {
            out.extend(text.as_bytes());
            return Ok(());
        }
    };
    let (count, weight, scale) = (number.groups().len(), number.weight, number.scale);
    let word = |i: usize| u16::from_be_bytes([b[2 * i], b[2 * i + 1]]);
    if number.negative {
        out.push(b'-');
    }
    // The group with exponent 10000^e; outside the stored ones all are zero.
    let group = |e: i32| -> u16 {
        let i = i64::from(weight) - i64::from(e);
        if (0..count as i64).contains(&i) { word(4 + i as usize) } else { 0 }
    };
    let four = |d: u16| [d / 1000, d / 100 % 10, d / 10 % 10, d % 10].map(|x| b'0' + x as u8);
    if weight < 0 {
        out.push(b'0');
    }
    for e in (0..=weight).rev() {
        let digits = four(group(e));
        let skip = if e == weight { digits.iter().position(|&x| x != b'0').unwrap_or(3) } else { 0 };
        out.extend(&digits[skip..]);
    }
    if scale > 0 {
        out.push(b'.');
        let (end, mut e) = (out.len() + scale, -1);
        while out.len() < end {
            out.extend(four(group(e)));
            e -= 1;
        }
        out.truncate(end);
    }
    Ok(())
}

/// Appends the binary form of a decimal text as Python's `Decimal` prints it (`1.50`, `1E+3`, `NaN`, `-Infinity`).
///
/// # Errors
/// [`WireError::Malformed`] for other text, [`WireError::Unrepresentable`] beyond PostgreSQL's limits.
pub fn write(s: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let (negative, s) = match s {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, s),
    };
    let special = match s.to_ascii_lowercase().as_slice() {
        b"nan" => Some(NAN),
        b"infinity" | b"inf" if negative => Some(MINUS_INFINITY),
        b"infinity" | b"inf" => Some(INFINITY),
        b"snan" => return Err(WireError::Unrepresentable("a signalling NaN cannot be stored")),
        _ => None,
    };
    if let Some(sign) = special {
        header(out, 0, 0, sign, 0);
        return Ok(());
    }
    let (mantissa, exponent) = match s.iter().position(|c| matches!(c, b'e' | b'E')) {
        Some(i) => (&s[..i], exponent(&s[i + 1..])?),
        None => (s, 0),
    };
    let mut digits = Vec::with_capacity(mantissa.len());
    let mut point = None;
    for &c in mantissa {
        match c {
            b'0'..=b'9' => digits.push(c - b'0'),
            b'.' if point.is_none() => point = Some(digits.len() as i64),
            _ => return Err(WireError::Malformed("decimal text")),
        }
    }
    if digits.is_empty() {
        return Err(WireError::Malformed("decimal text without digits"));
    }
    let point = point.unwrap_or(digits.len() as i64) + exponent;
    let scale = (digits.len() as i64 - point).max(0);
    let zero = digits.iter().all(|d| *d == 0);
    let significant = digits.iter().position(|d| *d != 0).unwrap_or(0) as i64;
    if scale > MAX_SCALE || (!zero && point - significant > MAX_INTEGER_DIGITS) {
        return Err(WireError::Unrepresentable("more digits than numeric can hold"));
    }
    if zero {
        header(out, 0, 0, 0, scale as u16);
        return Ok(());
    }
    // Groups of four, aligned at the decimal point.
    let left = point.div_euclid(4) + i64::from(point.rem_euclid(4) != 0);
    let at = |i: i64| -> u16 { if i >= 0 { digits.get(i as usize).map_or(0, |d| u16::from(*d)) } else { 0 } };
    let mut i = point - 4 * left;
    let mut groups = Vec::with_capacity(digits.len() / 4 + 2);
    while i < digits.len() as i64 {
        groups.push(at(i) * 1000 + at(i + 1) * 100 + at(i + 2) * 10 + at(i + 3));
        i += 4;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let lead = groups.iter().take_while(|g| **g == 0).count();
    header(
        out,
        (groups.len() - lead) as u16,
        (left - 1 - lead as i64) as i16,
        if negative { NEGATIVE } else { 0 },
        scale as u16,
    );
    for g in &groups[lead..] {
        out.extend(g.to_be_bytes());
    }
    Ok(())
}

/// Appends the binary form of `digits`, of which `scale` are behind the decimal point: 34 at most.
///
/// # Panics
/// With a larger scale, whose groups may leave 128 bits.
pub fn write_scaled(digits: i128, scale: u16, out: &mut Vec<u8>) {
    assert!(scale <= 34, "the scale of a numeric of 128 bits");
    let (whole, part) = {
        let unit = 10u128.pow(scale.into());
        (digits.unsigned_abs() / unit, digits.unsigned_abs() % unit)
    };
    // From the last group to the first: those behind the point, then those before it.
    let (mut groups, mut count) = ([0u16; 24], 0);
    let behind = scale.div_ceil(4);
    let mut rest = part * 10u128.pow(u32::from(behind * 4 - scale));
    for _ in 0..behind {
        groups[count] = (rest % 10_000) as u16;
        (rest, count) = (rest / 10_000, count + 1);
    }
    rest = whole;
    while rest > 0 {
        groups[count] = (rest % 10_000) as u16;
        (rest, count) = (rest / 10_000, count + 1);
    }
    let mut weight = count as i32 - i32::from(behind) - 1;
    let first = groups[..count].iter().take_while(|group| **group == 0).count();
    let mut kept = &groups[first..count];
    while let [rest @ .., 0] = kept {
        (kept, weight) = (rest, weight - 1);
    }
    let weight = if kept.is_empty() { 0 } else { weight };
    let sign = if digits < 0 { NEGATIVE } else { 0 };
    header(out, kept.len() as u16, weight as i16, sign, scale);
    kept.iter().rev().for_each(|group| out.extend(group.to_be_bytes()));
}

fn exponent(s: &[u8]) -> Result<i64, WireError> {
    std::str::from_utf8(s)
        .ok()
        .and_then(|s| s.parse::<i64>().ok())
        .filter(|e| e.abs() <= 1_000_000)
        .ok_or(WireError::Unrepresentable("exponent of a decimal"))
}

fn header(out: &mut Vec<u8>, count: u16, weight: i16, sign: u16, scale: u16) {
    for w in [count, weight as u16, sign, scale] {
        out.extend(w.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(s: &str) -> String {
        let (mut b, mut t) = (vec![], vec![]);
        write(s.as_bytes(), &mut b).unwrap();
        read(&b, &mut t).unwrap();
        String::from_utf8(t).unwrap()
    }

    #[test]
    fn texts_come_back() {
        for s in [
            "0",
            "1",
            "-1",
            "12.50",
            "0.0001",
            "0.00000001",
            "-0.5",
            "10000",
            "99999999",
            "123456789.987654321",
            "NaN",
            "Infinity",
            "-Infinity",
            "0.00",
            "1000000000000000000000000000000.000000000000000000000000000001",
        ] {
            assert_eq!(round(s), s);
        }
    }

    #[test]
    fn exponents() {
        assert_eq!(round("1E+3"), "1000");
        assert_eq!(round("1.5e-3"), "0.0015");
        assert_eq!(round("12E-1"), "1.2");
        assert_eq!(round("0E+5"), "0");
        assert_eq!(round("-0"), "0");
        assert_eq!(round("000123.4"), "123.4");
    }

    #[test]
    fn scaled_digits_are_what_their_text_is() {
        for scale in 0..=34u16 {
            for digits in [0, 1, -1, 5, 9999, 10_000, 123_456_789, -1_000_000, 10i128.pow(34), i128::MAX, i128::MIN] {
                let (mut scaled, mut text, mut of_text) = (vec![], vec![], vec![]);
                write_scaled(digits, scale, &mut scaled);
                write(format!("{digits}E-{scale}").as_bytes(), &mut of_text).unwrap();
                assert_eq!(scaled, of_text, "{digits} {scale}");
                read(&scaled, &mut text).unwrap();
            }
        }
    }

    #[test]
    fn places_behind_the_point() {
        for (text, places) in [("1.50", 1), ("1.0001", 4), ("0.00001", 5), ("12300", -2), ("10000", -4), ("7", 0)] {
            let mut b = vec![];
            write(text.as_bytes(), &mut b).unwrap();
            let Value::Finite(number) = value(&b).unwrap() else { panic!("{text}") };
            assert_eq!(number.places(), places, "{text}");
        }
    }

    #[test]
    fn limits() {
        let long = "9".repeat(131_072);
        assert_eq!(round(&long), long);
        assert!(write(("9".repeat(131_073)).as_bytes(), &mut vec![]).is_err());
        assert!(write(b"1e-16384", &mut vec![]).is_err());
        assert!(write(b"1e999999999999", &mut vec![]).is_err());
        for bad in ["", "-", ".", "1.2.3", "abc", "0x1", "1e", "sNaN"] {
            assert!(write(bad.as_bytes(), &mut vec![]).is_err(), "{bad}");
        }
    }

    #[test]
    fn damaged_bytes_are_errors() {
        let mut b = vec![];
        write(b"12345.678", &mut b).unwrap();
        for n in 0..b.len() {
            assert!(read(&b[..n], &mut vec![]).is_err());
        }
        b[8] = 0xff;
        assert!(read(&b, &mut vec![]).is_err());
    }
}
