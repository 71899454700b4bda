//! JSON text and a Python object: whether the text stands for the object, without a second object.
use crate::codec::encode::utf8;
use crate::codec::json::read::{Reader, Text, key};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// The nesting that the comparison follows; for a deeper document it returns None, and the caller decodes it.
const DEPTH: u32 = 200;
/// The first byte of a `jsonb` value: the version of its binary form.
const VERSION: u8 = 1;

/// Why nothing can be said: an object of another class than those of JSON, or text that is not JSON.
pub struct Doubt;

type Verdict = Result<bool, Doubt>;

/// Whether the wire bytes of a `jsonb` value are what an object would be loaded as; None where only decoding can tell. A `json`
/// value may have a key twice, so that nothing is said of it.
#[pyfunction]
pub fn json_equals(wire: &[u8], value: &Bound<'_, PyAny>) -> Option<bool> {
    match wire.split_first() {
        // SAFETY: attached, and `value` is alive.
        Some((&VERSION, text)) => unsafe { is_next(&mut Reader::new(text), value.as_ptr(), 0) }.ok(),
        _ => None,
    }
}

/// The next value of the text and an object. The first difference ends the comparison, wherever the text stands.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is alive.
unsafe fn is_next(r: &mut Reader<'_>, v: *mut PyObject, depth: u32) -> Verdict {
    if depth > DEPTH {
        return Err(Doubt);
    }
    let next = r.peek().ok_or(Doubt)?;
    // SAFETY: `v` is alive; whatever is looked at below belongs to it.
    unsafe {
        if v == ffi::Py_None() {
            Ok(next == b'n' && r.passes(b"null"))
        } else if v == ffi::Py_True() {
            Ok(next == b't' && r.passes(b"true"))
        } else if v == ffi::Py_False() {
            Ok(next == b'f' && r.passes(b"false"))
        } else if ffi::PyUnicode_CheckExact(v) != 0 {
            if next != b'"' {
                return Ok(false);
            }
            let given = utf8(v).map_err(|_| Doubt)?;
            match r.string().map_err(|_| Doubt)? {
                Text::Plain(s) => Ok(s == given),
                Text::Escaped(s) => Ok(s == given),
            }
        } else if ffi::PyLong_CheckExact(v) != 0 {
            if !is_digit(next) {
                return Ok(false);
            }
            let mut over = 0;
            let given = ffi::PyLong_AsLongLongAndOverflow(v, &mut over);
            let text = r.digits();
            if text.iter().any(|c| matches!(c, b'.' | b'e' | b'E')) {
                return Ok(false); // it is loaded as a float
            }
            match std::str::from_utf8(text).ok().and_then(|t| t.parse::<i64>().ok()) {
                Some(n) if over == 0 => Ok(n == given),
                None if over != 0 => Err(Doubt),
                _ => Ok(false),
            }
        } else if ffi::PyFloat_CheckExact(v) != 0 {
            if !is_digit(next) {
                return Ok(false);
            }
            let text = r.digits();
            if !text.iter().any(|c| matches!(c, b'.' | b'e' | b'E')) {
                return Ok(false); // it is loaded as an int
            }
            let loaded = std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok()).ok_or(Doubt)?;
            Ok(loaded == ffi::PyFloat_AS_DOUBLE(v))
        } else if ffi::PyDict_CheckExact(v) != 0 {
            if next == b'{' { object(r, v, depth) } else { all_plain_keys(v).map(|()| false) }
        } else if ffi::PyList_CheckExact(v) != 0 || ffi::PyTuple_CheckExact(v) != 0 {
            if next == b'[' { array(r, v, depth) } else { Ok(false) }
        } else {
            Err(Doubt)
        }
    }
}

fn is_digit(c: u8) -> bool {
    matches!(c, b'-' | b'0'..=b'9')
}

/// An object of the text and a dict.
///
/// # Safety
/// As for [`is_next`]; `v` is a dict.
unsafe fn object(r: &mut Reader<'_>, v: *mut PyObject, depth: u32) -> Verdict {
    r.next();
    let mut count = 0;
    // SAFETY: `name` and `found` are ours while they are used.
    unsafe {
        if r.peek() == Some(b'}') {
            r.next();
        } else {
            loop {
                if r.peek() != Some(b'"') {
                    return Err(Doubt);
                }
                let name = match r.string().map_err(|_| Doubt)? {
                    Text::Plain(s) => key(s),
                    Text::Escaped(s) => key(&s),
                };
                let name = name.map_err(|_| forgotten())?;
                let found = ffi::PyDict_GetItemWithError(v, name);
                ffi::Py_XINCREF(found);
                ffi::Py_DECREF(name);
                if found.is_null() {
                    if !ffi::PyErr_Occurred().is_null() {
                        return Err(forgotten());
                    }
                    return all_plain_keys(v).map(|()| false);
                }
                if r.next() != Some(b':') {
                    ffi::Py_DECREF(found);
                    return Err(Doubt);
                }
                let same = is_next(r, found, depth + 1);
                ffi::Py_DECREF(found);
                if !same? {
                    return Ok(false);
                }
                count += 1;
                match r.next() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(Doubt),
                }
            }
        }
        if ffi::PyDict_Size(v) == count { Ok(true) } else { all_plain_keys(v).map(|()| false) }
    }
}

/// An array of the text and a list or a tuple.
///
/// # Safety
/// As for [`is_next`]; `v` is a list or a tuple.
unsafe fn array(r: &mut Reader<'_>, v: *mut PyObject, depth: u32) -> Verdict {
    r.next();
    let mut at = 0;
    // SAFETY: the length is asked before each item, which is ours while it is compared.
    unsafe {
        let is_list = ffi::PyList_CheckExact(v) != 0;
        let size = || if is_list { ffi::PyList_GET_SIZE(v) } else { ffi::PyTuple_GET_SIZE(v) };
        if r.peek() == Some(b']') {
            r.next();
            return Ok(size() == 0);
        }
        loop {
            if at >= size() {
                return Ok(false);
            }
            let item = if is_list { ffi::PyList_GET_ITEM(v, at) } else { ffi::PyTuple_GET_ITEM(v, at) };
            ffi::Py_INCREF(item);
            let same = is_next(r, item, depth + 1);
            ffi::Py_DECREF(item);
            if !same? {
                return Ok(false);
            }
            at += 1;
            match r.next() {
                Some(b',') => {}
                Some(b']') => return Ok(size() == at),
                _ => return Err(Doubt),
            }
        }
    }
}

/// Whether every key is a str: another one may be written as the name that was not found.
///
/// # Safety
/// As for [`is_next`]; `v` is a dict.
unsafe fn all_plain_keys(v: *mut PyObject) -> Result<(), Doubt> {
    let (mut at, mut name, mut item) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: nothing changes the dict meanwhile.
    unsafe {
        while ffi::PyDict_Next(v, &mut at, &mut name, &mut item) != 0 {
            if ffi::PyUnicode_CheckExact(name) == 0 {
                return Err(Doubt);
            }
        }
    }
    Ok(())
}

/// Clears the exception that a look-up raised: the comparison of the decoded objects raises it again.
fn forgotten() -> Doubt {
    // SAFETY: only called where the thread is attached.
    PyErr::take(unsafe { Python::assume_attached() });
    Doubt
}
