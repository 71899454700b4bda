//! COPY as Python sees it: rows to the binary format, chunks in both directions.
use crate::codec::encode::value_of_copy;
use crate::connections::lease::PyLease;
use crate::connections::pool::deadline;
use crate::env::env;
use crate::event_loop::bridge::Bridge;
use crate::event_loop::future::Op;
use crate::event_loop::operation::{Progress, Ticket};
use crate::rows::load_plan::LoadPlan;
use crate::statements::session_effects::{effect, names};
use data_bridge_driver::connection::Work;
use data_bridge_driver::connection::copy::{CopyIn, CopyOut};
use data_bridge_driver::connection::effect::Effect;
use data_bridge_driver::{Reply, Shield, Step, Typed};
use data_bridge_wire::Type;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use std::sync::{Arc, Mutex};

/// What a binary COPY begins with (PostgreSQL manual, "COPY", "Binary Format").
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Turns rows into the binary format of COPY.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct CopyEncoder {
    columns: Vec<(String, Typed)>,
    /// Where mappings and instances have the values of the columns.
    names: Vec<(Py<PyString>, Py<PyString>)>,
    /// Whether what data frames put for a value that is missing is NULL, besides None.
    nan_is_null: bool,
    progress: Mutex<Written>,
}

/// How much was encoded.
#[derive(Clone, Copy, Default)]
struct Written {
    rows: u64,
    bytes: u64,
}

impl CopyEncoder {
    /// Appends some rows: sequences in the order of the columns, mappings by their names, or instances; the first call writes
    /// the header before them.
    fn encode(&self, rows: &Bound<'_, PyList>) -> PyResult<Vec<u8>> {
        let py = rows.py();
        let env = env(py)?;
        let mut written = self.progress.lock().expect("the progress of a COPY");
        let width = (self.columns.len() as i16).to_be_bytes();
        let each = (written.bytes / written.rows.max(1)).max(self.columns.len() as u64 * 16);
        let mut out = Vec::with_capacity(rows.len() * each as usize + each as usize);
        if written.rows == 0 {
            out.extend(HEADER);
        }
        for row in rows.iter() {
            let number = written.rows;
            let tuple = row.cast::<PyTuple>().ok();
            let list = row.cast::<PyList>().ok();
            if let Some(given) = tuple.map(PyTupleMethods::len).or(list.map(PyListMethods::len))
                && given != self.columns.len()
            {
                let message = format!("row {number}: {given} values for {} columns", self.columns.len());
                return Err(crate::errors::named(py, "EncodeError", message));
            }
            if let Some(tuple) = tuple.filter(|_| !self.nan_is_null) {
                out.extend_from_slice(&width);
                for (item, (column, typed)) in tuple.iter_borrowed().zip(&self.columns) {
                    value_of_copy(py, env, number, column, typed, &item, &mut out)?;
                }
                written.rows += 1;
                continue;
            }
            let dict = if tuple.is_none() && list.is_none() { row.cast::<PyMapping>().ok() } else { None };
            out.extend_from_slice(&width);
            for (i, (column, typed)) in self.columns.iter().enumerate() {
                let mut put = |item: &Bound<'_, PyAny>| {
                    if self.nan_is_null && is_missing(item)? {
                        return value_of_copy(py, env, number, column, typed, py.None().bind(py), &mut out);
                    }
                    value_of_copy(py, env, number, column, typed, item, &mut out)
                };
                if let Some(tuple) = tuple {
                    put(&*tuple.get_borrowed_item(i)?)?;
                    continue;
                }
                let (name, key) = &self.names[i];
                let item = match (list, dict) {
                    (Some(list), _) => list.get_item(i),
                    (None, Some(dict)) => dict.get_item(name.bind(py)),
                    (None, None) => row.getattr(key.bind(py)),
                };
                let item = item.map_err(|e| {
                    let kind = row.get_type().name().map_or_else(|_| String::new(), |n| n.to_string());
                    let message = format!("row {number}: {kind} has no value for {column}");
                    let made = crate::errors::named(py, "EncodeError", message);
                    made.set_cause(py, Some(e));
                    made
                })?;
                put(&item)?;
            }
            written.rows += 1;
        }
        written.bytes += out.len() as u64;
        Ok(out)
    }
}

/// Whether a value stands for one that is missing, as data frames write it: a NaN of any kind, NaT or pandas' NA.
fn is_missing(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return Ok(number.value().is_nan());
    }
    if value.is_none() || value.is_instance_of::<PyString>() || value.is_instance_of::<PyInt>() {
        return Ok(false);
    }
    if value.get_type().name()? == "NAType" {
        return Ok(true); // compared with itself it is NA, which has no truth value
    }
    // Only a value that is not a number is unequal to itself; what answers with an array has no truth value.
    let Ok(unequal) = value.rich_compare(value, CompareOp::Ne) else {
        // A signalling NaN of decimal raises when it is compared.
        return Ok(value.call_method0("is_nan").and_then(|nan| nan.is_truthy()).unwrap_or(false));
    };
    let kind = unequal.get_type().name()?;
    Ok((kind == "bool" || kind == "bool_") && unequal.is_truthy()?)
}

