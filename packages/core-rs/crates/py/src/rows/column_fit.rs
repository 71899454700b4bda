//! Whether the columns of a result hold what the fields that they fill are declared to be; asked once per result description.
use crate::rows::columns::Column;
use data_bridge_wire::Type;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;

/// The OID of `text`, which is also the type of a bare NULL in a select list.
const TEXT: u32 = 25;

/// What values of this layout are in Python, by a name that the ORM derives from a declared type too; None where only the
/// values tell.
fn kind(layout: &Type) -> Option<String> {
    Some(match layout {
        Type::Bool => "bool".into(),
        Type::Int2 | Type::Int4 | Type::Int8 | Type::Oid | Type::Xid8 => "int".into(),
        Type::Float4 | Type::Float8 => "float".into(),
        Type::Numeric => "numeric".into(),
        Type::Text
        | Type::Char
        | Type::Versioned
        | Type::TsVector
        | Type::TsQuery
        | Type::Bits
        | Type::Mac(_)
        | Type::Lsn
        | Type::Snapshot
        | Type::SparseVector => "text".into(),
        Type::Bytea => "bytes".into(),
        Type::Date => "date".into(),
        Type::Time => "time".into(),
        Type::TimeTz => "timetz".into(),
        Type::Timestamp => "timestamp".into(),
        Type::TimestampTz => "timestamptz".into(),
        Type::Interval | Type::Duration => "interval".into(),
        Type::Uuid => "uuid".into(),
        Type::Json | Type::Jsonb => "json".into(),
        Type::Inet | Type::Cidr => "inet".into(),
        Type::Hstore => "hstore".into(),
        Type::Vector | Type::HalfVector => "vector".into(),
        Type::Geometry(_) => "geometry".into(),
        Type::Tid => "tid".into(),
        Type::Composite(_) | Type::Record => "row".into(),
        Type::Array(_, element) | Type::Nested(_, _, element) | Type::ZeroBased(_, element) => {
            format!("{}[]", kind(element)?)
        }
        Type::Range(bound) => format!("range of {}", kind(bound)?),
        Type::Multirange(bound) => format!("multirange of {}", kind(bound)?),
        Type::Named(_, inner) => kind(inner)?,
        Type::Registered(..) => "registered".into(),
        Type::AnyArray | Type::Void | Type::Unknown(_) => return None,
    })
}

/// Asks `misfit(key, kind, type)` of each column; its answer is None, a message, a converter that looks at each value, as the
/// codec of a registered type returns what it likes, or a number that the values have to have and their type does not say:
/// of arrays that of dimensions, of intervals that of months (0).
///
/// A column of type `text` may be a NULL without a type of its own: with `bare_nulls`, its values are refused, not the
/// column.
pub fn check(py: Python<'_>, misfit: &Py<PyAny>, columns: &mut [Column], bare_nulls: bool) -> PyResult<()> {
    for column in columns {
        let Some(kind) = kind(&column.typed.layout) else { continue };
        let answer = misfit.bind(py).call1((&column.key, kind, &*column.typed.name))?;
        if let Ok(number) = answer.extract::<usize>() {
            column.typed.layout = match &column.typed.layout {
                Type::Array(oid, element) => Type::Nested(number, *oid, element.clone()),
                Type::Interval => Type::Duration,
                other => other.clone(),
            };
            continue;
        }
        if answer.is_callable() {
            column.converter = Some(answer.unbind());
            continue;
        }
        let Some(message) = answer.extract::<Option<String>>()? else { continue };
        if !(bare_nulls && column.typed.oid == TEXT) {
            return Err(crate::errors::named(py, "DecodeError", message));
        }
        let refuse = PyCFunction::new_closure(py, None, None, move |values, _| -> PyResult<()> {
            Err(crate::errors::named(values.py(), "DecodeError", message.clone()))
        })?;
        column.converter = Some(refuse.into_any().unbind());
    }
    Ok(())
}
