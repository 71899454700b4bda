//! Values of a fixed width.
use crate::decode::{Cells, Taken};
use crate::misfit::Misfit;
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, IntervalMonthDayNano, NullBufferBuilder};
use arrow_schema::DataType;
use data_bridge_wire::interval::Interval;
use data_bridge_wire::{Type, exact};
use std::sync::Arc;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH: i64 = EPOCH_DAYS as i64 * DAY;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Values of one primitive type.
pub struct Primitive<A: ArrowPrimitiveType, F> {
    values: Vec<A::Native>,
    nulls: NullBufferBuilder,
    data_type: DataType,
    read: F,
}

impl<A: ArrowPrimitiveType, F> Primitive<A, F> {
    /// With what reads one value.
    pub fn new(data_type: DataType, read: F) -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0), data_type, read }
    }
}

impl<A, F> Cells for Primitive<A, F>
where
    A: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<A::Native, Misfit> + Send,
{
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        if let Some(b) = cell {
            self.values.push((self.read)(b)?);
            self.nulls.append_non_null();
        } else {
            self.values.push(A::Native::default());
            self.nulls.append_null();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let mut values = std::mem::take(&mut self.values);
        values.shrink_to_fit();
        let made = PrimitiveArray::<A>::new(values.into(), self.nulls.finish());
        Ok(Arc::new(made.with_data_type(self.data_type.clone())))
    }
}

/// Booleans.
pub struct Bools {
    values: BooleanBufferBuilder,
    nulls: NullBufferBuilder,
}

impl Default for Bools {
    fn default() -> Self {
        Self { values: BooleanBufferBuilder::new(0), nulls: NullBufferBuilder::new(0) }
    }
}

impl Bools {
    /// Takes a value that was read already.
    pub fn take(&mut self, value: Option<bool>) {
        self.values.append(value.unwrap_or_default());
        self.nulls.append(value.is_some());
    }
}

impl Cells for Bools {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let value = cell.map(exact::<1>).transpose()?.map(|[byte]| byte != 0);
        self.take(value);
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        Ok(Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish())))
    }
}

/// The days of Arrow.
fn date(b: &[u8]) -> Result<i32, Misfit> {
    match i32::from_be_bytes(exact(b)?) {
        i32::MAX | i32::MIN => Err(Misfit::new("an infinite date has no Arrow value")),
        days => days.checked_add(EPOCH_DAYS).ok_or_else(|| Misfit::new("the date is beyond those of Arrow")),
    }
}

/// The microseconds of Arrow.
fn timestamp(b: &[u8]) -> Result<i64, Misfit> {
    match i64::from_be_bytes(exact(b)?) {
        i64::MAX | i64::MIN => Err(Misfit::new("an infinite timestamp has no Arrow value")),
        us => us.checked_add(EPOCH).ok_or_else(|| Misfit::new("the timestamp is beyond those of Arrow")),
    }
}

fn time(b: &[u8]) -> Result<i64, Misfit> {
    match i64::from_be_bytes(exact(b)?) {
        us if us >= DAY => Err(Misfit::new("the time 24:00:00 has no Arrow value")),
        us => Ok(us),
    }
}

fn interval(b: &[u8]) -> Result<IntervalMonthDayNano, Misfit> {
    let it = Interval::read(b).map_err(|e| match e {
        data_bridge_wire::WireError::Unrepresentable(_) => Misfit::new("an infinite interval has no Arrow value"),
        other => other.into(),
    })?;
    let nanoseconds = it.microseconds.checked_mul(1000);
    let nanoseconds =
        nanoseconds.ok_or_else(|| Misfit::new("the interval has more hours than nanoseconds of 64 bits can count"))?;
    Ok(IntervalMonthDayNano::new(it.months, it.days, nanoseconds))
}

fn boxed<A, F>(read: F) -> Box<dyn Cells>
where
    A: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<A::Native, Misfit> + Send + 'static,
{
    Box::new(Primitive::<A, F>::new(A::DATA_TYPE, read))
}

/// The builder for values of this layout.
///
/// # Errors
/// [`Misfit`] for a layout without an Arrow type.
pub fn cells(layout: &Type) -> Result<Box<dyn Cells>, Misfit> {
    Ok(match layout {
        Type::Int2 => boxed::<Int16Type, _>(|b| Ok(i16::from_be_bytes(exact(b)?))),
        Type::Int4 => boxed::<Int32Type, _>(|b| Ok(i32::from_be_bytes(exact(b)?))),
        Type::Int8 => boxed::<Int64Type, _>(|b| Ok(i64::from_be_bytes(exact(b)?))),
        Type::Oid => boxed::<UInt32Type, _>(|b| Ok(u32::from_be_bytes(exact(b)?))),
        Type::Xid8 => boxed::<UInt64Type, _>(|b| Ok(u64::from_be_bytes(exact(b)?))),
        Type::Float4 => boxed::<Float32Type, _>(|b| Ok(f32::from_be_bytes(exact(b)?))),
        Type::Float8 => boxed::<Float64Type, _>(|b| Ok(f64::from_be_bytes(exact(b)?))),
        Type::Date => boxed::<Date32Type, _>(date),
        Type::Time => boxed::<Time64MicrosecondType, _>(time),
        Type::Timestamp => boxed::<TimestampMicrosecondType, _>(timestamp),
        Type::TimestampTz => {
            let data_type = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
            Box::new(Primitive::<TimestampMicrosecondType, _>::new(data_type, timestamp))
        }
        Type::Interval | Type::Duration => boxed::<IntervalMonthDayNanoType, _>(interval),
        _ => return Err(Misfit::new("Arrow has no type for it")),
    })
}
