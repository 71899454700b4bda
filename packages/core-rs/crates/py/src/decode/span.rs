//! Ranges.
use super::{Made, from_py, value};
use crate::env::Env;
use data_bridge_wire::Type;
use data_bridge_wire::range::{EMPTY, Range};
use pyo3::ffi;
use pyo3::prelude::*;

/// `data_bridge.core.Range` with decoded bounds.
pub fn range(env: &Env, bound: &Type, b: &[u8]) -> Made {
    let it = Range::read(b)?;
    // SAFETY: attached; the bounds are new references that the Bound objects own.
    unsafe {
        let py = Python::assume_attached();
        let object = |b: Option<&[u8]>| match b {
            Some(b) => value(env, bound, b).map(|v| Bound::from_owned_ptr(py, v)),
            None => Ok(Bound::from_owned_ptr(py, ffi::Py_NewRef(ffi::Py_None()))),
        };
        let (lower, upper) = (object(it.lower)?, object(it.upper)?);
        let bounds = if it.flags & EMPTY != 0 { "empty" } else { it.bounds() };
        from_py(env.range.bind(py).call1((lower, upper, bounds)))
    }
}
