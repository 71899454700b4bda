//! Wire bytes to Python objects, without anything in between. Runs with the interpreter attached.
use crate::env::Env;
use crate::{codec::json, codec::registered};
use data_bridge_wire::{
    Type, WireError, array::Array, bits, exact, network as addresses, numeric, sparse, text_search,
};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyInt;

mod geometry;
mod moment;
mod network;
mod record;
mod span;
mod system;

/// Why no object was made.
#[derive(Debug)]
pub enum Fail {
    /// The bytes.
    Wire(WireError),
    /// There is no decoder for this type.
    Unknown(std::sync::Arc<str>),
    /// A Python exception is set.
    Python,
}

impl From<WireError> for Fail {
    fn from(e: WireError) -> Self {
        Self::Wire(e)
    }
}

/// A new reference.
pub type Made = Result<*mut PyObject, Fail>;

/// Null means that an exception is set.
#[inline]
pub fn made(p: *mut PyObject) -> Made {
    if p.is_null() { Err(Fail::Python) } else { Ok(p) }
}

pub fn from_py<T>(result: PyResult<Bound<'_, T>>) -> Made {
    match result {
        Ok(v) => Ok(v.into_ptr()),
        Err(e) => {
            // SAFETY: attached.
            e.restore(unsafe { Python::assume_attached() });
            Err(Fail::Python)
        }
    }
}

/// Text; pure ASCII, the usual case, is copied without looking for code points.
#[inline]
pub fn text(b: &[u8]) -> Made {
    // SAFETY: the new string has room for exactly these bytes.
    unsafe {
        if !b.is_empty() && b.is_ascii() {
            let s = made(ffi::PyUnicode_New(b.len() as isize, 127))?;
            std::ptr::copy_nonoverlapping(b.as_ptr(), ffi::PyUnicode_DATA(s).cast::<u8>(), b.len());
            Ok(s)
        } else {
            made(ffi::PyUnicode_FromStringAndSize(b.as_ptr().cast(), b.len() as isize))
        }
    }
}

/// The object that `b` stands for.
#[inline]
pub fn value(env: &Env, layout: &Type, b: &[u8]) -> Made {
    // SAFETY: the interpreter is attached; every constructor returns a new reference or null.
    unsafe {
        match layout {
            Type::Int4 => made(ffi::PyLong_FromLong(i32::from_be_bytes(exact(b)?) as _)),
            Type::Int8 => made(ffi::PyLong_FromLongLong(i64::from_be_bytes(exact(b)?))),
            Type::Text => text(b),
            Type::Bool => Ok(ffi::Py_NewRef(if exact::<1>(b)?[0] != 0 { ffi::Py_True() } else { ffi::Py_False() })),
            Type::Float8 => made(ffi::PyFloat_FromDouble(f64::from_be_bytes(exact(b)?))),
            Type::TimestampTz => moment::timestamp(i64::from_be_bytes(exact(b)?), ffi::PyDateTime_TimeZone_UTC()),
            Type::Numeric => decimal(env, b),
            Type::Uuid => uuid(env, exact(b)?),
            Type::Jsonb => match b.split_first() {
                Some((1, rest)) => json::read(rest),
                _ => Err(WireError::Malformed("version of a jsonb value").into()),
            },
            Type::Int2 => made(ffi::PyLong_FromLong(i16::from_be_bytes(exact(b)?) as _)),
            Type::Oid => made(ffi::PyLong_FromUnsignedLong(u32::from_be_bytes(exact(b)?) as _)),
            Type::Float4 => made(ffi::PyFloat_FromDouble(shortest(f32::from_be_bytes(exact(b)?)))),
            Type::Bytea => made(ffi::PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as isize)),
            Type::Date => moment::date(i32::from_be_bytes(exact(b)?)),
            Type::Time => moment::time(i64::from_be_bytes(exact(b)?)),
            Type::Timestamp => moment::timestamp(i64::from_be_bytes(exact(b)?), ffi::Py_None()),
            Type::Interval => moment::interval(env, b),
            Type::Duration => moment::duration(env, b),
            Type::Json => json::read(b),
            Type::Array(_, element) | Type::ZeroBased(_, element) => array(env, element, b),
            Type::Nested(dimensions, _, element) => nested(env, *dimensions, element, b),
            Type::AnyArray => any_array(env, b),
            Type::Named(_, inner) => value(env, inner, b),
            Type::TimeTz => moment::time_with_zone(b),
            Type::Inet | Type::Cidr => network::network(env, b),
            Type::Mac(_) => text(addresses::mac(b)?.as_bytes()),
            Type::Bits => text(bits::read(b)?.as_bytes()),
            Type::Geometry(kind) => geometry::geometry(env, *kind, b),
            Type::Versioned => match b.split_first() {
                Some((1, rest)) => text(rest),
                _ => Err(WireError::Malformed("version of a value").into()),
            },
            Type::TsVector => text(text_search::vector(b)?.as_bytes()),
            Type::TsQuery => text(text_search::query(b)?.as_bytes()),
            Type::Range(bound) => span::range(env, bound, b),
            Type::Multirange(bound) => span::multirange(env, bound, b),
            Type::Composite(fields) => record::composite(env, fields, b),
            Type::Record => record::record(env, b),
            Type::Hstore => record::hstore(b),
            Type::Vector => record::vector(b, 4),
            Type::HalfVector => record::vector(b, 2),
            Type::SparseVector => text(sparse::read(b)?.as_bytes()),
            Type::Char => system::char(b),
            Type::Xid8 => made(ffi::PyLong_FromUnsignedLongLong(u64::from_be_bytes(exact(b)?))),
            Type::Lsn => system::lsn(b),
            Type::Tid => system::tid(b),
            Type::Snapshot => system::snapshot(b),
            Type::Registered(number, inner) => registered::decode(env, *number, inner.as_deref(), b),
            Type::Void => Ok(ffi::Py_NewRef(ffi::Py_None())),
            Type::Unknown(name) => Err(Fail::Unknown(name.clone())),
        }
    }
}

