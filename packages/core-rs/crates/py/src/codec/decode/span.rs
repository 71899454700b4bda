//! Ranges and multiranges.
use super::{Made, from_py, made, value};
use crate::env::Env;
use data_bridge_wire::Type;
use data_bridge_wire::range::{EMPTY, Range, Ranges};
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

/// A list of ranges.
pub fn multirange(env: &Env, bound: &Type, b: &[u8]) -> Made {
    let mut ranges = Ranges::read(b)?;
    // SAFETY: attached; a place of the list that was not filled is null, which its release allows.
    unsafe {
        let list = Bound::from_owned_ptr(Python::assume_attached(), made(ffi::PyList_New(ranges.left() as isize))?);
        let mut at = 0;
        while let Some(one) = ranges.next()? {
            ffi::PyList_SET_ITEM(list.as_ptr(), at, range(env, bound, one)?);
            at += 1;
        }
        Ok(list.into_ptr())
    }
}
