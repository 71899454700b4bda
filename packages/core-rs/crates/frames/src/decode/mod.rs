//! Cells of the wire to arrays of Arrow: one builder for each column and for what is inside it.
mod bytes;
mod labels;
mod nested;
mod number;
mod scalar;

use crate::misfit::Misfit;
use crate::options::Options;
use crate::schema::field;
use arrow_array::ArrayRef;
use data_bridge_wire::Type;
use data_bridge_wire::form::Form;

/// Whether a value was taken.
pub type Taken = Result<(), Misfit>;

/// Collects the values of a column.
pub trait Cells: Send {
    /// Takes a value; `None` is NULL.
    ///
    /// # Errors
    /// [`Misfit`] for a value that the column's Arrow type does not have.
    fn push(&mut self, cell: Option<&[u8]>) -> Taken;

    /// What was taken since the last call.
    ///
    /// # Errors
    /// [`Misfit`] for text that is not UTF-8.
    fn finish(&mut self) -> Result<ArrayRef, Misfit>;
}

/// The builder for values of this form.
///
/// # Errors
/// [`Misfit`] for a type that Arrow has no type for.
pub fn cells(form: &Form, options: &Options) -> Result<Box<dyn Cells>, Misfit> {
    let data_type = field("", form, options)?.data_type().clone();
    Ok(match form {
        Form::Plain(layout) => plain(layout)?,
        Form::Numeric(_) => number::cells(&data_type),
        Form::Enum(known) => Box::new(labels::Labels::new(known)),
        Form::Array(element) => Box::new(nested::List::of(element, options)?),
        Form::Range(bound) => Box::new(nested::Range::of(bound, options)?),
        Form::Multirange(bound) => Box::new(nested::List::of_ranges(bound, options)?),
        Form::Composite(fields) => Box::new(nested::Struct::of(fields, options)?),
    })
}

fn plain(layout: &Type) -> Result<Box<dyn Cells>, Misfit> {
    Ok(match layout {
        Type::Bool => Box::<scalar::Bools>::default(),
        Type::Uuid => Box::<bytes::Fixed>::default(),
        Type::Bytea => Box::<bytes::Binary>::default(),
        Type::Text | Type::Json => Box::new(bytes::Text::of(bytes::as_it_is)),
        Type::Jsonb | Type::Versioned => Box::new(bytes::Text::of(bytes::behind_version)),
        Type::Bits => Box::new(bytes::Text::of(bytes::bits)),
        Type::Mac(_) => Box::new(bytes::Text::of(bytes::mac)),
        Type::Vector => Box::new(nested::Floats::default()),
        Type::Named(_, inner) => return plain(inner),
        other => return scalar::cells(other),
    })
}
