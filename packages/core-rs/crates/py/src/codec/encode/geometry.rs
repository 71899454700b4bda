//! Geometric types: the named tuples of `data_bridge.core.types.geometry`, or plain tuples of the same form.
use super::{Done, Refusal};
use data_bridge_wire::types::Geometry;
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

type Point = (f64, f64);

fn points(v: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Option<()> {
    let all: Vec<Point> = v.extract().ok()?;
    if all.is_empty() {
        return None;
    }
    out.extend((all.len() as i32).to_be_bytes());
    for (x, y) in all {
        write(out, &[x, y]);
    }
    Some(())
}

fn write(out: &mut Vec<u8>, floats: &[f64]) {
    for f in floats {
        out.extend(f.to_be_bytes());
    }
}

/// Appends a geometric value.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn geometry(kind: Geometry, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    let expected = match kind {
        Geometry::Point => "Point (x, y)",
        Geometry::Line => "Line (a, b, c)",
        Geometry::Segment => "Segment (start, end)",
        Geometry::Box => "Box (high, low)",
        Geometry::Path => "Path (points, closed)",
        Geometry::Polygon => "Polygon (points,)",
        Geometry::Circle => "Circle (center, radius)",
    };
    if !v.is_instance_of::<PyTuple>() {
        return Err(Refusal::Expected(expected));
    }
    let done = match kind {
        Geometry::Point => v.extract::<Point>().ok().map(|(x, y)| write(out, &[x, y])),
        Geometry::Line => v.extract::<(f64, f64, f64)>().ok().map(|(a, b, c)| write(out, &[a, b, c])),
        Geometry::Segment | Geometry::Box => {
            v.extract::<(Point, Point)>().ok().map(|((a, b), (c, d))| write(out, &[a, b, c, d]))
        }
        Geometry::Circle => v.extract::<(Point, f64)>().ok().map(|((x, y), r)| write(out, &[x, y, r])),
        Geometry::Path => v.extract::<(Bound<'_, PyAny>, bool)>().ok().and_then(|(all, closed)| {
            out.push(u8::from(closed));
            points(&all, out)
        }),
        Geometry::Polygon => v.extract::<(Bound<'_, PyAny>,)>().ok().and_then(|(all,)| points(&all, out)),
    };
    done.ok_or(Refusal::Expected(expected))
}
