//! Results that stay columns: no Python object is made of any value.
use crate::rows::columns::bytes;
use data_bridge_driver::{Column as _, Described, PgRow, Row as _, types};
use data_bridge_frames::frame::Label;
use data_bridge_frames::{Frame, FrameBuilder, Numerics, Options};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Arc;

/// The names that the Arrow PyCapsule interface gives its capsules.
const STREAM: &std::ffi::CStr = c"arrow_array_stream";
const SCHEMA: &std::ffi::CStr = c"arrow_schema";

/// How the rows of a statement become a frame.
pub struct Framing {
    options: Options,
    /// Names of the columns; those of the server when empty.
    names: Vec<String>,
    /// A result of the same cursor, whose columns these rows have too.
    like: Option<Py<PyFrame>>,
}

impl Framing {
    /// With what the caller decided; see `LoadPlan.arrow`.
    pub fn new(numeric: &Bound<'_, PyAny>, names: Vec<String>, like: Option<Py<PyFrame>>) -> PyResult<Self> {
        Ok(Self { options: Options { numeric: numerics(numeric)? }, names, like })
    }

    /// Whether the server must be asked for the columns.
    pub fn describes(&self) -> bool {
        self.like.is_none()
    }

    /// A frame without rows, for the columns that the server described.
    pub fn start(&self, py: Python<'_>, described: Option<Arc<[Described]>>) -> PyResult<Growing> {
        let described = match &self.like {
            Some(like) => like.bind(py).get().described.clone(),
            None => described.unwrap_or_else(|| Arc::new([])),
        };
        if !self.names.is_empty() && self.names.len() != described.len() {
            let message = format!("the result has {} columns, not {}", described.len(), self.names.len());
            return Err(crate::errors::named(py, "DecodeError", message));
        }
        let names: Vec<&str> = if self.names.is_empty() {
            described.iter().map(|d| &*d.name).collect()
        } else {
            self.names.iter().map(String::as_str).collect()
        };
        no_name_twice(py, &names)?;
        let columns: Vec<_> = names
            .iter()
            .zip(described.iter())
            .map(|(name, d)| (*name, &d.form, Label { name: (*name).to_owned(), of: d.typed.name.to_string() }))
            .collect();
        let builder = FrameBuilder::new(&columns, &self.options);
        let builder = builder.map_err(|message| crate::errors::named(py, "DecodeError", message))?;
        Ok(Growing { builder, described })
    }
}

/// What a numeric without a precision becomes: "text", "float", or precision and scale of a decimal.
fn numerics(given: &Bound<'_, PyAny>) -> PyResult<Numerics> {
    if let Ok((precision, scale)) = given.extract::<(u8, i8)>()
        && (1..=76).contains(&precision)
        && (0..=precision as i8).contains(&scale)
    {
        return Ok(Numerics::Decimal(precision, scale));
    }
    match given.extract::<String>().as_deref() {
        Ok("text") => Ok(Numerics::Text),
        Ok("float") => Ok(Numerics::Float),
        _ => {
            let message = format!(
                "numeric={} is not text, float, or a precision (1 to 76) and a scale (0 to the precision)",
                given.repr()?
            );
            Err(crate::errors::named(given.py(), "ConfigurationError", message))
        }
    }
}

/// Most libraries lose one of two columns that have one name.
fn no_name_twice(py: Python<'_>, names: &[&str]) -> PyResult<()> {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) else { return Ok(()) };
    let message = format!("the result has two columns named {}: give one another name with AS", twice[0]);
    Err(crate::errors::named(py, "DecodeError", message))
}

/// A frame whose rows are still coming.
pub struct Growing {
    builder: FrameBuilder,
    described: Arc<[Described]>,
}

impl Growing {
    /// Takes rows.
    pub fn push(&mut self, py: Python<'_>, rows: &[PgRow]) -> PyResult<()> {
        let refuse = |message: String| crate::errors::named(py, "DecodeError", message);
        let Some(first) = rows.first() else { return Ok(()) };
        let fits = first.columns().len() == self.builder.width()
            && first.columns().iter().zip(self.described.iter()).all(|(c, d)| types::oid(c.type_info()) == d.typed.oid);
        if !fits {
            return Err(refuse("the result has other columns than were described; run the statement again".into()));
        }
        rows.iter().try_for_each(|row| self.builder.push(|i| bytes(row, i)).map_err(refuse))
    }

    /// The frame.
    pub fn finish(self, py: Python<'_>) -> PyResult<PyFrame> {
        let frame = self.builder.finish().map_err(|message| crate::errors::named(py, "DecodeError", message))?;
        Ok(PyFrame { frame, described: self.described })
    }
}

/// The rows of a result as columns of Arrow.
#[pyclass(frozen, name = "Frame", module = "data_bridge.core._native")]
pub struct PyFrame {
    frame: Frame,
    described: Arc<[Described]>,
}

#[pymethods]
impl PyFrame {
    /// The stream of the Arrow PyCapsule interface; the buffers are shared, not copied.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // What is asked for is a wish, which may be left aside (Arrow PyCapsule interface).
        let _ = requested_schema;
        PyCapsule::new_with_value(py, self.frame.stream(), STREAM)
    }

    /// The schema of the Arrow PyCapsule interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = self.frame.foreign_schema();
        PyCapsule::new_with_value(py, schema.map_err(pyo3::exceptions::PyRuntimeError::new_err)?, SCHEMA)
    }

    fn __len__(&self) -> usize {
        self.frame.rows()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.frame.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Bytes of the buffers.
    #[getter]
    fn nbytes(&self) -> usize {
        self.frame.bytes()
    }
}
