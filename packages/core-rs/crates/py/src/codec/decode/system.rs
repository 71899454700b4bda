//! Types of the server's own catalogs.
use super::{Made, from_py, text};
use data_bridge_wire::{WireError, exact};
use pyo3::prelude::*;

/// A byte as one character; 0 is the empty text, as the server prints it.
pub fn char(b: &[u8]) -> Made {
    let [byte] = exact::<1>(b)?;
    if byte == 0 {
        return text(b"");
    }
    text(char::from(byte).encode_utf8(&mut [0; 2]).as_bytes())
}

/// `16/B374D848`
pub fn lsn(b: &[u8]) -> Made {
    let n = u64::from_be_bytes(exact(b)?);
    text(format!("{:X}/{:X}", n >> 32, n as u32).as_bytes())
}

/// Block and offset.
pub fn tid(b: &[u8]) -> Made {
    let b = exact::<6>(b)?;
    let block = u32::from_be_bytes(b[..4].try_into().expect("four bytes"));
    let offset = u16::from_be_bytes(b[4..].try_into().expect("two bytes"));
    // SAFETY: attached.
    from_py((block, offset).into_pyobject(unsafe { Python::assume_attached() }))
}

/// `xmin:xmax:xip,xip`
pub fn snapshot(b: &[u8]) -> Made {
    let (head, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let count = i64::from(i32::from_be_bytes(*head));
    if rest.len() as i64 != (count + 2) * 8 {
        return Err(WireError::Malformed("length of a snapshot").into());
    }
    let numbers: Vec<String> =
        rest.chunks_exact(8).map(|c| u64::from_be_bytes(c.try_into().expect("eight bytes")).to_string()).collect();
    text(format!("{}:{}:{}", numbers[0], numbers[1], numbers[2..].join(",")).as_bytes())
}
