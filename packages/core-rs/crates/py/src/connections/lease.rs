//! A connection with one owner, as Python sees it.
use crate::connections::pool::{Prepared, deadline, prepare};
use crate::event_loop::bridge::Bridge;
use crate::event_loop::future::Op;
use crate::event_loop::operation::{Progress, Ticket};
use crate::rows::load_plan::LoadPlan;
use crate::statements::session_effects::script_effect;
use crate::statements::text::without_copy;
use data_bridge_driver::connection::Work;
use data_bridge_driver::connection::effect::Effect;
use data_bridge_driver::{Lease, Reply, Shield, Status, Step, event_loop::fork};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

/// A connection with one owner. Statements on it queue; dropping it rolls back and gives the connection back.
#[pyclass(frozen, weakref, name = "Lease", module = "data_bridge.core._native")]
pub struct PyLease {
    /// The driver's half.
    pub lease: Arc<Lease>,
    /// Where it runs.
    pub bridge: Py<Bridge>,
}

impl Drop for PyLease {
    fn drop(&mut self) {
        if self.lease.home.born == fork::count() && !matches!(self.lease.status(), Status::Closed | Status::New) {
            self.lease.abandon();
        }
    }
}

impl PyLease {
    fn step(&self, py: Python<'_>, step: Step, timeout: Option<f64>, shield: Shield) -> PyResult<Op> {
        let reply = Reply::new(deadline(py, timeout)?, shield);
        let ticket = Ticket::new(reply.clone(), None, None, self.lease.pool.id, Progress::default());
        let task = Box::pin(self.lease.clone().run(step, reply));
        Bridge::start(self.bridge.bind(py), task, ticket)
    }
}

#[pymethods]
impl PyLease {
    /// One statement.
    #[pyo3(signature = (ir, params, load, into=None, timeout=None, timed=false))]
    fn run(
        &self,
        ir: &Bound<'_, PyTuple>,
        params: &Bound<'_, PyTuple>,
        load: &Bound<'_, LoadPlan>,
        into: Option<Py<PyAny>>,
        timeout: Option<f64>,
        timed: bool,
    ) -> PyResult<Op> {
        let py = ir.py();
        let Prepared { ticket, work, effect } = prepare(&self.lease.pool, ir, params, load, into, timeout, timed)?;
        let task = Box::pin(self.lease.clone().run(Step::Statement(work, effect), ticket.reply.clone()));
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// One or more statements by the simple protocol; returns the number of affected rows. `soils`: they are not the
    /// library's own and may change the session.
    #[pyo3(signature = (sql, timeout=None, shielded=false, soils=true))]
    fn script(&self, py: Python<'_>, sql: &str, timeout: Option<f64>, shielded: bool, soils: bool) -> PyResult<Op> {
        if soils {
            without_copy(py, sql)?;
        }
        let shield = if shielded { Shield::Whole } else { Shield::No };
        let reply = Reply::new(deadline(py, timeout)?, shield);
        let load = Some(Py::new(py, LoadPlan::counting(py))?);
        let ticket = Ticket::new(reply.clone(), None, load, self.lease.pool.id, Progress::default());
        let work = Work::Simple(sql.into());
        let effect = if soils { script_effect(sql) } else { Effect::default() };
        let task = Box::pin(self.lease.clone().run(Step::Statement(work, effect), reply));
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// The OIDs of the types of a statement's parameters; the statement is not run.
    #[pyo3(signature = (sql, timeout=None))]
    fn describe(&self, py: Python<'_>, sql: &str, timeout: Option<f64>) -> PyResult<Op> {
        let reply = Reply::new(deadline(py, timeout)?, Shield::No);
        let load = Some(Py::new(py, LoadPlan::counting(py))?);
        let ticket = Ticket::new(reply.clone(), None, load, self.lease.pool.id, Progress::default());
        let step = Step::Statement(Work::Describe(sql.into()), Effect::default());
        Bridge::start(self.bridge.bind(py), Box::pin(self.lease.clone().run(step, reply)), ticket)
    }

    /// Takes a connection, if there is none.
    #[pyo3(signature = (timeout=None))]
    fn take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Op> {
        self.step(py, Step::Take, timeout, Shield::No)
    }

    /// Starts a transaction with the given BEGIN.
    #[pyo3(signature = (sql, timeout=None))]
    fn begin(&self, py: Python<'_>, sql: &str, timeout: Option<f64>) -> PyResult<Op> {
        self.step(py, Step::Begin(sql.into()), timeout, Shield::No)
    }

    /// Ends the transaction; `keep` keeps the connection.
    #[pyo3(signature = (*, keep=false))]
    fn commit(&self, py: Python<'_>, keep: bool) -> PyResult<Op> {
        self.step(py, Step::Commit(keep), None, Shield::Whole)
    }

    /// Ends the transaction; `keep` keeps the connection.
    #[pyo3(signature = (*, keep=false))]
    fn rollback(&self, py: Python<'_>, keep: bool) -> PyResult<Op> {
        self.step(py, Step::Rollback(keep), None, Shield::Brief)
    }

    /// ROLLBACK TO a savepoint. Its transaction goes on, so that the server is asked before a silence ends it.
    fn rollback_to(&self, py: Python<'_>, sql: &str) -> PyResult<Op> {
        let op = self.step(py, Step::RollbackTo(sql.into()), None, Shield::Whole)?;
        op.ticket.reply.hurry();
        Ok(op)
    }

    /// Gives the connection back, rolled back if need be.
    fn give_back(&self, py: Python<'_>) -> PyResult<Op> {
        self.step(py, Step::GiveBack, None, Shield::Brief)
    }

    /// Closes the connection, so that it is not handed out again.
    fn discard(&self, py: Python<'_>) -> PyResult<Op> {
        self.step(py, Step::Discard, None, Shield::Brief)
    }

    /// Says that on_connect has seen the connection, until its session is reset.
    fn greet(&self, py: Python<'_>) -> PyResult<Op> {
        self.step(py, Step::Greet, None, Shield::Brief)
    }

    /// Whether on_connect has seen the connection.
    #[getter]
    fn is_greeted(&self) -> bool {
        self.lease.is_greeted()
    }

    /// The same without a caller that waits for it.
    fn abandon(&self) {
        self.lease.abandon();
    }

    /// Where it lives.
    #[getter]
    fn bridge(&self, py: Python<'_>) -> Py<Bridge> {
        self.bridge.clone_ref(py)
    }

    /// "new", "idle", "active", "failed" or "closed".
    #[getter]
    fn status(&self) -> &'static str {
        match self.lease.status() {
            Status::New => "new",
            Status::Idle => "idle",
            Status::Active => "active",
            Status::Failed => "failed",
            Status::Closed => "closed",
        }
    }
}
