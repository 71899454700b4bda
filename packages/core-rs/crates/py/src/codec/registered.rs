//! Types that the application registered: `register_type()`.
use crate::codec::decode::{self, Made, from_py};
use crate::codec::encode::{self, Done, Refusal};
use crate::env::Env;
use data_bridge_driver::Typed;
use data_bridge_wire::Type;
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, Mutex};

struct Entry {
    /// As the application wrote it, in lower case, with its schema if it has one.
    name: String,
    /// The pool whose database has the type; None for all.
    pool: Option<u64>,
    encode: Py<PyAny>,
    decode: Py<PyAny>,
    /// Values of another class are refused.
    class: Option<Py<PyType>>,
    /// Whether the functions take and give the value of the type's own codec, not bytes.
    over_value: bool,
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Rises with every registration: whatever was resolved before is stale.
pub fn generation() -> u64 {
    GENERATION.load(Acquire)
}

/// Registers a type; the last registration of a name counts.
///
/// # Errors
/// ConfigurationError for a built-in type: its codec is not looked up by name.
#[pyfunction]
#[pyo3(signature = (name, encode, decode, class_, pool, over_value))]
pub fn register_type(
    py: Python<'_>,
    name: &str,
    encode: Py<PyAny>,
    decode: Py<PyAny>,
    class_: Option<Py<PyType>>,
    pool: Option<u64>,
    over_value: bool,
) -> PyResult<()> {
    let known = name.to_lowercase().replace('"', "");
    if Type::is_built_in(&known) {
        let message = format!(
            "register_type({name:?}): the codec of a built-in type cannot be replaced; convert the values in Python, or \
             cast them in SQL"
        );
        return Err(crate::errors::named(py, "ConfigurationError", message));
    }
    let entry = Entry { name: known, pool, encode, decode, class: class_, over_value };
    ENTRIES.lock().expect("the registered types").push(entry);
    GENERATION.fetch_add(1, Release);
    Ok(())
}

fn find(pool: u64, name: &str, has_codec: bool) -> Option<(u32, bool)> {
    let name = name.to_lowercase().replace('"', "");
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let entries = ENTRIES.lock().expect("the registered types");
    let number = entries.iter().rposition(|e| {
        // One of the two has no schema when the search path finds the type.
        let same = e.name == name || (e.name.contains('.') != name.contains('.') && bare(&e.name) == bare(&name));
        same && e.pool.is_none_or(|own| own == pool) && (has_codec || !e.over_value)
    })?;
    Some((number as u32, entries[number].over_value))
}

/// A layout with the registered types of a pool in their places.
#[must_use]
fn applied(pool: u64, layout: &Type) -> Type {
    if generation() == 0 {
        return layout.clone();
    }
    match layout {
        Type::Unknown(name) => match find(pool, name, false) {
            Some((number, _)) => Type::Registered(number, None),
            None => layout.clone(),
        },
        Type::Named(name, inner) => match find(pool, name, true) {
            Some((number, true)) => Type::Registered(number, Some(Arc::new(applied(pool, inner)))),
            Some((number, false)) => Type::Registered(number, Some(inner.clone())),
            None => Type::Named(name.clone(), Arc::new(applied(pool, inner))),
        },
        Type::Array(oid, element) => Type::Array(*oid, Arc::new(applied(pool, element))),
        Type::Range(bound) => Type::Range(Arc::new(applied(pool, bound))),
        Type::Multirange(bound) => Type::Multirange(Arc::new(applied(pool, bound))),
        Type::Composite(fields) => {
            Type::Composite(fields.iter().map(|(name, oid, of)| (name.clone(), *oid, applied(pool, of))).collect())
        }
        _ => layout.clone(),
    }
}

/// A type with the registered types of a pool in their places.
#[must_use]
pub fn resolved(pool: u64, typed: Typed) -> Typed {
    Typed { layout: applied(pool, &typed.layout), ..typed }
}

/// The object that a registered type's bytes stand for.
pub fn decode(env: &Env, number: u32, inner: Option<&Type>, b: &[u8]) -> Made {
    // SAFETY: attached; the argument is ours.
    unsafe {
        let py = Python::assume_attached();
        let (function, over_value) = {
            let entries = ENTRIES.lock().expect("the registered types");
            let entry = &entries[number as usize];
            (entry.decode.clone_ref(py), entry.over_value)
        };
        let argument = match inner.filter(|_| over_value) {
            Some(inner) => Bound::from_owned_ptr(py, decode::value(env, inner, b)?),
            None => PyBytes::new(py, b).into_any(),
        };
        from_py(function.bind(py).call1((argument,)))
    }
}

/// Appends what a registered type's function makes of a value.
///
/// # Errors
/// `Refusal::Spelled` with the text of a value whose binary form the server alone can make.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn encode(env: &Env, number: u32, inner: Option<&Type>, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    let py = v.py();
    let (function, class, over_value) = {
        let entries = ENTRIES.lock().expect("the registered types");
        let entry = &entries[number as usize];
        (entry.encode.clone_ref(py), entry.class.as_ref().map(|c| c.clone_ref(py)), entry.over_value)
    };
    if let Some(class) = class
        && !v.is_instance(class.bind(py)).map_err(Refusal::Python)?
    {
        let name = class.bind(py).name().map_err(Refusal::Python)?;
        return Err(Refusal::Reason(format!("expected {name}, got {}", v.get_type().name().map_err(Refusal::Python)?)));
    }
    let made = function.bind(py).call1((&v,)).map_err(Refusal::Python)?;
    if let Some(inner) = inner.filter(|_| over_value) {
        // SAFETY: the result is alive until the call returns.
        return unsafe { encode::value(env, inner, made.as_ptr(), out) }.map_err(|why| match why {
            Refusal::Spelled(_) => Refusal::Reason(encode::SPELLED.into()),
            other => other,
        });
    }
    if let Ok(bytes) = made.cast::<PyBytes>() {
        out.extend(bytes.as_bytes());
        Ok(())
    } else if made.is_instance_of::<PyString>() {
        let mut spelled = Vec::new();
        // SAFETY: as above.
        unsafe { encode::text(made.as_ptr(), &mut spelled) }?;
        if inner != Some(&Type::Text) {
            return Err(Refusal::Spelled(spelled));
        }
        // Of an enum, the label is the binary form as well.
        out.extend(spelled);
        Ok(())
    } else {
        Err(Refusal::Reason("encode of a registered type must return bytes or str".into()))
    }
}
