//! Python values to wire bytes, to exactly the types that the statement asks for, before anything is sent.
pub use copy_field::value_of_copy;

use crate::env::Env;
use crate::{codec::json, codec::registered};
use data_bridge_driver::{Arguments, Typed};
use data_bridge_sql::parameter::compared_column;
use data_bridge_wire::{Type, numeric};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyTuple};

mod copy_field;
mod geometry;
mod list;
mod moment;
mod network;
mod record;
mod span;
mod system;

/// Why a value was not encoded.
pub enum Refusal {
    /// The value has a type that does not fit; says what is expected.
    Expected(&'static str),
    /// The value does not fit, for this reason.
    Reason(String),
    /// A Python exception.
    Python(PyErr),
    /// The value is there as text only, which a parameter can be and a part of a value cannot.
    Spelled(Vec<u8>),
}

/// Why text is refused where the binary form is needed.
pub const SPELLED: &str = "encode of register_type() returned str, which is possible for a whole parameter only: inside \
                           arrays, ranges and composites, and in COPY, it must return bytes, the type's binary form";

pub type Done = Result<(), Refusal>;

/// The UTF-8 text of a str.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a `str` that outlives the returned slice.
pub unsafe fn utf8<'a>(v: *mut PyObject) -> Result<&'a [u8], Refusal> {
    let mut length = 0;
    // SAFETY: `v` is a str that the caller keeps alive; the buffer lives as long.
    unsafe {
        let p = ffi::PyUnicode_AsUTF8AndSize(v, &mut length);
        if p.is_null() {
            PyErr::take(Python::assume_attached());
            return Err(Refusal::Reason("the text has a lone surrogate and no UTF-8 form".into()));
        }
        Ok(std::slice::from_raw_parts(p.cast::<u8>(), length as usize))
    }
}

/// The value of an `int` between `low` and `high`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn integer(v: *mut PyObject, low: i64, high: i64) -> Result<i64, Refusal> {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyLong_Check(v) == 0 || ffi::PyBool_Check(v) != 0 {
            return Err(Refusal::Expected("int"));
        }
        let mut over = 0;
        let n = ffi::PyLong_AsLongLongAndOverflow(v, &mut over);
        if over != 0 || !(low..=high).contains(&n) {
            return Err(Refusal::Reason(format!("the integer is outside {low}…{high}")));
        }
        Ok(n)
    }
}

/// The value of a `float`, or of an `int` that a float holds exactly.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn float(v: *mut PyObject) -> Result<f64, Refusal> {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyFloat_Check(v) != 0 {
            return Ok(ffi::PyFloat_AS_DOUBLE(v));
        }
        if ffi::PyLong_Check(v) == 0 || ffi::PyBool_Check(v) != 0 {
            return Err(Refusal::Expected("float"));
        }
        let f = ffi::PyLong_AsDouble(v);
        match PyErr::take(Python::assume_attached()) {
            Some(_) => Err(Refusal::Reason("the integer is too large for a float".into())),
            None => Ok(f),
        }
    }
}

/// Appends a `str` as UTF-8 without NUL.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn text(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyUnicode_Check(v) == 0 {
            return Err(Refusal::Expected("str"));
        }
        let s = utf8(v)?;
        if s.contains(&0) {
            return Err(Refusal::Reason("PostgreSQL's text cannot hold NUL".into()));
        }
        out.extend(s);
        Ok(())
    }
}

/// Appends `bytes`, or what else has a buffer.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn bytes(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: the buffer is released before this returns.
    unsafe {
        if ffi::PyBytes_Check(v) != 0 {
            let n = ffi::PyBytes_Size(v) as usize;
            out.extend(std::slice::from_raw_parts(ffi::PyBytes_AsString(v).cast::<u8>(), n));
            return Ok(());
        }
        if ffi::PyObject_CheckBuffer(v) == 0 {
            return Err(Refusal::Expected("bytes"));
        }
        let mut view = std::mem::zeroed::<ffi::Py_buffer>();
        if ffi::PyObject_GetBuffer(v, &mut view, ffi::PyBUF_SIMPLE) != 0 {
            return Err(Refusal::Python(PyErr::fetch(Python::assume_attached())));
        }
        out.extend(std::slice::from_raw_parts(view.buf.cast::<u8>(), view.len as usize));
        ffi::PyBuffer_Release(&mut view);
        Ok(())
    }
}

