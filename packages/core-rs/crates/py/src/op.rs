//! The awaitable.
use crate::bridge::Bridge;
use crate::drain::resume;
use crate::ticket::Ticket;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::Arc;

/// An operation that has been started. Awaiting it gives its result; dropping it cancels it.
///
/// Its first step yields a real `asyncio.Future`, so that a task waits for it without any Python code in between.
#[pyclass(frozen, freelist = 256, module = "data_bridge.core._native")]
pub struct Op {
    /// Shared with the driver.
    pub ticket: Arc<Ticket>,
    /// Where it runs.
    pub bridge: Py<Bridge>,
}

impl Drop for Op {
    fn drop(&mut self) {
        // In whatever thread: a mark and a note, no lock of the executor.
        if !self.ticket.with(|p| p.done) {
            self.ticket.reply.abandon();
        }
    }
}

#[pymethods]
impl Op {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.ticket.with(|p| p.done) {
            if self.ticket.with(|p| std::mem::take(&mut p.breathe)) {
                return Ok(py.None()); // answered at once too often in a row: let the loop run
            }
            return Err(returned(py, resume(py, &self.ticket)?));
        }
        let waited_for = self.ticket.with(|p| p.future.as_ref().map(|(f, _, _)| f.clone_ref(py)));
        if let Some(f) = waited_for
            && !f.call_method0(py, pyo3::intern!(py, "done"))?.extract::<bool>(py)?
        {
            return Err(PyRuntimeError::new_err("this operation is awaited by another task already"));
        }
        let (future, event_loop) = Bridge::future(self.bridge.bind(py))?;
        future.setattr(pyo3::intern!(py, "_asyncio_future_blocking"), true)?;
        let thread = crate::ready_thread();
        let stored = (future.clone().unbind(), event_loop, thread);
        let before = self.ticket.with(|p| p.future.replace(stored));
        drop(before);
        // Making the future ran Python code: a thread that shares the bridge may have had the answer meanwhile and found
        // no future to set.
        if self.ticket.with(|p| p.done) {
            let unneeded = self.ticket.with(|p| p.future.take());
            drop(unneeded);
            return Err(returned(py, resume(py, &self.ticket)?));
        }
        Ok(future.unbind())
    }

    /// Whether the result is there.
    fn done(&self) -> bool {
        self.ticket.with(|p| p.done)
    }

    /// The result of a finished operation; raises its exception.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if !self.done() {
            return Err(PyRuntimeError::new_err("the operation has not ended"));
        }
        resume(py, &self.ticket)
    }

    /// Seconds in the queue, on the wire and decoding, of a finished operation that was timed.
    #[getter]
    fn seconds(&self) -> Option<(f64, f64, f64)> {
        self.ticket.with(|p| p.seconds)
    }

    /// Rows decoded, or affected where there were none.
    #[getter]
    fn row_count(&self) -> u64 {
        self.ticket.with(|p| if p.rows > 0 { p.rows as u64 } else { p.affected })
    }
}

/// `StopIteration(value)`, the way in which an awaitable returns.
fn returned(py: Python<'_>, value: Py<PyAny>) -> PyErr {
    // SAFETY: attached. A tuple would be taken for the arguments of the exception.
    unsafe {
        if ffi::PyTuple_Check(value.as_ptr()) != 0 || ffi::PyExceptionInstance_Check(value.as_ptr()) != 0 {
            return PyStopIteration::new_err((value,));
        }
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value.as_ptr());
    }
    PyErr::fetch(py)
}
