//! The awaitable.
use crate::event_loop::bridge::Bridge;
use crate::event_loop::completion::resume;
use crate::event_loop::operation::Ticket;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// An operation that has been started. Awaiting it returns its result; dropping it cancels it.
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
        match self.step(py)? {
            Step::Yield(future) => Ok(future),
            Step::Return(value) => Err(returned(py, value)),
        }
    }

    /// Whether the result is there.
    fn done(&self) -> bool {
        self.ticket.with(|p| p.done)
    }

    /// The task that awaits this was cancelled and must have its end all the same: no long silence is put up with.
    fn hurry(&self) {
        self.ticket.reply.hurry();
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

/// What one step of the awaitable gives.
enum Step {
    Yield(Py<PyAny>),
    Return(Py<PyAny>),
}

impl Op {
    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        if self.ticket.with(|p| p.done) {
            if self.ticket.with(|p| std::mem::take(&mut p.breathe)) {
                return Ok(Step::Yield(py.None())); // answered at once too often in a row: let the loop run
            }
            return resume(py, &self.ticket).map(Step::Return);
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
            return resume(py, &self.ticket).map(Step::Return);
        }
        Ok(Step::Yield(future.unbind()))
    }

    /// Lets `await` take the result without an exception in between: the slot `am_send` of the class, which PyO3 does not
    /// fill (Python/C API, "Async Object Structures").
    pub fn returns_without_exception(py: Python<'_>) {
        let class = py.get_type::<Self>().as_type_ptr();
        // SAFETY: attached, before any instance exists; the class has `__await__`, so the structure is there.
        unsafe {
            if let Some(slots) = (*class).tp_as_async.as_mut() {
                slots.am_send = Some(send);
            }
        }
    }
}

/// `__next__` for `await`: the value comes by `result`, whether it is yielded or returned.
///
/// # Safety
/// Only the interpreter calls it, with the arguments of a `sendfunc`: `op` is a live `Op`, `result` is writable.
unsafe extern "C" fn send(op: *mut PyObject, _: *mut PyObject, result: *mut *mut PyObject) -> ffi::PySendResult {
    Python::attach(|py| {
        // SAFETY: a slot of the class is only called with its instances.
        let op = unsafe { Bound::from_borrowed_ptr(py, op).cast_into_unchecked::<Op>() };
        let stepped = catch_unwind(AssertUnwindSafe(|| op.get().step(py)));
        let stepped = stepped.unwrap_or_else(|_| Err(PyRuntimeError::new_err("a fault of data-bridge")));
        let (value, how) = match stepped {
            Ok(Step::Yield(future)) => (future.into_ptr(), ffi::PySendResult::PYGEN_NEXT),
            Ok(Step::Return(value)) => (value.into_ptr(), ffi::PySendResult::PYGEN_RETURN),
            Err(e) => {
                e.restore(py);
                (std::ptr::null_mut(), ffi::PySendResult::PYGEN_ERROR)
            }
        };
        // SAFETY: the caller gives a place for one reference.
        unsafe { *result = value };
        how
    })
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
