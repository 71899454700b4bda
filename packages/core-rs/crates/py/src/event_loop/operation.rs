//! An operation as the event loop's side sees it.
use crate::rows::columns::Columns;
use crate::rows::frame::Growing;
use crate::rows::load_plan::LoadPlan;
use crate::statements::plan::Plan;
use data_bridge_driver::{Described, Error, PgRow, Reply, Told, Typed};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex};

/// What the operation still needs, and what it has.
#[derive(Default)]
pub struct Progress {
    /// Parameters that wait for their types.
    pub params: Option<Py<PyTuple>>,
    /// The instance that RETURNING goes into.
    pub into: Option<Py<PyAny>>,
    /// The list, or the value.
    pub out: Option<Py<PyAny>>,
    /// The reason why there is none.
    pub error: Option<PyErr>,
    /// Rows whose decoding runs the user's code.
    pub kept: Vec<PgRow>,
    /// The columns that the server described, for a frame.
    pub framed: Option<Arc<[Described]>>,
    /// The frame, while its rows are coming.
    pub frame: Option<Growing>,
    /// Decoders of this result.
    pub columns: Option<Arc<Columns>>,
    /// The types of a statement's parameters, when they were all that was wanted.
    pub described: Option<Arc<[Typed]>>,
    /// Rows affected.
    pub affected: u64,
    /// Rows decoded.
    pub rows: usize,
    /// Whether there is nothing more to come.
    pub done: bool,
    /// The future that a task waits for, and its loop.
    pub future: Option<(Py<PyAny>, Py<PyAny>, u64)>,
    /// Answered at once too often in a row: let the loop run first.
    pub breathe: bool,
    /// Seconds before a connection was had, on the wire, decoding.
    pub seconds: Option<(f64, f64, f64)>,
    /// When it was asked for.
    pub asked: Option<std::time::Instant>,
}

/// See the module.
pub struct Ticket {
    /// Shared with the future.
    pub reply: Arc<Reply>,
    /// The statement, if it is one.
    pub plan: Option<Py<Plan>>,
    /// What becomes of its rows.
    pub load: Option<Py<LoadPlan>>,
    /// The pool.
    pub pool: u64,
    /// Touched only with the interpreter attached, and never held across a call into Python.
    pub progress: Mutex<Progress>,
}

impl Ticket {
    /// For an operation that starts.
    pub fn new(
        reply: Arc<Reply>,
        plan: Option<Py<Plan>>,
        load: Option<Py<LoadPlan>>,
        pool: u64,
        progress: Progress,
    ) -> Arc<Self> {
        Arc::new(Self { reply, plan, load, pool, progress: Mutex::new(progress) })
    }

    /// Short access to the progress.
    pub fn with<R>(&self, f: impl FnOnce(&mut Progress) -> R) -> R {
        f(&mut self.progress.lock().expect("an operation's progress"))
    }
}

impl Told for Ticket {
    fn gone(&self) {
        // What went wrong stands on standard error: its text may show values.
        let message = "a fault of data-bridge ended the operation; standard error tells where".to_owned();
        self.reply.finish(Err(Error::Protocol(message)));
    }
}
