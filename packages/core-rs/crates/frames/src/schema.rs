//! Which Arrow type a type of PostgreSQL has.
use crate::misfit::Misfit;
use crate::options::{Numerics, Options};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, IntervalUnit, TimeUnit};
use data_bridge_wire::Type;
use data_bridge_wire::form::Form;
use std::collections::HashMap;
use std::sync::Arc;

const EXTENSION_NAME: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
/// The fields of a range, in their order.
pub const RANGE: [&str; 5] = ["lower", "upper", "lower_inclusive", "upper_inclusive", "is_empty"];

/// The field of a column, or of what is inside one.
///
/// # Errors
/// [`Misfit`] for a type that Arrow has no type for.
pub fn field(name: &str, form: &Form, options: &Options) -> Result<Field, Misfit> {
    let field = Field::new(name, data_type(form, options)?, true);
    let extension = match form {
        Form::Plain(Type::Uuid) => "arrow.uuid",
        Form::Plain(Type::Json | Type::Jsonb) => "arrow.json",
        _ => return Ok(field),
    };
    let metadata = [(EXTENSION_NAME, extension), (EXTENSION_METADATA, "")];
    Ok(field.with_metadata(HashMap::from(metadata.map(|(key, value)| (key.to_owned(), value.to_owned())))))
}

fn data_type(form: &Form, options: &Options) -> Result<DataType, Misfit> {
    Ok(match form {
        Form::Plain(layout) => plain(layout)?,
        Form::Numeric(declared) => numeric(*declared, options),
        Form::Enum(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Form::Array(element) => DataType::List(Arc::new(field("item", element, options)?)),
        Form::Range(bound) => range(bound, options)?,
        Form::Multirange(bound) => DataType::List(Arc::new(Field::new("item", range(bound, options)?, true))),
        Form::Composite(fields) => {
            let fields = fields.iter().map(|(name, _, form)| field(name, form, options));
            DataType::Struct(fields.collect::<Result<_, _>>()?)
        }
    })
}

fn range(bound: &Form, options: &Options) -> Result<DataType, Misfit> {
    let [lower, upper, flags @ ..] = RANGE;
    let mut fields = vec![field(lower, bound, options)?, field(upper, bound, options)?];
    fields.extend(flags.map(|name| Field::new(name, DataType::Boolean, true)));
    Ok(DataType::Struct(fields.into()))
}

/// A decimal that holds every value of these declared digits: Arrow's scale is neither negative nor above the precision.
fn numeric(declared: Option<(u16, i16)>, options: &Options) -> DataType {
    let fitting = declared.and_then(|(precision, scale)| {
        let (precision, scale) = (i32::from(precision), i32::from(scale));
        let (precision, scale) = if scale < 0 { (precision - scale, 0) } else { (precision.max(scale), scale) };
        u8::try_from(precision).ok().filter(|p| *p <= DECIMAL256_MAX_PRECISION).map(|p| (p, scale as i8))
    });
    match (fitting, options.numeric) {
        (Some((precision, scale)), _) | (None, Numerics::Decimal(precision, scale)) => decimal(precision, scale),
        (None, Numerics::Text) => DataType::Utf8,
        (None, Numerics::Float) => DataType::Float64,
    }
}

fn decimal(precision: u8, scale: i8) -> DataType {
    if precision <= DECIMAL128_MAX_PRECISION {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Decimal256(precision, scale)
    }
}

fn plain(layout: &Type) -> Result<DataType, Misfit> {
    Ok(match layout {
        Type::Bool => DataType::Boolean,
        Type::Int2 => DataType::Int16,
        Type::Int4 => DataType::Int32,
        Type::Int8 => DataType::Int64,
        Type::Oid => DataType::UInt32,
        Type::Xid8 => DataType::UInt64,
        Type::Float4 => DataType::Float32,
        Type::Float8 => DataType::Float64,
        Type::Text | Type::Json | Type::Jsonb | Type::Versioned | Type::Bits | Type::Mac(_) => DataType::Utf8,
        Type::Bytea => DataType::Binary,
        Type::Date => DataType::Date32,
        Type::Time => DataType::Time64(TimeUnit::Microsecond),
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Interval | Type::Duration => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::Uuid => DataType::FixedSizeBinary(16),
        Type::Vector => DataType::List(Arc::new(Field::new("item", DataType::Float32, true))),
        Type::Named(_, inner) => return plain(inner),
        _ => {
            return Err(Misfit::new("Arrow has no type for it; cast the column in SQL, for example to text"));
        }
    })
}
