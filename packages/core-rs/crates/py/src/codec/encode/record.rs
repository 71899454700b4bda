//! Values made of several: composites, hstore, vectors.
use super::system::str_of;
use super::{Done, Refusal, SPELLED, float, text, value};
use crate::env::Env;
use data_bridge_wire::{Type, array, sparse, vector as floats};
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySequence, PyTuple};
use std::sync::Arc;

fn bound<'py>(v: *mut PyObject) -> Bound<'py, PyAny> {
    // SAFETY: the caller keeps `v` alive and is attached.
    unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) }
}

fn or_null(out: &mut Vec<u8>, v: &Bound<'_, PyAny>, body: impl FnOnce(&mut Vec<u8>) -> Done) -> Done {
    if v.is_none() {
        out.extend((-1i32).to_be_bytes());
        Ok(())
    } else {
        array::write_element(out, body)
    }
}

/// A composite value: a mapping by the names of its fields, a tuple in their order, or an object with these attributes.
///
/// # Safety
/// The thread is attached to the interpreter.
pub unsafe fn composite(env: &Env, fields: &[(Arc<str>, u32, Type)], v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    let v = bound(v);
    let names = || fields.iter().map(|(name, ..)| &**name).collect::<Vec<_>>().join(", ");
    let dict = v.cast::<PyDict>().ok();
    let tuple = v.cast::<PyTuple>().ok();
    if let Some(given) = tuple.map(|t| t.len()).or(dict.map(|d| d.len()))
        && given != fields.len()
    {
        return Err(Refusal::Reason(format!("the type has the fields {}, the value has {given} items", names())));
    }
    out.extend((fields.len() as i32).to_be_bytes());
    for (i, (name, oid, layout)) in fields.iter().enumerate() {
        let item = match (dict, tuple) {
            (Some(d), _) => d.get_item(&**name).map_err(Refusal::Python)?,
            (_, Some(t)) => Some(t.get_item(i).map_err(Refusal::Python)?),
            _ => v.getattr(&**name).ok(),
        };
        let Some(item) = item else {
            return Err(Refusal::Reason(format!("the value has no {name}; the fields of the type are {}", names())));
        };
        out.extend(oid.to_be_bytes());
        // SAFETY: the item is alive until the call returns.
        or_null(out, &item, |out| unsafe { value(env, layout, item.as_ptr(), out) }).map_err(|why| match why {
            Refusal::Expected(what) => Refusal::Reason(format!("{name}: expected {what}")),
            Refusal::Reason(why) => Refusal::Reason(format!("{name}: {why}")),
            Refusal::Spelled(_) => Refusal::Reason(format!("{name}: {SPELLED}")),
            Refusal::Python(e) => Refusal::Python(e),
        })?;
    }
    Ok(())
}

/// A dict of str to str or None.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn hstore(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    let v = bound(v);
    let Ok(dict) = v.cast::<PyDict>() else { return Err(Refusal::Expected("dict of str to str or None")) };
    out.extend((dict.len() as i32).to_be_bytes());
    for (key, item) in dict.iter() {
        // SAFETY: the dict keeps both alive.
        unsafe {
            array::write_element(out, |out| text(key.as_ptr(), out))
                .and_then(|()| or_null(out, &item, |out| text(item.as_ptr(), out)))
                .map_err(|why| match why {
                    Refusal::Expected(_) => Refusal::Expected("dict of str to str or None"),
                    other => other,
                })?;
        }
    }
    Ok(())
}

/// A list or tuple of floats.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn vector(v: *mut PyObject, is_half: bool, out: &mut Vec<u8>) -> Done {
    let v = bound(v);
    if !v.is_instance_of::<PyList>() && !v.is_instance_of::<PyTuple>() {
        return Err(Refusal::Expected("list of float"));
    }
    let items = v.cast::<PySequence>().map_err(|_| Refusal::Expected("list of float"))?;
    let count = items.len().map_err(Refusal::Python)?;
    if count == 0 || count > floats::MAX_DIMENSIONS {
        return Err(Refusal::Reason(format!("a vector has 1 to {} dimensions", floats::MAX_DIMENSIONS)));
    }
    floats::write_header(count as u16, out);
    for i in 0..count {
        let item = items.get_item(i).map_err(Refusal::Python)?;
        // SAFETY: the item is alive until the call returns.
        let narrow = unsafe { float(item.as_ptr())? } as f32;
        if !narrow.is_finite() || (is_half && narrow.abs() >= 65_520.0) {
            return Err(Refusal::Reason("a number of a vector is infinite, not a number, or too large".into()));
        }
        if is_half { out.extend(floats::to_half(narrow).to_be_bytes()) } else { out.extend(narrow.to_be_bytes()) }
    }
    Ok(())
}

/// A text like `{1:0.5,4:2}/5`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn sparse_vector(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let text = unsafe { str_of(v)? };
    sparse::write(text, out)
        .ok_or_else(|| Refusal::Reason("a sparsevec is written {index:value,...}/dimensions".into()))
}
