//! Arrays: lists and tuples, nested once for every dimension.
use super::{Done, Refusal, type_name, value};
use crate::env::Env;
use data_bridge_wire::{Type, array};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// What one element looks like in Python, and so whether a list or tuple in its place is another dimension.
enum Element {
    Scalar,
    Tuple,
    List,
}

fn inside(element: &Type) -> Element {
    match element {
        Type::Json | Type::Jsonb | Type::Vector | Type::HalfVector | Type::Multirange(_) => Element::List,
        // PgInterval is a named tuple.
        Type::Interval | Type::Geometry(_) | Type::Range(_) | Type::Composite(_) | Type::Tid | Type::Registered(..) => {
            Element::Tuple
        }
        Type::Named(_, inner) => inside(inner),
        _ => Element::Scalar,
    }
}

/// The lengths of nested lists, each level as long as its first.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn shape(v: *mut PyObject, element: &Type, lengths: &mut Vec<usize>) -> Done {
    // SAFETY: `v` is alive.
    unsafe {
        let (count, first) = if ffi::PyList_Check(v) != 0 {
            let n = ffi::PyList_GET_SIZE(v);
            (n, if n > 0 { ffi::PyList_GET_ITEM(v, 0) } else { std::ptr::null_mut() })
        } else if ffi::PyTuple_Check(v) != 0 {
            let n = ffi::PyTuple_GET_SIZE(v);
            (n, if n > 0 { ffi::PyTuple_GET_ITEM(v, 0) } else { std::ptr::null_mut() })
        } else {
            return Err(Refusal::Expected("list"));
        };
        lengths.push(count as usize);
        let deeper = !first.is_null()
            && match inside(element) {
                Element::Scalar => ffi::PyList_Check(first) != 0 || ffi::PyTuple_Check(first) != 0,
                Element::Tuple => ffi::PyList_Check(first) != 0,
                Element::List => false,
            };
        if deeper {
            if lengths.len() == array::MAX_DIMENSIONS {
                return Err(Refusal::Reason("an array has at most 6 dimensions".into()));
            }
            shape(first, element, lengths)?;
        }
        Ok(())
    }
}

/// Appends the elements of nested lists whose shape is `lengths`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn elements(
    env: &Env,
    element: &Type,
    v: *mut PyObject,
    lengths: &[usize],
    nulls: &mut bool,
    out: &mut Vec<u8>,
) -> Done {
    // SAFETY: `v` is alive; items are borrowed from it.
    unsafe {
        let is_list = ffi::PyList_Check(v) != 0;
        if !is_list && ffi::PyTuple_Check(v) == 0 {
            return Err(Refusal::Reason("nested lists of an array must all have the same depth".into()));
        }
        let count = if is_list { ffi::PyList_GET_SIZE(v) } else { ffi::PyTuple_GET_SIZE(v) };
        if count as usize != lengths[0] {
            return Err(Refusal::Reason("nested lists of an array must all have the same length".into()));
        }
        for i in 0..count {
            let item = if is_list { ffi::PyList_GET_ITEM(v, i) } else { ffi::PyTuple_GET_ITEM(v, i) };
            if lengths.len() > 1 {
                elements(env, element, item, &lengths[1..], nulls, out)?;
            } else if item == ffi::Py_None() {
                *nulls = true;
                out.extend((-1i32).to_be_bytes());
            } else {
                array::write_element(out, |out| value(env, element, item, out)).map_err(|why| match why {
                    // The message describes the element, not of the list.
                    Refusal::Expected(what) => {
                        let got = type_name(&Bound::from_borrowed_ptr(Python::assume_attached(), item));
                        Refusal::Reason(format!("element {i}: expected {what}, got {got}"))
                    }
                    other => other,
                })?;
            }
        }
        Ok(())
    }
}

/// Appends a list, or nested lists, as an array.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn list(env: &Env, oid: u32, element: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    unsafe {
        let mut lengths = vec![];
        shape(v, element, &mut lengths)?;
        let at = out.len();
        array::write_header(out, oid, &lengths, false);
        let mut nulls = false;
        if !lengths.contains(&0) {
            elements(env, element, v, &lengths, &mut nulls, out)?;
        }
        if nulls {
            out[at + 4..at + 8].copy_from_slice(&1i32.to_be_bytes());
        }
        Ok(())
    }
}

/// `int2vector` and `oidvector`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn zero_based(env: &Env, oid: u32, element: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    let at = out.len();
    // SAFETY: `v` is alive.
    unsafe { list(env, oid, element, v, out)? };
    let header = &mut out[at..];
    // One dimension and no NULL, else the server refuses it.
    if header[..8] != [0, 0, 0, 1, 0, 0, 0, 0] {
        return Err(Refusal::Reason("it takes a flat list of at least one int, without None".into()));
    }
    header[16..20].fill(0);
    Ok(())
}
