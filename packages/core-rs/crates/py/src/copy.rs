//! COPY as Python sees it: rows to the binary format, chunks in both directions.
use crate::bridge::Bridge;
use crate::encode::value_of_copy;
use crate::env::env;
use crate::lease::PyLease;
use crate::load::LoadPlan;
use crate::op::Op;
use crate::ticket::{Progress, Ticket};
use data_bridge_driver::connection::Work;
use data_bridge_driver::copying::{CopyIn, CopyOut};
use data_bridge_driver::{Reply, Step, Typed};
use data_bridge_wire::Type;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PySequence};
use std::sync::{Arc, Mutex};

/// What a binary COPY begins with (PostgreSQL manual, "COPY", "Binary Format").
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

type Described = (String, u32, String, bool, Option<u32>, Option<String>, Option<bool>);

fn layout(oid: u32, name: &str, is_enum: bool) -> Option<Type> {
    if is_enum { Some(Type::Text) } else { Type::built_in(oid).or_else(|| Type::of_extension(name)) }
}

/// Turns rows into the binary format of COPY.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct CopyEncoder {
    columns: Vec<(String, Typed)>,
    rows: Mutex<u64>,
}

#[pymethods]
impl CopyEncoder {
    /// Name, OID, name of the type and whether it is an enum of every column; then the same of the elements of an array.
    #[new]
    fn new(py: Python<'_>, columns: Vec<Described>) -> PyResult<Self> {
        let columns = columns
            .into_iter()
            .map(|(column, oid, name, is_enum, element, element_name, element_is_enum)| {
                let layout = layout(oid, &name, is_enum).or_else(|| {
                    let inner = layout(element?, &element_name?, element_is_enum?)?;
                    Some(Type::Array(element?, Arc::new(inner)))
                });
                let name: Arc<str> = Type::name(oid).unwrap_or(name).into();
                match layout {
                    Some(layout) => Ok((column, Typed { oid, layout, name })),
                    None => Err(crate::errors::named(
                        py,
                        "EncodeError",
                        format!("{column} ({name}): COPY has no encoder for this type; use insert statements"),
                    )),
                }
            })
            .collect::<PyResult<_>>()?;
        Ok(Self { columns, rows: Mutex::new(0) })
    }

    /// The bytes of some rows, which are sequences; the first call writes the header before them.
    fn encode(&self, py: Python<'_>, rows: &Bound<'_, PyList>) -> PyResult<Py<PyBytes>> {
        let env = env(py)?;
        let mut count = self.rows.lock().expect("the row counter");
        let mut out = Vec::with_capacity(rows.len() * self.columns.len() * 16);
        if *count == 0 {
            out.extend(HEADER);
        }
        for row in rows.iter() {
            let row = row.cast::<PySequence>().map_err(|_| {
                let kind = row.get_type().name().map_or_else(|_| String::new(), |n| n.to_string());
                crate::errors::named(
                    py,
                    "EncodeError",
                    format!("row {}: expected a sequence of values, got {kind}", *count),
                )
            })?;
            if row.len()? != self.columns.len() {
                let message = format!("row {}: {} values for {} columns", *count, row.len()?, self.columns.len());
                return Err(crate::errors::named(py, "EncodeError", message));
            }
            out.extend((self.columns.len() as i16).to_be_bytes());
            for (i, (column, typed)) in self.columns.iter().enumerate() {
                value_of_copy(py, env, *count, column, typed, &row.get_item(i)?, &mut out)?;
            }
            *count += 1;
        }
        Ok(PyBytes::new(py, &out).unbind())
    }

    /// What a binary COPY ends with.
    fn trailer(&self, py: Python<'_>) -> Py<PyBytes> {
        let header: &[u8] = if *self.rows.lock().expect("the row counter") == 0 { HEADER } else { b"" };
        PyBytes::new(py, &[header, &(-1i16).to_be_bytes()].concat()).unbind()
    }

    /// Rows encoded so far.
    #[getter]
    fn rows(&self) -> u64 {
        *self.rows.lock().expect("the row counter")
    }
}

/// COPY … FROM STDIN that runs.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct CopyWriter {
    pipe: Arc<CopyIn>,
    bridge: Py<Bridge>,
    pool: u64,
}

impl Drop for CopyWriter {
    fn drop(&mut self) {
        self.pipe.end(Err("the client went away".into()));
    }
}

#[pymethods]
impl CopyWriter {
    /// Hands over a chunk; waits while the server is behind.
    fn put(&self, py: Python<'_>, chunk: Vec<u8>) -> PyResult<Op> {
        let reply = Reply::new(None, false);
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, Progress::default());
        let pipe = self.pipe.clone();
        let task = Box::pin(async move {
            pipe.put(chunk, &reply).await;
            reply.finish(Ok(()));
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// Everything was sent.
    fn finish(&self) {
        self.pipe.end(Ok(()));
    }

    /// Everything that was sent is thrown away.
    fn fail(&self, reason: String) {
        self.pipe.end(Err(reason));
    }
}

/// COPY … TO STDOUT that runs.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct CopyReader {
    pipe: Arc<CopyOut>,
    chunk: Arc<Mutex<Option<Vec<u8>>>>,
    bridge: Py<Bridge>,
    pool: u64,
}

#[pymethods]
impl CopyReader {
    /// Waits for the next chunk.
    fn wait(&self, py: Python<'_>) -> PyResult<Op> {
        let reply = Reply::new(None, false);
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, Progress::default());
        let (pipe, place) = (self.pipe.clone(), self.chunk.clone());
        let task = Box::pin(async move {
            let chunk = pipe.take(&reply).await;
            *place.lock().expect("the chunk") = chunk;
            reply.finish(Ok(()));
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// The chunk that was waited for; None behind the last.
    fn take(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        self.chunk.lock().expect("the chunk").take().map(|c| PyBytes::new(py, &c).unbind())
    }
}

#[pymethods]
impl PyLease {
    /// Starts a COPY … FROM STDIN: where chunks go, and the operation that gives the number of rows.
    fn copy_in(&self, py: Python<'_>, sql: &str) -> PyResult<(CopyWriter, Op)> {
        let pipe = Arc::new(CopyIn::default());
        let op = self.copying(py, Work::CopyIn(sql.into(), pipe.clone()))?;
        Ok((CopyWriter { pipe, bridge: self.bridge.clone_ref(py), pool: self.lease.pool.id }, op))
    }

    /// Starts a COPY … TO STDOUT: where chunks come from, and the operation that ends with it.
    fn copy_out(&self, py: Python<'_>, sql: &str) -> PyResult<(CopyReader, Op)> {
        let pipe = Arc::new(CopyOut::default());
        let op = self.copying(py, Work::CopyOut(sql.into(), pipe.clone()))?;
        Ok((
            CopyReader { pipe, chunk: Arc::default(), bridge: self.bridge.clone_ref(py), pool: self.lease.pool.id },
            op,
        ))
    }
}

impl PyLease {
    fn copying(&self, py: Python<'_>, work: Work) -> PyResult<Op> {
        let reply = Reply::new(None, false);
        let load = Py::new(py, LoadPlan::counting(py))?;
        let ticket = Ticket::new(reply.clone(), None, Some(load), self.lease.pool.id, Progress::default());
        let task = Box::pin(self.lease.clone().run(Step::Statement(work), reply));
        Bridge::start(self.bridge.bind(py), task, ticket)
    }
}
