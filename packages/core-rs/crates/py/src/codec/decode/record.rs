//! Values made of several: composites and rows, hstore, vectors.
use super::{Fail, Made, made, text, value};
use crate::env::Env;
use data_bridge_wire::composite::Fields;
use data_bridge_wire::{Type, WireError, hstore::Pairs, vector as floats};
use pyo3::ffi::{self, PyObject};
use std::sync::Arc;

/// What is built, released when something fails before it is whole.
struct Building(*mut PyObject);

impl Building {
    fn new(object: *mut PyObject) -> Result<Self, Fail> {
        made(object).map(Self)
    }

    fn done(self) -> *mut PyObject {
        let object = self.0;
        std::mem::forget(self);
        object
    }

    /// Keeps both; takes the references to both.
    ///
    /// # Safety
    /// The thread is attached to the interpreter, and `key` is an owned reference.
    unsafe fn set(&self, key: *mut PyObject, item: Made) -> Result<(), Fail> {
        // SAFETY: attached; the dict takes references of its own.
        unsafe {
            let item = match item {
                Ok(item) => item,
                Err(e) => {
                    ffi::Py_DECREF(key);
                    return Err(e);
                }
            };
            let failed = ffi::PyDict_SetItem(self.0, key, item) != 0;
            ffi::Py_DECREF(key);
            ffi::Py_DECREF(item);
            if failed { Err(Fail::Python) } else { Ok(()) }
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // SAFETY: attached; the reference is ours.
        unsafe { ffi::Py_DECREF(self.0) }
    }
}

fn or_none(env: &Env, layout: &Type, b: Option<&[u8]>) -> Made {
    match b {
        Some(b) => value(env, layout, b),
        // SAFETY: attached.
        None => Ok(unsafe { ffi::Py_NewRef(ffi::Py_None()) }),
    }
}

/// A composite value as a dict by the names of its fields.
pub fn composite(env: &Env, fields: &[(Arc<str>, u32, Type)], b: &[u8]) -> Made {
    let mut it = Fields::read(b)?;
    // SAFETY: attached.
    unsafe {
        let dict = Building::new(ffi::PyDict_New())?;
        for (name, oid, layout) in fields {
            let Some((sent, bytes)) = it.next()? else { return Err(WireError::Truncated.into()) };
            // A type that was altered since the statement was prepared.
            if sent != *oid {
                return Err(WireError::Malformed("type of a field").into());
            }
            dict.set(text(name.as_bytes())?, or_none(env, layout, bytes))?;
        }
        match it.next()? {
            None => Ok(dict.done()),
            Some(_) => Err(WireError::Malformed("number of fields").into()),
        }
    }
}

/// An anonymous row as a tuple. Only its bytes say what its fields are, so that they are of built-in types.
pub fn record(env: &Env, b: &[u8]) -> Made {
    let mut it = Fields::read(b)?;
    // SAFETY: attached; every place of the tuple is filled, or it is released.
    unsafe {
        let tuple = Building::new(ffi::PyTuple_New(it.count() as isize))?;
        let mut i = 0;
        while let Some((oid, bytes)) = it.next()? {
            let layout = Type::built_in(oid)
                .unwrap_or_else(|| Type::Unknown(format!("the type with OID {oid} inside a row").into()));
            ffi::PyTuple_SET_ITEM(tuple.0, i, or_none(env, &layout, bytes)?);
            i += 1;
        }
        Ok(tuple.done())
    }
}

/// An hstore as a dict of str to str or None.
pub fn hstore(b: &[u8]) -> Made {
    let mut it = Pairs::read(b)?;
    // SAFETY: attached.
    unsafe {
        let dict = Building::new(ffi::PyDict_New())?;
        while let Some((key, item)) = it.next()? {
            let item = match item {
                Some(b) => text(b),
                None => Ok(ffi::Py_NewRef(ffi::Py_None())),
            };
            match text(key) {
                Ok(key) => dict.set(key, item)?,
                Err(e) => {
                    if let Ok(item) = item {
                        ffi::Py_DECREF(item);
                    }
                    return Err(e);
                }
            }
        }
        Ok(dict.done())
    }
}

/// The floats of a vector, each of `width` bytes, as a list.
pub fn vector(b: &[u8], width: usize) -> Made {
    let it = floats::read(b, width)?;
    // SAFETY: attached; every place of the list is filled, or it is released.
    unsafe {
        let list = Building::new(ffi::PyList_New(it.len() as isize))?;
        for (i, bytes) in it.enumerate() {
            let f = match bytes {
                [a, b] => floats::half(u16::from_be_bytes([*a, *b])),
                _ => f32::from_be_bytes(bytes.try_into().expect("four bytes")),
            };
            ffi::PyList_SET_ITEM(list.0, i as isize, made(ffi::PyFloat_FromDouble(super::shortest(f)))?);
        }
        Ok(list.done())
    }
}
