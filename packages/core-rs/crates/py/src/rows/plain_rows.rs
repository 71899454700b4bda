//! Rows as tuples and dicts.
use crate::env::Env;
use crate::rows::columns::{Column, Columns, bytes};
use data_bridge_driver::PgRow;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Refuses a result of which a dict would lose a column.
pub fn no_name_twice(py: Python<'_>, columns: &Columns) -> PyResult<()> {
    let mut names: Vec<_> = columns.all.iter().map(|c| &*c.name).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
    if twice.is_empty() {
        return Ok(());
    }
    let message = format!(
        "a dict has each key once, but the result has two columns named {}: give them other names with AS, or use as_=tuple",
        twice.join(", ")
    );
    Err(crate::errors::named(py, "DecodeError", message))
}

/// A new reference to a tuple of the cells; of those from `kept` on, it has the bytes.
pub fn tuple(py: Python<'_>, env: &Env, columns: &[Column], row: &PgRow, kept: usize) -> PyResult<*mut PyObject> {
    // SAFETY: places that were not filled stay null, which the deallocation of a tuple allows.
    unsafe {
        let t = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(columns.len() as isize))?;
        for (i, c) in columns.iter().enumerate() {
            let item = if i < kept { c.object(py, env, row, i)? } else { bytes_of(py, row, i)? };
            ffi::PyTuple_SET_ITEM(t.as_ptr(), i as isize, item);
        }
        Ok(t.into_ptr())
    }
}

/// A new reference to a dict of the cells.
pub fn dict(py: Python<'_>, env: &Env, columns: &[Column], row: &PgRow) -> PyResult<*mut PyObject> {
    let d = PyDict::new(py);
    for (i, c) in columns.iter().enumerate() {
        // SAFETY: the value is ours and released after it was stored.
        unsafe {
            let v = c.object(py, env, row, i)?;
            let set = ffi::PyDict_SetItem(d.as_ptr(), c.key.as_ptr(), v);
            ffi::Py_DECREF(v);
            if set < 0 {
                return Err(PyErr::fetch(py));
            }
        }
    }
    Ok(d.into_ptr())
}

/// A new reference to the bytes of a cell, or to None.
fn bytes_of(py: Python<'_>, row: &PgRow, i: usize) -> PyResult<*mut PyObject> {
    // SAFETY: a new reference, or null with an exception.
    unsafe {
        let made = match bytes(row, i) {
            Some(b) => ffi::PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as isize),
            None => ffi::Py_NewRef(ffi::Py_None()),
        };
        if made.is_null() { Err(PyErr::fetch(py)) } else { Ok(made) }
    }
}
