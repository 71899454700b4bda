//! A field of a row of COPY.
use super::{Refusal, SPELLED, any_value, plain, type_name};
use crate::env::Env;
use data_bridge_driver::Typed;
use data_bridge_wire::array;
use pyo3::prelude::*;

/// One field of a row of COPY: its length, then its bytes.
///
/// # Errors
/// EncodeError that names row and column.
#[inline]
pub fn value_of_copy(
    py: Python<'_>,
    env: &Env,
    row: u64,
    column: &str,
    typed: &Typed,
    v: &Bound<'_, PyAny>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    if v.is_none() {
        out.extend((-1i32).to_be_bytes());
        return Ok(());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    // SAFETY: `v` is alive until the end of this call.
    if unsafe { plain(&typed.layout, v.as_ptr(), out) } {
        let n = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&n.to_be_bytes());
        return Ok(());
    }
    out.truncate(at);
    // SAFETY: as above.
    let done = array::write_element(out, |out| unsafe { any_value(env, &typed.layout, v.as_ptr(), out) });
    done.map_err(|why| refused_in_copy(py, row, column, typed, v, why))
}

#[cold]
fn refused_in_copy(py: Python<'_>, row: u64, column: &str, typed: &Typed, v: &Bound<'_, PyAny>, why: Refusal) -> PyErr {
    let place = format!("row {row}, {column} ({})", typed.name);
    let reason = match why {
        Refusal::Expected(what) => format!("expected {what}, got {}", type_name(v)),
        Refusal::Reason(why) => why,
        Refusal::Spelled(_) => SPELLED.into(),
        Refusal::Python(e) => e.value(py).to_string(),
    };
    crate::errors::named(py, "EncodeError", format!("{place}: {reason}"))
}
