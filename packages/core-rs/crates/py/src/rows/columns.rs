//! The columns of a result: how each is decoded and under which key it is kept.
use crate::codec::decode::{self, Fail};
use crate::codec::registered;
use crate::env::Env;
use data_bridge_driver::{Column as _, PgRow, Row, Typed, ValueRef, types};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// One column.
pub struct Column {
    /// Its type.
    pub typed: Typed,
    /// What the server calls it.
    pub name: Box<str>,
    /// Field name or column name, interned.
    pub key: Py<PyString>,
    /// `User.age`, or the column's name, for messages.
    pub label: String,
    /// Called with the decoded value, unless that is None.
    pub converter: Option<Py<PyAny>>,
}

/// All columns of a result.
pub struct Columns {
    /// In the order of the statement.
    pub all: Vec<Column>,
    /// The pool, and the registrations that it was resolved with.
    resolved: (u64, u64),
}

impl Columns {
    /// What the rows of `row`'s result are.
    pub fn of(py: Python<'_>, row: &PgRow, pool: u64) -> Self {
        let resolved = (pool, registered::generation());
        let all = row
            .columns()
            .iter()
            .map(|c| Column {
                typed: registered::resolved(pool, types::resolve(c.type_info())),
                name: c.name().into(),
                key: PyString::intern(py, c.name()).unbind(),
                label: c.name().to_owned(),
                converter: None,
            })
            .collect();
        Self { all, resolved }
    }

    /// Whether `row` still has these columns: a statement that was prepared again may have others.
    pub fn fit(&self, row: &PgRow, pool: u64) -> bool {
        // Without registrations all pools read alike.
        let now = registered::generation();
        if now != self.resolved.1 || (now != 0 && pool != self.resolved.0) {
            return false;
        }
        let columns = row.columns();
        columns.len() == self.all.len()
            && columns.iter().zip(&self.all).all(|(c, own)| {
                types::oid(c.type_info()) == own.typed.oid
                    && c.name() == &*own.name
                    && (!types::may_change(c.type_info())
                        || registered::resolved(pool, types::resolve(c.type_info())) == own.typed)
            })
    }
}

/// The bytes of a cell; `None` is NULL.
#[inline]
pub fn bytes(row: &PgRow, i: usize) -> Option<&[u8]> {
    match row.try_get_raw(i) {
        Ok(v) if !v.is_null() => v.as_bytes().ok(),
        _ => None,
    }
}

impl Column {
    /// A new reference to the object for cell `i` of `row`.
    #[inline]
    pub fn object(&self, py: Python<'_>, env: &Env, row: &PgRow, i: usize) -> PyResult<*mut PyObject> {
        match bytes(row, i) {
            // SAFETY: attached.
            None => Ok(unsafe { ffi::Py_NewRef(ffi::Py_None()) }),
            Some(b) => self.decode(py, env, b),
        }
    }

    /// A new reference to the object that `b` stands for.
    #[inline]
    pub fn decode(&self, py: Python<'_>, env: &Env, b: &[u8]) -> PyResult<*mut PyObject> {
        let plain = decode::value(env, &self.typed.layout, b).map_err(|fail| self.error(py, fail))?;
        let Some(converter) = &self.converter else { return Ok(plain) };
        // SAFETY: `plain` is ours and released after the call.
        unsafe {
            let converted = ffi::PyObject_CallOneArg(converter.as_ptr(), plain);
            ffi::Py_DECREF(plain);
            if converted.is_null() { Err(self.error(py, Fail::Python)) } else { Ok(converted) }
        }
    }

    fn error(&self, py: Python<'_>, fail: Fail) -> PyErr {
        decode::error(py, &self.label, &self.typed.name, fail)
    }
}