/// A float4 as the shortest decimal that stands for it: 0.1 stays 0.1 and does not become 0.10000000149.
fn shortest(f: f32) -> f64 {
    if !f.is_finite() {
        return f64::from(f);
    }
    ryu::Buffer::new().format_finite(f).parse().unwrap_or(f64::from(f))
}

/// Decodes `numeric` as a `decimal.Decimal`.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn decimal(env: &Env, b: &[u8]) -> Made {
    let mut digits = Vec::with_capacity(48);
    numeric::read(b, &mut digits)?;
    let s = text(&digits)?;
    // SAFETY: `s` is ours and released here.
    unsafe {
        let d = ffi::PyObject_CallOneArg(env.decimal.as_ptr(), s);
        ffi::Py_DECREF(s);
        made(d)
    }
}

/// Decodes `uuid` as a `uuid.UUID`, without its constructor.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn uuid(env: &Env, b: [u8; 16]) -> Made {
    // SAFETY: the class has the two slots at these offsets, and a fresh instance has them empty.
    unsafe {
        let py = Python::assume_attached();
        let class = env.uuid.as_ptr().cast::<ffi::PyTypeObject>();
        let Some(alloc) = (*class).tp_alloc else { return Err(WireError::Malformed("uuid class").into()) };
        let number = from_py::<PyInt>(Ok(match u128::from_be_bytes(b).into_pyobject(py) {
            Ok(n) => n,
            Err(e) => match e {},
        }))?;
        let object = alloc(class, 0);
        if object.is_null() {
            ffi::Py_DECREF(number);
            return Err(Fail::Python);
        }
        let base = object.cast::<u8>();
        *base.offset(env.uuid_slots.0).cast::<*mut PyObject>() = number;
        *base.offset(env.uuid_slots.1).cast::<*mut PyObject>() = ffi::Py_NewRef(env.safe_unknown.as_ptr());
        Ok(object)
    }
}

/// Decodes an array by the type of its elements that its header names.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn any_array(env: &Env, b: &[u8]) -> Made {
    let oid = b.get(8..12).and_then(|oid| oid.try_into().ok()).map_or(0, u32::from_be_bytes);
    let element = Type::built_in(oid).unwrap_or_else(|| Type::Unknown(format!("the type with OID {oid}").into()));
    // SAFETY: attached.
    unsafe { array(env, &element, b) }
}

/// Decodes an array that has to have this number of dimensions; an empty one has none.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn nested(env: &Env, dimensions: usize, element: &Type, b: &[u8]) -> Made {
    let a = Array::read(b)?;
    if a.count != 0 && a.lengths.len() != dimensions {
        return Err(
            WireError::Unrepresentable("the array has another number of dimensions than the field's type").into()
        );
    }
    // SAFETY: attached.
    unsafe { array(env, element, b) }
}

/// Decodes an array as nested lists.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn array(env: &Env, element: &Type, b: &[u8]) -> Made {
    let a = Array::read(b)?;
    let mut elements = a.elements();
    // SAFETY: attached.
    unsafe {
        if a.count == 0 {
            elements.next()?;
            return made(ffi::PyList_New(0));
        }
        let list = dimension(env, element, &a.lengths, &mut elements)?;
        if let Err(e) = elements.next() {
            ffi::Py_DECREF(list);
            return Err(e.into());
        }
        Ok(list)
    }
}

/// Decodes the outermost dimension of `lengths` as a list.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn dimension(
    env: &Env,
    element: &Type,
    lengths: &[usize],
    elements: &mut data_bridge_wire::array::Elements<'_>,
) -> Made {
    // SAFETY: every place of the new list is filled, or the list is released with the rest of its places null.
    unsafe {
        let list = made(ffi::PyList_New(lengths[0] as isize))?;
        for i in 0..lengths[0] {
            let item = if lengths.len() > 1 {
                dimension(env, element, &lengths[1..], elements)
            } else {
                match elements.next() {
                    Ok(Some(Some(b))) => value(env, element, b),
                    Ok(Some(None)) => Ok(ffi::Py_NewRef(ffi::Py_None())),
                    Ok(None) => Err(WireError::Truncated.into()),
                    Err(e) => Err(e.into()),
                }
            };
            match item {
                Ok(item) => ffi::PyList_SET_ITEM(list, i as isize, item),
                Err(e) => {
                    ffi::Py_DECREF(list);
                    return Err(e);
                }
            }
        }
        Ok(list)
    }
}

/// The exception for a failure in a column; an exception of Python's own becomes its cause.
pub fn error(py: Python<'_>, column: &str, type_name: &str, fail: Fail) -> PyErr {
    let (reason, cause) = match fail {
        Fail::Wire(e) => (e.to_string(), None),
        Fail::Unknown(name) => (
            format!(
                "there is no decoder for {name}; cast the column in SQL, for example to text, or call register_type()"
            ),
            None,
        ),
        Fail::Python => {
            let cause = PyErr::take(py);
            (cause.as_ref().map_or_else(|| "no object could be made".to_owned(), |e| e.value(py).to_string()), cause)
        }
    };
    let e = crate::errors::named(py, "DecodeError", format!("{column} ({type_name}): {reason}"));
    e.set_cause(py, cause);
    e
}
