//! Dates, times, timestamps, durations and intervals.
use crate::encode::primitive::primitive;
use crate::encode::{Cells, Target, Written, fixed, sized};
use crate::misfit::Misfit;
use arrow_array::ArrayRef;
use arrow_array::types::*;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use data_bridge_wire::Type;
use data_bridge_wire::interval::Interval;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// The dates that PostgreSQL has, in days from 2000-01-01: 4714-11-24 BC to 5874897-12-31.
const DATES: std::ops::Range<i64> = -2_451_545..2_145_031_949;
/// Its timestamps, in microseconds: 4714-11-24 BC to 294276-12-31.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Microseconds of a number of units.
fn microseconds(n: i64, unit: TimeUnit) -> Result<i64, Misfit> {
    let scaled = match unit {
        TimeUnit::Second => n.checked_mul(1_000_000),
        TimeUnit::Millisecond => n.checked_mul(1000),
        TimeUnit::Microsecond => Some(n),
        TimeUnit::Nanosecond if n % 1000 != 0 => {
            return Err(Misfit::new("the nanoseconds are not whole microseconds, which PostgreSQL counts"));
        }
        TimeUnit::Nanosecond => Some(n / 1000),
    };
    scaled.ok_or_else(|| Misfit::new("the moment is beyond those of PostgreSQL"))
}

/// The writer for everything of the calendar and the clock.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    let layout = target.layout;
    let spans = matches!(layout, Type::Interval | Type::Duration);
    match array.data_type() {
        DataType::Date32 if *layout == Type::Date => primitive::<Date32Type, _>(array, |n, out| date(n.into(), out)),
        DataType::Date64 if *layout == Type::Date => primitive::<Date64Type, _>(array, |ms, out| {
            if ms % 86_400_000 != 0 {
                return Err(Misfit::new("the date is not a whole day"));
            }
            date(ms / 86_400_000, out)
        }),
        DataType::Timestamp(unit, zone) => {
            let fits = match zone {
                None => *layout == Type::Timestamp,
                Some(_) => *layout == Type::TimestampTz,
            };
            if fits { in_unit(array, *unit, timestamp) } else { None }
        }
        DataType::Time32(TimeUnit::Second) if *layout == Type::Time => {
            primitive::<Time32SecondType, _>(array, |n, out| time(microseconds(n.into(), TimeUnit::Second)?, out))
        }
        DataType::Time32(_) if *layout == Type::Time => primitive::<Time32MillisecondType, _>(array, |n, out| {
            time(microseconds(n.into(), TimeUnit::Millisecond)?, out)
        }),
        DataType::Time64(TimeUnit::Microsecond) if *layout == Type::Time => {
            primitive::<Time64MicrosecondType, _>(array, time)
        }
        DataType::Time64(_) if *layout == Type::Time => {
            primitive::<Time64NanosecondType, _>(array, |n, out| time(microseconds(n, TimeUnit::Nanosecond)?, out))
        }
        DataType::Duration(unit) if spans => {
            let unit = *unit;
            let put = move |n: i64, out: &mut Vec<u8>| interval(0, 0, microseconds(n, unit)?, out);
            match unit {
                TimeUnit::Second => primitive::<DurationSecondType, _>(array, put),
                TimeUnit::Millisecond => primitive::<DurationMillisecondType, _>(array, put),
                TimeUnit::Microsecond => primitive::<DurationMicrosecondType, _>(array, put),
                TimeUnit::Nanosecond => primitive::<DurationNanosecondType, _>(array, put),
            }
        }
        DataType::Interval(unit) if spans => match unit {
            IntervalUnit::YearMonth => {
                primitive::<IntervalYearMonthType, _>(array, |months, out| interval(months, 0, 0, out))
            }
            IntervalUnit::DayTime => primitive::<IntervalDayTimeType, _>(array, |it, out| {
                interval(0, it.days, i64::from(it.milliseconds) * 1000, out)
            }),
            IntervalUnit::MonthDayNano => primitive::<IntervalMonthDayNanoType, _>(array, |it, out| {
                interval(it.months, it.days, microseconds(it.nanoseconds, TimeUnit::Nanosecond)?, out)
            }),
        },
        _ => None,
    }
}

fn in_unit(
    array: &ArrayRef,
    unit: TimeUnit,
    put: impl Fn(i64, &mut Vec<u8>) -> Written + Send + 'static,
) -> Option<Box<dyn Cells>> {
    let put = move |n: i64, out: &mut Vec<u8>| put(microseconds(n, unit)?, out);
    match unit {
        TimeUnit::Second => primitive::<TimestampSecondType, _>(array, put),
        TimeUnit::Millisecond => primitive::<TimestampMillisecondType, _>(array, put),
        TimeUnit::Microsecond => primitive::<TimestampMicrosecondType, _>(array, put),
        TimeUnit::Nanosecond => primitive::<TimestampNanosecondType, _>(array, put),
    }
}

fn date(days: i64, out: &mut Vec<u8>) -> Written {
    let days = days.checked_sub(EPOCH_DAYS).filter(|days| DATES.contains(days));
    let days = days.ok_or_else(|| Misfit::new("the date is beyond those of PostgreSQL"))?;
    fixed((days as i32).to_be_bytes(), out);
    Ok(())
}

fn timestamp(us: i64, out: &mut Vec<u8>) -> Written {
    let us = us.checked_sub(EPOCH_DAYS * DAY).filter(|us| TIMESTAMPS.contains(us));
    let us = us.ok_or_else(|| Misfit::new("the timestamp is beyond those of PostgreSQL"))?;
    fixed(us.to_be_bytes(), out);
    Ok(())
}

fn time(us: i64, out: &mut Vec<u8>) -> Written {
    if !(0..DAY).contains(&us) {
        return Err(Misfit::new("the time is not within a day"));
    }
    fixed(us.to_be_bytes(), out);
    Ok(())
}

fn interval(months: i32, days: i32, microseconds: i64, out: &mut Vec<u8>) -> Written {
    let it = Interval { months, days, microseconds };
    let is_infinite =
        matches!((microseconds, days, months), (i64::MAX, i32::MAX, i32::MAX) | (i64::MIN, i32::MIN, i32::MIN));
    if is_infinite {
        return Err(Misfit::new("the interval is beyond those of PostgreSQL"));
    }
    sized(out, |out| {
        it.write(out);
        Ok(())
    })
}
