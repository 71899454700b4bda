//! Python objects to JSON text.
use crate::codec::encode::{Refusal, utf8};
use crate::env::Env;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// Nesting that is followed; a cycle ends here.
const DEPTH: u32 = 1000;

/// Appends the JSON text of `v`: None, bool, int, finite float, str, list, tuple, dict with string keys, and what says how
/// it is serialised (Pydantic models, dataclasses, Enum, Decimal, UUID, dates).
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn write(env: &Env, v: *mut PyObject, out: &mut Vec<u8>, depth: u32) -> Result<(), Refusal> {
    if depth > DEPTH {
        return Err(Refusal::Reason("JSON nested deeper than 1,000 levels".into()));
    }
    // SAFETY: `v` is a borrowed reference that the caller keeps alive.
    unsafe {
        if v == ffi::Py_None() {
            out.extend(b"null");
        } else if v == ffi::Py_True() {
            out.extend(b"true");
        } else if v == ffi::Py_False() {
            out.extend(b"false");
        } else if ffi::PyUnicode_CheckExact(v) != 0 {
            string(utf8(v)?, out)?;
        } else if ffi::PyLong_CheckExact(v) != 0 {
            integer(v, out)?;
        } else if ffi::PyFloat_CheckExact(v) != 0 {
            float(ffi::PyFloat_AS_DOUBLE(v), out)?;
        } else if ffi::PyDict_Check(v) != 0 {
            dict(env, v, out, depth)?;
        } else if ffi::PyList_Check(v) != 0 {
            let count = ffi::PyList_GET_SIZE(v);
            sequence(env, count, |i| ffi::PyList_GET_ITEM(v, i), out, depth)?;
        } else if ffi::PyTuple_Check(v) != 0 {
            let count = ffi::PyTuple_GET_SIZE(v);
            sequence(env, count, |i| ffi::PyTuple_GET_ITEM(v, i), out, depth)?;
        } else {
            other(env, v, out, depth)?;
        }
        Ok(())
    }
}

/// Appends an `int`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn integer(v: *mut PyObject, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut over = 0;
    // SAFETY: `v` is an int.
    let n = unsafe { ffi::PyLong_AsLongLongAndOverflow(v, &mut over) };
    if over == 0 {
        out.extend(itoa::Buffer::new().format(n).as_bytes());
        return Ok(());
    }
    // SAFETY: attached, `v` is alive.
    let text = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) }.str().map_err(Refusal::Python)?;
    out.extend(text.to_str().map_err(Refusal::Python)?.as_bytes());
    Ok(())
}

fn float(f: f64, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if !f.is_finite() {
        return Err(Refusal::Reason("JSON has no NaN and no infinity".into()));
    }
    out.extend(ryu::Buffer::new().format_finite(f).as_bytes());
    Ok(())
}

/// Appends a list or tuple as an array.
///
/// # Safety
/// The thread is attached to the interpreter, and `item` returns live objects for the indexes below `count`.
unsafe fn sequence(
    env: &Env,
    count: isize,
    item: impl Fn(isize) -> *mut PyObject,
    out: &mut Vec<u8>,
    depth: u32,
) -> Result<(), Refusal> {
    out.push(b'[');
    for i in 0..count {
        if i > 0 {
            out.push(b',');
        }
        // SAFETY: the caller's item is alive.
        unsafe { write(env, item(i), out, depth + 1)? };
    }
    out.push(b']');
    Ok(())
}