/// Appends a `Decimal` or an `int` as `numeric`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn decimal(env: &Env, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    let py = v.py();
    let fits = v.is_instance(env.decimal.bind(py)).map_err(Refusal::Python)?
        || (v.is_instance_of::<PyInt>() && !v.is_instance_of::<PyBool>());
    if !fits {
        return Err(Refusal::Expected("Decimal"));
    }
    let s = v.str().map_err(Refusal::Python)?;
    numeric::write(s.to_str().map_err(Refusal::Python)?.as_bytes(), out).map_err(|e| Refusal::Reason(e.to_string()))
}

/// Appends a `uuid.UUID`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
unsafe fn uuid(env: &Env, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    if !v.is_instance(env.uuid.bind(v.py())).map_err(Refusal::Python)? {
        return Err(Refusal::Expected("UUID"));
    }
    let n: u128 = v.getattr(pyo3::intern!(v.py(), "int")).and_then(|n| n.extract()).map_err(Refusal::Python)?;
    out.extend(n.to_be_bytes());
    Ok(())
}

/// These are sent as text, which only the server can read.
fn by_text(name: &str) -> Refusal {
    Refusal::Reason(format!("{name} is sent as text: cast in SQL, as in $1::text::{name}"))
}

/// Appends a value of the types that most values have, if it is of exactly their class and fits; otherwise nothing.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
#[inline(always)]
unsafe fn plain(layout: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> bool {
    // SAFETY: `v` is alive, and so is the text in it.
    unsafe {
        match layout {
            Type::Int4 | Type::Int8 if ffi::PyLong_CheckExact(v) != 0 => {
                let mut over = 0;
                let n = ffi::PyLong_AsLongLongAndOverflow(v, &mut over);
                if over != 0 {
                    return false;
                }
                if *layout == Type::Int8 {
                    out.extend_from_slice(&n.to_be_bytes());
                    return true;
                }
                let Ok(n) = i32::try_from(n) else { return false };
                out.extend_from_slice(&n.to_be_bytes());
                true
            }
            Type::Float8 if ffi::PyFloat_CheckExact(v) != 0 => {
                out.extend_from_slice(&ffi::PyFloat_AS_DOUBLE(v).to_be_bytes());
                true
            }
            Type::Text if ffi::PyUnicode_CheckExact(v) != 0 => {
                let Ok(s) = utf8(v) else { return false };
                if s.contains(&0) {
                    return false;
                }
                out.extend_from_slice(s);
                true
            }
            _ => false,
        }
    }
}

/// Appends the bytes of `v`, which is not None.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
#[inline]
pub unsafe fn value(env: &Env, layout: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: as the caller promises.
    unsafe { if plain(layout, v, out) { Ok(()) } else { any_value(env, layout, v, out) } }
}

/// The same for every type; kept apart, so that the commonest ones stay short.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
#[inline(never)]
unsafe fn any_value(env: &Env, layout: &Type, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is a borrowed reference that the caller keeps alive.
    let done = unsafe {
        match layout {
            Type::Int4 => integer(v, i32::MIN.into(), i32::MAX.into()).map(|n| out.extend((n as i32).to_be_bytes())),
            Type::Int8 => integer(v, i64::MIN, i64::MAX).map(|n| out.extend(n.to_be_bytes())),
            Type::Int2 => integer(v, i16::MIN.into(), i16::MAX.into()).map(|n| out.extend((n as i16).to_be_bytes())),
            Type::Oid => integer(v, 0, u32::MAX.into()).map(|n| out.extend((n as u32).to_be_bytes())),
            Type::Text => text(v, out),
            Type::Bool if ffi::PyBool_Check(v) != 0 => {
                out.push(u8::from(v == ffi::Py_True()));
                Ok(())
            }
            Type::Bool => Err(Refusal::Expected("bool")),
            Type::Float8 => float(v).map(|f| out.extend(f.to_be_bytes())),
            Type::Float4 => float(v).and_then(|f| {
                let narrow = f as f32;
                if f.is_finite() && !narrow.is_finite() {
                    return Err(Refusal::Reason("the number is too large for float4".into()));
                }
                out.extend(narrow.to_be_bytes());
                Ok(())
            }),
            Type::Numeric => decimal(env, v, out),
            Type::TimestampTz => moment::timestamp(v, true).map(|us| out.extend(us.to_be_bytes())),
            Type::Timestamp => moment::timestamp(v, false).map(|us| out.extend(us.to_be_bytes())),
            Type::Date => moment::date(v).map(|days| out.extend(days.to_be_bytes())),
            Type::Time => moment::time(v).map(|us| out.extend(us.to_be_bytes())),
            Type::TimeTz => moment::time_with_zone(v, out),
            Type::Interval | Type::Duration => moment::interval(env, v, out),
            Type::Uuid => uuid(env, v, out),
            Type::Bytea => bytes(v, out),
            Type::Json => json::write(env, v, out, 0),
            Type::Jsonb => {
                out.push(1);
                json::write(env, v, out, 0)
            }
            Type::Array(oid, element) | Type::Nested(_, oid, element) => list::list(env, *oid, element, v, out),
            Type::ZeroBased(oid, element) => list::zero_based(env, *oid, element, v, out),
            Type::Named(_, inner) => value(env, inner, v, out),
            Type::Range(bound) => span::range(env, bound, v, out),
            Type::Multirange(bound) => span::multirange(env, bound, v, out),
            Type::Composite(fields) => record::composite(env, fields, v, out),
            Type::Hstore => record::hstore(v, out),
            Type::Vector => record::vector(v, false, out),
            Type::HalfVector => record::vector(v, true, out),
            Type::SparseVector => record::sparse_vector(v, out),
            Type::Geometry(kind) => geometry::geometry(*kind, v, out),
            Type::Inet => network::network(env, v, false, out),
            Type::Cidr => network::network(env, v, true, out),
            Type::Mac(length) => network::mac(v, *length, out),
            Type::Bits => system::bits(v, out),
            Type::Versioned => {
                out.push(1);
                text(v, out)
            }
            Type::Char => system::char(v, out),
            Type::Xid8 => system::unsigned(v).map(|n| out.extend(n.to_be_bytes())),
            Type::Lsn => system::lsn(v, out),
            Type::Tid => system::tid(v, out),
            Type::Snapshot => system::snapshot(v, out),
            Type::Registered(number, inner) => registered::encode(env, *number, inner.as_deref(), v, out),
            Type::TsVector => Err(by_text("tsvector")),
            Type::TsQuery => Err(by_text("tsquery")),
            Type::Record => {
                Err(Refusal::Reason("PostgreSQL takes no anonymous row as a parameter: give its type a name".into()))
            }
            Type::Void => Err(Refusal::Expected("None")),
            Type::AnyArray => {
                return Err(Refusal::Reason("anyarray is a pseudo-type: cast the parameter to an array type".into()));
            }
            Type::Unknown(name) => {
                let advice = "cast in SQL, as in $1::text::";
                Err(Refusal::Reason(format!("there is no encoder for {name}; {advice}{name}, or call register_type()")))
            }
        }
    };
    match done {
        Err(Refusal::Expected(_)) => {
            // SAFETY: as above.
            let given = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
            match stand_in(env, layout, &given).map_err(Refusal::Python)? {
                // SAFETY: `plain` lives until the call returns.
                Some(plain) => unsafe { value(env, layout, plain.as_ptr(), out) },
                None => done,
            }
        }
        other => other,
    }
}

/// The plain Python value that `v` stands for, where it is a member of an Enum, a scalar of NumPy, or a number of another
/// library that the type can hold without loss.
fn stand_in<'py>(env: &Env, layout: &Type, v: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = v.py();
    if v.is_instance(env.enumeration.bind(py))? {
        return v.getattr(pyo3::intern!(py, "value")).map(Some);
    }
    if v.is_instance_of::<PyBool>() || v.is_instance_of::<PyFloat>() || v.is_instance_of::<PyString>() {
        return Ok(None);
    }
    // NumPy's scalars have a type and no dimensions; what has some is an array.
    if v.hasattr(pyo3::intern!(py, "dtype"))? {
        if !v.getattr_opt(pyo3::intern!(py, "shape"))?.is_some_and(|s| is_empty(&s)) {
            return Ok(None);
        }
        let plain = v.call_method0(pyo3::intern!(py, "item"))?;
        return Ok((!plain.get_type().is(v.get_type())).then_some(plain));
    }
    let becomes = match layout {
        Type::Int2 | Type::Int4 | Type::Int8 | Type::Oid | Type::Xid8 => "__index__",
        Type::Float4 | Type::Float8 => "__float__",
        _ => return Ok(None),
    };
    if v.is_instance_of::<PyInt>() || !v.hasattr(becomes)? {
        return Ok(None);
    }
    v.call_method0(becomes).map(Some)
}

