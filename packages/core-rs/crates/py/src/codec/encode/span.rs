//! Ranges and multiranges.
use super::{Done, Refusal, value};
use crate::env::Env;
use data_bridge_wire::range::{EMPTY, LOWER_INCLUSIVE, LOWER_INFINITE, UPPER_INCLUSIVE, UPPER_INFINITE};
use data_bridge_wire::{Type, array};
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// A `data_bridge.core.Range`, or a tuple (lower, upper) for one with bounds `[)`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn range(env: &Env, bound: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    let (lower, upper, bounds) = if let Ok(pair) = v.cast::<PyTuple>().map(|t| t.as_slice())
        && let [lower, upper] = pair
    {
        (lower.clone(), upper.clone(), "[)".to_owned())
    } else if v.is_instance(env.range.bind(v.py())).map_err(Refusal::Python)? {
        let field = |name: &str| v.getattr(name).map_err(Refusal::Python);
        (field("lower")?, field("upper")?, field("bounds")?.extract().map_err(Refusal::Python)?)
    } else {
        return Err(Refusal::Expected("Range"));
    };
    if bounds == "empty" {
        out.push(EMPTY);
        return Ok(());
    }
    let mut flags = 0;
    for (there, set, inclusive, infinite) in [
        (!lower.is_none(), bounds.starts_with('['), LOWER_INCLUSIVE, LOWER_INFINITE),
        (!upper.is_none(), bounds.ends_with(']'), UPPER_INCLUSIVE, UPPER_INFINITE),
    ] {
        flags |= if !there {
            infinite
        } else if set {
            inclusive
        } else {
            0
        };
    }
    out.push(flags);
    for side in [lower, upper] {
        if !side.is_none() {
            // SAFETY: the bound is alive until the call returns.
            array::write_element(out, |out| unsafe { value(env, bound, side.as_ptr(), out) })?;
        }
    }
    Ok(())
}

/// A list or tuple of ranges; the server puts them in order and joins those that touch.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn multirange(env: &Env, bound: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    if !v.is_instance_of::<PyList>() && !v.is_instance_of::<PyTuple>() {
        return Err(Refusal::Expected("a list of Range"));
    }
    let at = out.len();
    out.extend([0; 4]);
    let mut count = 0i32;
    for item in v.try_iter().map_err(Refusal::Python)? {
        let item = item.map_err(Refusal::Python)?;
        // SAFETY: the item is alive until the call returns.
        array::write_element(out, |out| unsafe { range(env, bound, item.as_ptr(), out) })?;
        count += 1;
    }
    out[at..at + 4].copy_from_slice(&count.to_be_bytes());
    Ok(())
}
