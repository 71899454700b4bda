//! Geometric types, as named tuples of `data_bridge.core.types.geometry`.
use super::{Made, from_py};
use crate::env::Env;
use data_bridge_wire::WireError;
use data_bridge_wire::types::Geometry;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

fn floats(b: &[u8]) -> Result<Vec<f64>, WireError> {
    if !b.len().is_multiple_of(8) {
        return Err(WireError::Malformed("coordinates"));
    }
    Ok(b.chunks_exact(8).map(|c| f64::from_be_bytes(c.try_into().expect("eight bytes"))).collect())
}

fn exactly<const N: usize>(b: &[u8]) -> Result<[f64; N], WireError> {
    floats(b)?.try_into().map_err(|_| WireError::Length { expected: N * 8, got: b.len() })
}

fn points(b: &[u8]) -> Result<Vec<f64>, WireError> {
    let (head, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let found = floats(rest)?;
    if i64::from(i32::from_be_bytes(*head)) * 2 == found.len() as i64 {
        Ok(found)
    } else {
        Err(WireError::Malformed("number of points"))
    }
}

/// The object of a geometric value.
pub fn geometry(env: &Env, kind: Geometry, b: &[u8]) -> Made {
    // SAFETY: attached.
    let py = unsafe { Python::assume_attached() };
    let class = |kind: Geometry| env.geometry[kind as usize].bind(py);
    let point = |x: f64, y: f64| class(Geometry::Point).call1((x, y));
    let all = |f: &[f64]| -> PyResult<Bound<'_, PyTuple>> {
        PyTuple::new(py, f.chunks_exact(2).map(|c| point(c[0], c[1])).collect::<PyResult<Vec<_>>>()?)
    };
    match kind {
        Geometry::Point => {
            let [x, y] = exactly(b)?;
            from_py(point(x, y))
        }
        Geometry::Line => {
            let [a, b, c] = exactly(b)?;
            from_py(class(kind).call1((a, b, c)))
        }
        Geometry::Segment | Geometry::Box => {
            let [a, b, c, d] = exactly(b)?;
            from_py((|| class(kind).call1((point(a, b)?, point(c, d)?)))())
        }
        Geometry::Circle => {
            let [x, y, r] = exactly(b)?;
            from_py((|| class(kind).call1((point(x, y)?, r)))())
        }
        Geometry::Path => {
            let (&closed, rest) = b.split_first().ok_or(WireError::Truncated)?;
            let found = points(rest)?;
            from_py((|| class(kind).call1((all(&found)?, closed != 0)))())
        }
        Geometry::Polygon => {
            let found = points(b)?;
            from_py((|| class(kind).call1((all(&found)?,)))())
        }
    }
}