fn is_empty(shape: &Bound<'_, PyAny>) -> bool {
    shape.cast::<PyTuple>().is_ok_and(|t| t.is_empty())
}

/// The name of a value's type for messages, with its module where it is not one of Python's own.
pub fn type_name(v: &Bound<'_, PyAny>) -> String {
    let class = v.get_type();
    let name = class.qualname().map_or_else(|_| "an object".to_owned(), |n| n.to_string());
    match class.module() {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    }
}

/// The exception for parameter number `index` (from 0) of a statement, which names the column it is compared with.
fn refused(
    py: Python<'_>,
    sql: Option<&str>,
    index: usize,
    typed: &Typed,
    v: &Bound<'_, PyAny>,
    why: Refusal,
) -> PyErr {
    let place = match sql.and_then(|sql| compared_column(sql, index + 1)) {
        Some(column) => format!("{column} (${}, {})", index + 1, typed.name),
        None => format!("${} ({})", index + 1, typed.name),
    };
    match why {
        Refusal::Expected(what) => {
            crate::errors::named(py, "EncodeError", format!("{place}: expected {what}, got {}", type_name(v)))
        }
        Refusal::Reason(why) => crate::errors::named(py, "EncodeError", format!("{place}: {why}")),
        Refusal::Spelled(_) => crate::errors::named(py, "EncodeError", format!("{place}: {SPELLED}")),
        Refusal::Python(e) => {
            let made = crate::errors::named(py, "EncodeError", format!("{place}: {}", e.value(py)));
            made.set_cause(py, Some(e));
            made
        }
    }
}

