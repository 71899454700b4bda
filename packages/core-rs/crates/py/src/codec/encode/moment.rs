//! Dates, times, timestamps and intervals.
use super::{Done, Refusal};
use crate::env::Env;
use data_bridge_wire::{civil, interval::Interval};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// The days of a `date` since 2000-01-01.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live `date`.
pub unsafe fn day(v: *mut PyObject) -> i64 {
    // SAFETY: `v` is a date.
    unsafe {
        civil::days(ffi::PyDateTime_GET_YEAR(v), ffi::PyDateTime_GET_MONTH(v) as u8, ffi::PyDateTime_GET_DAY(v) as u8)
    }
}

/// The microseconds of a `datetime` since 2000-01-01, in UTC where it is aware.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn timestamp(v: *mut PyObject, aware: bool) -> Result<i64, Refusal> {
    // SAFETY: `v` is alive and checked to be a datetime.
    unsafe {
        let py = Python::assume_attached();
        if ffi::PyDateTime_Check(v) == 0 {
            return Err(Refusal::Expected("datetime"));
        }
        let seconds = i64::from(ffi::PyDateTime_DATE_GET_HOUR(v)) * 3600
            + i64::from(ffi::PyDateTime_DATE_GET_MINUTE(v)) * 60
            + i64::from(ffi::PyDateTime_DATE_GET_SECOND(v));
        let local = day(v) * civil::DAY + seconds * 1_000_000 + i64::from(ffi::PyDateTime_DATE_GET_MICROSECOND(v));
        let zone = ffi::PyDateTime_DATE_GET_TZINFO(v);
        if !aware {
            return if zone == ffi::Py_None() {
                Ok(local)
            } else {
                Err(Refusal::Reason("a timestamp without time zone takes a naive datetime".into()))
            };
        }
        if zone == ffi::PyDateTime_TimeZone_UTC() {
            return Ok(local);
        }
        let offset = Bound::from_borrowed_ptr(py, v).call_method0("utcoffset").map_err(Refusal::Python)?;
        if offset.is_none() {
            return Err(Refusal::Reason(
                "a timestamp with time zone takes an aware datetime, for example datetime.now(UTC)".into(),
            ));
        }
        let d = offset.as_ptr();
        let seconds =
            i64::from(ffi::PyDateTime_DELTA_GET_DAYS(d)) * 86_400 + i64::from(ffi::PyDateTime_DELTA_GET_SECONDS(d));
        Ok(local - seconds * 1_000_000 - i64::from(ffi::PyDateTime_DELTA_GET_MICROSECONDS(d)))
    }
}

/// Appends a `timedelta` or an `Interval`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn interval(env: &Env, v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyDelta_Check(v) != 0 {
            let us = i64::from(ffi::PyDateTime_DELTA_GET_SECONDS(v)) * 1_000_000
                + i64::from(ffi::PyDateTime_DELTA_GET_MICROSECONDS(v));
            Interval { months: 0, days: ffi::PyDateTime_DELTA_GET_DAYS(v), microseconds: us }.write(out);
            return Ok(());
        }
        let v = Bound::from_borrowed_ptr(Python::assume_attached(), v);
        if !v.is_instance(env.interval.bind(v.py())).map_err(Refusal::Python)? {
            return Err(Refusal::Expected("timedelta"));
        }
        let field = |name: &str| v.getattr(name);
        let read = || -> PyResult<Interval> {
            Ok(Interval {
                months: field("months")?.extract()?,
                days: field("days")?.extract()?,
                microseconds: field("microseconds")?.extract()?,
            })
        };
        read().map_err(Refusal::Python)?.write(out);
        Ok(())
    }
}

/// A date, and no datetime.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn date(v: *mut PyObject) -> Result<i32, Refusal> {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyDate_Check(v) != 0 && ffi::PyDateTime_Check(v) == 0 {
            Ok(day(v) as i32)
        } else {
            Err(Refusal::Expected("date"))
        }
    }
}

/// The microseconds of a `time` or `datetime` since midnight.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live `time` or `datetime`.
unsafe fn microseconds(v: *mut PyObject) -> i64 {
    // SAFETY: `v` is a time.
    unsafe {
        let seconds = i64::from(ffi::PyDateTime_TIME_GET_HOUR(v)) * 3600
            + i64::from(ffi::PyDateTime_TIME_GET_MINUTE(v)) * 60
            + i64::from(ffi::PyDateTime_TIME_GET_SECOND(v));
        seconds * 1_000_000 + i64::from(ffi::PyDateTime_TIME_GET_MICROSECOND(v))
    }
}

/// A time without a zone.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn time(v: *mut PyObject) -> Result<i64, Refusal> {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyTime_Check(v) == 0 {
            return Err(Refusal::Expected("time"));
        }
        if ffi::PyDateTime_TIME_GET_TZINFO(v) != ffi::Py_None() {
            return Err(Refusal::Reason("a time without time zone takes a naive time".into()));
        }
        Ok(microseconds(v))
    }
}

/// A time with a zone whose offset does not depend on the day.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn time_with_zone(v: *mut PyObject, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive; a timedelta has these fields.
    unsafe {
        if ffi::PyTime_Check(v) == 0 {
            return Err(Refusal::Expected("time"));
        }
        let it = Bound::from_borrowed_ptr(Python::assume_attached(), v);
        let offset = it.call_method0("utcoffset").map_err(Refusal::Python)?;
        if offset.is_none() {
            return Err(Refusal::Reason("a time with time zone takes an aware time with a fixed offset".into()));
        }
        let d = offset.as_ptr();
        if ffi::PyDateTime_DELTA_GET_MICROSECONDS(d) != 0 {
            return Err(Refusal::Reason("the offset of a time zone is a whole number of seconds".into()));
        }
        let east = ffi::PyDateTime_DELTA_GET_DAYS(d) * 86_400 + ffi::PyDateTime_DELTA_GET_SECONDS(d);
        out.extend(microseconds(v).to_be_bytes());
        out.extend((-east).to_be_bytes());
        Ok(())
    }
}
