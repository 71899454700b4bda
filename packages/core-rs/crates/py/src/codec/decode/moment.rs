//! Dates, times, timestamps and intervals.
use super::{Fail, Made, from_py, made};
use crate::env::Env;
use data_bridge_wire::{WireError, civil, exact, interval::Interval};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyDelta;

fn year(y: i64) -> Result<i32, Fail> {
    if (1..=9999).contains(&y) {
        Ok(y as i32)
    } else if y < 1 {
        Err(WireError::Unrepresentable("a date before the year 1 has no Python value").into())
    } else {
        Err(WireError::Unrepresentable("a date after the year 9999 has no Python value").into())
    }
}

const INFINITE: WireError = WireError::Unrepresentable("an infinite date has no Python value");

/// Makes a `datetime.date` of the days since 2000-01-01.
///
/// # Safety
/// The thread is attached to the interpreter, and its datetime API is imported.
pub unsafe fn date(days: i32) -> Made {
    if days == i32::MAX || days == i32::MIN {
        return Err(INFINITE.into());
    }
    let (y, m, d) = civil::date(i64::from(days));
    let y = year(y)?;
    // SAFETY: the datetime API was imported with the environment.
    unsafe {
        let api = ffi::PyDateTimeAPI();
        made(((*api).Date_FromDate)(y, m.into(), d.into(), (*api).DateType))
    }
}

/// Makes a `datetime.time` without a zone of the microseconds since midnight.
///
/// # Safety
/// The thread is attached to the interpreter, and its datetime API is imported.
pub unsafe fn time(us: i64) -> Made {
    // SAFETY: as above.
    unsafe { time_in(us, ffi::Py_None()) }
}

/// Makes a `datetime.time` in `zone`, which may be None.
///
/// # Safety
/// The thread is attached to the interpreter, its datetime API is imported, and `zone` is None or a live `tzinfo`.
unsafe fn time_in(us: i64, zone: *mut PyObject) -> Made {
    if !(0..civil::DAY).contains(&us) {
        return Err(WireError::Unrepresentable("the time 24:00:00 has no Python value").into());
    }
    let (h, m, s, us) = civil::time(us);
    // SAFETY: as above.
    unsafe {
        let api = ffi::PyDateTimeAPI();
        made(((*api).Time_FromTime)(h.into(), m.into(), s.into(), us as i32, zone, (*api).TimeType))
    }
}

/// A time of day and the seconds by which its zone lies west of UTC.
///
/// # Safety
/// The thread is attached to the interpreter.
pub unsafe fn time_with_zone(b: &[u8]) -> Made {
    let b = exact::<12>(b)?;
    let us = i64::from_be_bytes(b[..8].try_into().expect("eight bytes"));
    let west = i32::from_be_bytes(b[8..].try_into().expect("four bytes"));
    // SAFETY: attached; the zone is ours and released after the call.
    unsafe {
        if west == 0 {
            return time_in(us, ffi::PyDateTime_TimeZone_UTC());
        }
        let py = Python::assume_attached();
        let east = west.checked_neg().ok_or(WireError::Malformed("time zone"))?;
        let offset = from_py(PyDelta::new(py, 0, east, 0, true))?;
        let zone = ffi::PyTimeZone_FromOffset(offset);
        ffi::Py_DECREF(offset);
        let zone = made(zone)?;
        let time = time_in(us, zone);
        ffi::Py_DECREF(zone);
        time
    }
}

/// Makes a `datetime.datetime` of the microseconds since 2000-01-01, in `zone`, which may be None.
///
/// # Safety
/// The thread is attached to the interpreter, its datetime API is imported, and `zone` is None or a live `tzinfo`.
#[inline]
pub unsafe fn timestamp(us: i64, zone: *mut PyObject) -> Made {
    if us == i64::MAX || us == i64::MIN {
        return Err(INFINITE.into());
    }
    let (y, mo, d) = civil::date(us.div_euclid(civil::DAY));
    let y = year(y)?;
    let (h, m, s, us) = civil::time(us.rem_euclid(civil::DAY));
    // SAFETY: as above.
    unsafe {
        let api = ffi::PyDateTimeAPI();
        made(((*api).DateTime_FromDateAndTime)(
            y,
            mo.into(),
            d.into(),
            h.into(),
            m.into(),
            s.into(),
            us as i32,
            zone,
            (*api).DateTimeType,
        ))
    }
}

/// Decodes `interval` as a `timedelta`; one with months is an error.
///
/// # Safety
/// The thread is attached to the interpreter.
pub unsafe fn duration(env: &Env, b: &[u8]) -> Made {
    if Interval::read(b)?.months != 0 {
        return Err(WireError::Unrepresentable("an interval of months is not a timedelta").into());
    }
    // SAFETY: attached.
    unsafe { interval(env, b) }
}

/// Decodes `interval` as a `timedelta`, or as an `Interval` where it has months.
///
/// # Safety
/// The thread is attached to the interpreter.
pub unsafe fn interval(env: &Env, b: &[u8]) -> Made {
    let it = Interval::read(b)?;
    // SAFETY: attached.
    let py = unsafe { Python::assume_attached() };
    if it.months != 0 {
        return from_py(env.interval.bind(py).call1((it.months, it.days, it.microseconds)));
    }
    let (days, rest) =
        (i64::from(it.days) + it.microseconds.div_euclid(civil::DAY), it.microseconds.rem_euclid(civil::DAY));
    if !(-999_999_999..=999_999_999).contains(&days) {
        return Err(WireError::Unrepresentable("an interval of more than 999,999,999 days has no Python value").into());
    }
    from_py(PyDelta::new(py, days as i32, (rest / 1_000_000) as i32, (rest % 1_000_000) as i32, false))
}
