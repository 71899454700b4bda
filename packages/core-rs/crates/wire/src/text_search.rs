//! `tsvector` and `tsquery` as PostgreSQL prints them: drivers read these types and do not compute with them.
use crate::WireError;
use std::fmt::Write as _;

/// How deep a query may be nested; the server's own limit is its stack.
const DEEPEST: usize = 1_000;

fn quoted(lexeme: &[u8], out: &mut String) -> Result<(), WireError> {
    let text = std::str::from_utf8(lexeme).map_err(|_| WireError::Malformed("lexeme"))?;
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    Ok(())
}

fn cut<const N: usize>(b: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (head, rest) = b.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
    *b = rest;
    Ok(*head)
}

fn lexeme<'a>(b: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let end = b.iter().position(|c| *c == 0).ok_or(WireError::Truncated)?;
    let (head, rest) = b.split_at(end);
    *b = &rest[1..];
    Ok(head)
}

/// `'cat':3A,7 'fat':2`.
///
/// # Errors
/// [`WireError`] when the bytes are no tsvector.
pub fn vector(mut b: &[u8]) -> Result<String, WireError> {
    let count = i32::from_be_bytes(cut(&mut b)?);
    let mut out = String::with_capacity(b.len() + 16);
    for i in 0..count {
        if i > 0 {
            out.push(' ');
        }
        quoted(lexeme(&mut b)?, &mut out)?;
        let positions = u16::from_be_bytes(cut(&mut b)?);
        for k in 0..positions {
            let position = u16::from_be_bytes(cut(&mut b)?);
            let weight = ["", "C", "B", "A"][usize::from(position >> 14)];
            let _ = write!(out, "{}{}{weight}", if k == 0 { ':' } else { ',' }, position & 0x3fff);
        }
    }
    if b.is_empty() && count >= 0 { Ok(out) } else { Err(WireError::Trailing) }
}

const NOT: u8 = 1;
const AND: u8 = 2;
const OR: u8 = 3;
const PHRASE: u8 = 4;

fn priority(operator: u8) -> u8 {
    match operator {
        NOT => 4,
        PHRASE => 3,
        AND => 2,
        _ => 1,
    }
}

/// `'fat' & !( 'cat' | 'rat':*A )`.
///
/// # Errors
/// [`WireError`] when the bytes are no tsquery.
pub fn query(mut b: &[u8]) -> Result<String, WireError> {
    let mut left = i32::from_be_bytes(cut(&mut b)?);
    if left == 0 {
        return if b.is_empty() { Ok(String::new()) } else { Err(WireError::Trailing) };
    }
    let text = item(&mut b, &mut left, 0, false, 0)?;
    if left == 0 && b.is_empty() { Ok(text) } else { Err(WireError::Trailing) }
}

/// One node: the server sends an operator, then its right operand, then its left one.
fn item(b: &mut &[u8], left: &mut i32, outer: u8, right_of_phrase: bool, depth: usize) -> Result<String, WireError> {
    if *left <= 0 {
        return Err(WireError::Truncated);
    }
    if depth > DEEPEST {
        return Err(WireError::Malformed("nesting of a tsquery"));
    }
    *left -= 1;
    let [kind] = cut(b)?;
    if kind == 1 {
        let [weights, prefix] = cut(b)?;
        let mut out = String::new();
        quoted(lexeme(b)?, &mut out)?;
        if weights != 0 || prefix != 0 {
            out.push(':');
            out.push_str(if prefix == 0 { "" } else { "*" });
            for (bit, letter) in [(8, 'A'), (4, 'B'), (2, 'C'), (1, 'D')] {
                if weights & bit != 0 {
                    out.push(letter);
                }
            }
        }
        return Ok(out);
    }
    if kind != 2 {
        return Err(WireError::Malformed("node of a tsquery"));
    }
    let [operator] = cut(b)?;
    if operator == NOT {
        let inner = item(b, left, priority(NOT), false, depth + 1)?;
        return Ok(if priority(NOT) < outer { format!("( !{inner} )") } else { format!("!{inner}") });
    }
    let sign = match operator {
        AND => " & ".to_owned(),
        OR => " | ".to_owned(),
        PHRASE => match u16::from_be_bytes(cut(b)?) {
            1 => " <-> ".to_owned(),
            distance => format!(" <{distance}> "),
        },
        _ => return Err(WireError::Malformed("operator of a tsquery")),
    };
    let own = priority(operator);
    let right = item(b, left, own, operator == PHRASE, depth + 1)?;
    let text = item(b, left, own, false, depth + 1)? + &sign + &right;
    Ok(if own < outer || (operator == PHRASE && right_of_phrase) { format!("( {text} )") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector() {
        let b = [&[0, 0, 0, 2][..], b"a\0", &[0, 2, 0xc0, 1, 0, 5], b"b'c\0", &[0, 0]].concat();
        assert_eq!(vector(&b).unwrap(), "'a':1A,5 'b''c'");
        for n in 0..b.len() {
            assert!(vector(&b[..n]).is_err(), "{n}");
        }
    }

    #[test]
    fn a_query() {
        let b = [&[0, 0, 0, 4, 2, AND, 2, NOT, 1, 8, 1][..], b"b\0", &[1, 0, 0], b"a\0"].concat();
        assert_eq!(query(&b).unwrap(), "'a' & !'b':*A");
        for n in 0..b.len() {
            assert!(query(&b[..n]).is_err(), "{n}");
        }
        assert_eq!(query(&[0, 0, 0, 0]).unwrap(), "");
    }

    #[test]
    fn a_deep_lie_is_an_error() {
        let mut b = vec![0, 0x0f, 0xff, 0xff];
        b.extend([2, NOT].repeat(100_000));
        assert!(query(&b).is_err());
    }
}