/// Appends a dict as an object.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn dict(env: &Env, v: *mut PyObject, out: &mut Vec<u8>, depth: u32) -> Result<(), Refusal> {
    out.push(b'{');
    let (mut at, mut key, mut value, mut first) = (0, std::ptr::null_mut(), std::ptr::null_mut(), true);
    // SAFETY: nothing below changes the dict: only serialisers of values run, and they get no reference to it.
    unsafe {
        while ffi::PyDict_Next(v, &mut at, &mut key, &mut value) != 0 {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            if ffi::PyUnicode_Check(key) == 0 {
                let name = Bound::from_borrowed_ptr(Python::assume_attached(), key)
                    .get_type()
                    .name()
                    .map_err(Refusal::Python)?
                    .to_string();
                return Err(Refusal::Reason(format!("a key of a JSON object must be str, not {name}")));
            }
            string(utf8(key)?, out)?;
            out.push(b':');
            write(env, value, out, depth + 1)?;
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value of a class that JSON has no form of its own for.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn other(env: &Env, v: *mut PyObject, out: &mut Vec<u8>, depth: u32) -> Result<(), Refusal> {
    // SAFETY: attached, `v` is alive.
    let py = unsafe { Python::assume_attached() };
    let v = unsafe { Bound::from_borrowed_ptr(py, v) };
    let run = || -> PyResult<Option<Bound<'_, PyAny>>> {
        if v.is_instance(env.enumeration.bind(py))? {
            return v.getattr("value").map(Some);
        }
        if v.is_instance(env.decimal.bind(py))? || v.hasattr("__pydantic_serializer__")? {
            return Ok(None);
        }
        if v.hasattr("__dataclass_fields__")? {
            return py.import("dataclasses")?.call_method1("asdict", (&v,)).map(Some);
        }
        if v.is_instance(env.uuid.bind(py))? {
            return v.str().map(|s| Some(s.into_any()));
        }
        if v.hasattr("isoformat")? {
            return v.call_method0("isoformat").map(Some);
        }
        if v.is_instance_of::<pyo3::types::PyString>() {
            return v.str().map(|s| Some(s.into_any()));
        }
        if v.is_instance_of::<pyo3::types::PyInt>() {
            return py.get_type::<pyo3::types::PyInt>().call1((&v,)).map(Some);
        }
        if v.is_instance_of::<pyo3::types::PyFloat>() {
            return py.get_type::<pyo3::types::PyFloat>().call1((&v,)).map(Some);
        }
        if v.is_instance_of::<pyo3::types::PySet>() || v.is_instance_of::<pyo3::types::PyFrozenSet>() {
            return py.get_type::<pyo3::types::PyList>().call1((&v,)).map(Some);
        }
        Err(crate::errors::named(py, "EncodeError", format!("{} is not JSON serialisable", v.get_type().name()?)))
    };
    match run().map_err(Refusal::Python)? {
        // SAFETY: `plain` is alive until the end of this call.
        Some(plain) => unsafe { write(env, plain.as_ptr(), out, depth + 1) },
        None if v.hasattr("__pydantic_serializer__").map_err(Refusal::Python)? => {
            let bytes = v
                .getattr("__pydantic_serializer__")
                .and_then(|s| s.call_method1("to_json", (&v,)))
                .and_then(|b| b.extract::<Vec<u8>>())
                .map_err(Refusal::Python)?;
            out.extend(bytes);
            Ok(())
        }
        None => {
            // A Decimal is written as the number that it is, digit by digit.
            let text = v.str().map_err(Refusal::Python)?;
            let text = text.to_str().map_err(Refusal::Python)?;
            if text.ends_with("NaN") || text.ends_with("Infinity") {
                return Err(Refusal::Reason("JSON has no NaN and no infinity".into()));
            }
            out.extend(text.as_bytes());
            Ok(())
        }
    }
}

fn string(s: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.push(b'"');
    if s.iter().all(|c| *c >= 0x20 && *c != b'"' && *c != b'\\') {
        out.extend(s);
    } else {
        for &c in s {
            match c {
                b'"' | b'\\' => out.extend([b'\\', c]),
                b'\n' => out.extend(b"\\n"),
                0 => return Err(Refusal::Reason("PostgreSQL's JSON cannot hold NUL in a string".into())),
                1..=0x1f => out.extend(format!("\\u{c:04x}").bytes()),
                _ => out.push(c),
            }
        }
    }
    out.push(b'"');
    Ok(())
}
