//! COPY … FROM STDIN of a data frame: the batches of a foreign stream of Arrow to the binary format.
use crate::connections::copy::{CopyWriter, column_types};
use crate::event_loop::future::Op;
use data_bridge_frames::copy::Stop;
use data_bridge_frames::{CopyColumn, FrameCopy};
use data_bridge_wire::Type;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Mutex;

/// The batches of a data frame, on their way into a table.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct FrameReader(Mutex<FrameCopy>);

impl FrameReader {
    fn copy(&self) -> std::sync::MutexGuard<'_, FrameCopy> {
        self.0.lock().expect("a data frame")
    }
}

fn refused(py: Python<'_>, message: String) -> PyErr {
    crate::errors::named(py, "EncodeError", message)
}

#[pymethods]
impl FrameReader {
    /// Takes over the stream of a capsule of the Arrow PyCapsule interface.
    #[new]
    fn new(py: Python<'_>, capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        // SAFETY: by the interface a capsule of this name holds a stream, which its consumer moves out of it.
        let copy = unsafe { FrameCopy::over(stream.as_ptr().cast()) };
        Ok(Self(Mutex::new(copy.map_err(|e| refused(py, format!("the data is not a stream of record batches: {e}")))?)))
    }

    /// The names of its columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.copy().names()
    }

    /// Whether a column has structs in it, whose fields may have modifiers.
    #[getter]
    fn has_structs(&self) -> bool {
        self.copy().has_structs()
    }

    /// Rows encoded so far.
    #[getter]
    fn rows(&self) -> u64 {
        self.copy().rows()
    }

    /// Says which columns are written: the name, type (its OID) and modifier of each, and where the stream has its values.
    /// `asked` is as for a CopyEncoder; `fields` are the modifiers of fields: OID of a composite type, name and modifier.
    #[pyo3(signature = (columns, asked=None, *, fields=vec![], nan_is_null=false))]
    fn aim(
        &self,
        py: Python<'_>,
        columns: Vec<(String, u32, i32, usize)>,
        asked: Option<&Op>,
        fields: Vec<(u32, String, i32)>,
        nan_is_null: bool,
    ) -> PyResult<()> {
        let types = column_types(py, columns.iter().map(|(name, oid, ..)| (name.clone(), *oid)).collect(), asked)?;
        let made = types.into_iter().zip(columns).map(|((name, typed), (_, _, modifier, at))| {
            if matches!(typed.layout, Type::Registered(..)) {
                let message = format!("{name} ({}): a data frame has no values of a registered type", typed.name);
                return Err(refused(py, message));
            }
            Ok(CopyColumn {
                name,
                type_name: typed.name.to_string(),
                oid: typed.oid,
                layout: typed.layout,
                modifier,
                at,
            })
        });
        let made = made.collect::<PyResult<_>>()?;
        let fields = fields.into_iter().map(|(oid, name, modifier)| ((oid, name), modifier)).collect();
        self.copy().aim(made, fields, nan_is_null).map_err(|message| refused(py, message))
    }
}

#[pymethods]
impl CopyWriter {
    /// Hands over the next rows of a data frame, and waits while the server is behind; None behind the last.
    fn put_frame(&self, py: Python<'_>, frame: &Bound<'_, FrameReader>) -> PyResult<Option<Op>> {
        let reader = frame.get();
        // Detached: the producer may need the interpreter in threads of its own.
        match py.detach(|| reader.copy().chunk()) {
            Ok(Some(chunk)) => self.start(py, chunk).map(Some),
            Ok(None) => Ok(None),
            Err(Stop::Misfit(message)) => Err(refused(py, message)),
            Err(Stop::Source(message)) => Err(refused(py, format!("the data could not be read: {message}"))),
        }
    }
}