/// All parameters, one value for each type; `sql` is the text of a compiled statement, for messages.
///
/// # Errors
/// EncodeError that names the parameter; nothing has been sent then.
pub fn arguments(
    py: Python<'_>,
    env: &Env,
    sql: Option<&str>,
    types: &[Typed],
    params: &Bound<'_, PyTuple>,
) -> PyResult<Arguments> {
    if params.len() != types.len() {
        let message = format!("the statement takes {} parameters, {} given", types.len(), params.len());
        return Err(crate::errors::named(py, "EncodeError", message));
    }
    let may_be_spelled = types.iter().any(|t| matches!(t.layout, Type::Registered(..)));
    let mut args = if may_be_spelled { Arguments::with_texts() } else { Arguments::default() };
    let mut scratch = Vec::with_capacity(64);
    for (i, typed) in types.iter().enumerate() {
        let v = params.get_borrowed_item(i)?;
        scratch.clear();
        let added = if v.is_none() {
            args.add(typed.oid, None)
        } else {
            // SAFETY: the tuple keeps the value alive.
            match unsafe { value(env, &typed.layout, v.as_ptr(), &mut scratch) } {
                Ok(()) => args.add(typed.oid, Some(&scratch)),
                Err(Refusal::Spelled(text)) if matches!(typed.layout, Type::Registered(..)) => {
                    args.add_text(typed.oid, text)
                }
                Err(why) => return Err(refused(py, sql, i, typed, &v, why)),
            }
        };
        added.map_err(|e| crate::errors::named(py, "EncodeError", format!("${}: {e}", i + 1)))?;
    }
    Ok(args)
}