/// The types of columns, from their OIDs. `asked` has described a statement with one parameter of the type of every column;
/// only needed where [`CopyEncoder::knows`] says no.
pub fn column_types(py: Python<'_>, columns: Vec<(String, u32)>, asked: Option<&Op>) -> PyResult<Vec<(String, Typed)>> {
    let asked =
        asked.and_then(|op| op.ticket.with(|p| p.described.clone())).filter(|types| types.len() == columns.len());
    let typed = |i: usize, oid: u32| match Type::built_in(oid) {
        Some(layout) => Some(Typed { oid, layout, name: Type::name(oid).unwrap_or_default().into() }),
        None => Some(asked.as_ref()?[i].clone()),
    };
    let columns = columns.into_iter().enumerate().map(|(i, (column, oid))| match typed(i, oid) {
        Some(Typed { layout: Type::Unknown(name), .. }) => {
            let message = format!("{column} ({name}): COPY has no encoder for this type; use insert statements");
            Err(crate::errors::named(py, "EncodeError", message))
        }
        Some(typed) => Ok((column, typed)),
        None => Err(PyTypeError::new_err("the server was not asked about a type")),
    });
    columns.collect()
}

#[pymethods]
impl CopyEncoder {
    /// Name and type (its OID) of every column, and where mappings and instances have its value. `asked` has described a
    /// statement with one parameter of the type of every column; only needed where [`Self::knows`] says no.
    #[new]
    #[pyo3(signature = (columns, keys, asked=None, *, nan_is_null=false))]
    fn new(
        py: Python<'_>,
        columns: Vec<(String, u32)>,
        keys: Vec<String>,
        asked: Option<&Op>,
        nan_is_null: bool,
    ) -> PyResult<Self> {
        if keys.len() != columns.len() {
            return Err(PyTypeError::new_err("one key for each column"));
        }
        let intern = |text: &str| PyString::intern(py, text).unbind();
        let names = columns.iter().zip(&keys).map(|((column, _), key)| (intern(column), intern(key))).collect();
        let columns = column_types(py, columns, asked)?;
        Ok(Self { columns, names, nan_is_null, progress: Mutex::default() })
    }

    /// Whether values of the type can be encoded without asking the server what is in it.
    #[staticmethod]
    fn knows(oid: u32) -> bool {
        Type::built_in(oid).is_some()
    }

    /// What a binary COPY ends with.
    fn trailer(&self, py: Python<'_>) -> Py<PyBytes> {
        let rows = self.progress.lock().expect("the progress of a COPY").rows;
        let header: &[u8] = if rows == 0 { HEADER } else { b"" };
        PyBytes::new(py, &[header, &(-1i16).to_be_bytes()].concat()).unbind()
    }

    /// Rows and bytes encoded so far.
    #[getter]
    fn written(&self) -> (u64, u64) {
        let written = *self.progress.lock().expect("the progress of a COPY");
        (written.rows, written.bytes)
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
    /// Hands over rows; waits while the server is behind.
    fn put_rows(&self, encoder: &Bound<'_, CopyEncoder>, rows: &Bound<'_, PyList>) -> PyResult<Op> {
        self.start(rows.py(), encoder.get().encode(rows)?)
    }

    /// Hands over bytes as they are; waits while the server is behind.
    fn put_chunk(&self, py: Python<'_>, chunk: &[u8]) -> PyResult<Op> {
        self.start(py, chunk.to_vec())
    }

    /// `last` ends what was sent.
    fn finish(&self, last: &[u8]) {
        self.pipe.finish(last.to_vec());
    }

    /// Everything that was sent is thrown away.
    fn fail(&self, reason: String) {
        self.pipe.end(Err(reason));
    }
}

impl CopyWriter {
    /// Hands over a chunk.
    pub fn start(&self, py: Python<'_>, chunk: Vec<u8>) -> PyResult<Op> {
        let reply = Reply::new(None, Shield::No);
        // The loop gets a turn after every chunk: it leaves while the next one is made.
        let progress = Progress { breathe: true, ..Progress::default() };
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, progress);
        let pipe = self.pipe.clone();
        let task = Box::pin(async move {
            pipe.put(chunk, &reply).await;
            reply.finish(Ok(()));
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
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
        let reply = Reply::new(None, Shield::No);
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
    #[pyo3(signature = (sql, timeout=None))]
    fn copy_in(&self, py: Python<'_>, sql: &str, timeout: Option<f64>) -> PyResult<(CopyWriter, Op)> {
        let pipe = Arc::new(CopyIn::default());
        let op = self.copying(py, sql, Work::CopyIn(sql.into(), pipe.clone()), timeout)?;
        Ok((CopyWriter { pipe, bridge: self.bridge.clone_ref(py), pool: self.lease.pool.id }, op))
    }

    /// Starts a COPY … TO STDOUT: where chunks come from, and the operation that ends with it.
    #[pyo3(signature = (sql, timeout=None))]
    fn copy_out(&self, py: Python<'_>, sql: &str, timeout: Option<f64>) -> PyResult<(CopyReader, Op)> {
        let pipe = Arc::new(CopyOut::default());
        let op = self.copying(py, sql, Work::CopyOut(sql.into(), pipe.clone()), timeout)?;
        Ok((
            CopyReader { pipe, chunk: Arc::default(), bridge: self.bridge.clone_ref(py), pool: self.lease.pool.id },
            op,
        ))
    }
}

impl PyLease {
    fn copying(&self, py: Python<'_>, sql: &str, work: Work, timeout: Option<f64>) -> PyResult<Op> {
        let reply = Reply::new(deadline(py, timeout)?, Shield::No);
        // Triggers of the table, or functions of the query, may change the session.
        let effect = Effect { undecided: Some(names(sql).collect()), ..effect(sql, "copy") };
        let load = Py::new(py, LoadPlan::counting(py))?;
        let ticket = Ticket::new(reply.clone(), None, Some(load), self.lease.pool.id, Progress::default());
        let task = Box::pin(self.lease.clone().run(Step::Statement(work, effect), reply));
        Bridge::start(self.bridge.bind(py), task, ticket)
    }
}
