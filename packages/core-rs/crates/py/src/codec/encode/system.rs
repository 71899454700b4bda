//! Types of the server's own catalogs, and bit strings.
use super::{Done, Refusal, utf8};
use data_bridge_wire::bits as wire;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// The text of a `str`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a `str` that outlives the returned text.
pub(super) unsafe fn str_of<'a>(v: *mut PyObject) -> Result<&'a str, Refusal> {
    // SAFETY: `v` is alive; the text lives as long.
    unsafe {
        if ffi::PyUnicode_Check(v) == 0 {
            return Err(Refusal::Expected("str"));
        }
        Ok(std::str::from_utf8(utf8(v)?).unwrap_or_default())
    }
}

/// `bit` and `varbit`: a text of 0 and 1.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn bits(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let text = unsafe { str_of(v)? };
    if wire::write(text.as_bytes(), out) {
        Ok(())
    } else {
        Err(Refusal::Reason("a bit string is a text of 0 and 1".into()))
    }
}

/// `"char"`: one character of one byte, or none for the byte 0.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn char(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let mut text = unsafe { str_of(v)? }.chars();
    let byte = match (text.next(), text.next()) {
        (None, _) => Some(0),
        // The server's zero byte is the empty text.
        (Some(c), None) if c != '\0' => u8::try_from(u32::from(c)).ok(),
        _ => None,
    };
    match byte {
        Some(byte) => {
            out.push(byte);
            Ok(())
        }
        None => Err(Refusal::Reason("a \"char\" is one character below U+0100, or none".into())),
    }
}

/// `xid8`
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn unsigned(v: *mut PyObject) -> Result<u64, Refusal> {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    if !v.is_instance_of::<pyo3::types::PyInt>() || v.is_instance_of::<pyo3::types::PyBool>() {
        return Err(Refusal::Expected("int"));
    }
    v.extract().map_err(|_| Refusal::Reason(format!("the integer is outside 0…{}", u64::MAX)))
}

/// `pg_lsn`: `16/B374D848`
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn lsn(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let text = unsafe { str_of(v)? };
    let part = |s: &str| if s.len() <= 8 { u32::from_str_radix(s, 16).ok() } else { None };
    match text.split_once('/').and_then(|(high, low)| Some((part(high)?, part(low)?))) {
        Some((high, low)) => {
            out.extend(high.to_be_bytes());
            out.extend(low.to_be_bytes());
            Ok(())
        }
        None => Err(Refusal::Reason("the text is not a position in the log, as 16/B374D848 is".into())),
    }
}

/// `tid`: block and offset.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn tid(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    let (block, offset): (u32, u16) = v.extract().map_err(|_| Refusal::Expected("tuple (block, offset)"))?;
    out.extend(block.to_be_bytes());
    out.extend(offset.to_be_bytes());
    Ok(())
}

/// `pg_snapshot` and `txid_snapshot`: `xmin:xmax:xip,xip`
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn snapshot(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let text = unsafe { str_of(v)? };
    let numbers: Option<Vec<u64>> = match text.splitn(3, ':').collect::<Vec<_>>()[..] {
        [low, high, ""] => [low, high].iter().map(|n| n.parse().ok()).collect(),
        [low, high, inside] => [low, high].into_iter().chain(inside.split(',')).map(|n| n.parse().ok()).collect(),
        _ => None,
    };
    let Some(numbers) = numbers else {
        return Err(Refusal::Reason("the text is not a snapshot, as 10:20:11,15 is".into()));
    };
    let count = i32::try_from(numbers.len() - 2).map_err(|_| Refusal::Reason("the snapshot is too long".into()))?;
    out.extend(count.to_be_bytes());
    out.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
    Ok(())
}
