//! LISTEN as Python sees it.
use crate::event_loop::bridge::Bridge;
use crate::event_loop::future::Op;
use crate::event_loop::operation::{Progress, Ticket};
use data_bridge_driver::pool::Pool;
use data_bridge_driver::pool::listener::{Heard, Listening};
use data_bridge_driver::{Reply, Shield};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A subscription to some channels, on a connection of its own.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct Listener {
    listening: Arc<Listening>,
    bridge: Py<Bridge>,
    pool: u64,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.close();
    }
}

fn seconds(t: SystemTime) -> f64 {
    t.duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

impl Listener {
    /// Subscribes; `started()` tells whether it worked.
    pub fn make(py: Python<'_>, pool: &Arc<Pool>, channels: Vec<String>) -> PyResult<Self> {
        let bridge = Bridge::shared(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let listening = Arc::new(Listening::default());
        // On the runtime's own thread: the subscription goes on whichever loop runs, and holds no Python object.
        home.reactor.handle().spawn(listening.clone().run(pool.config.clone(), home.clone(), channels));
        pool.remember(&listening);
        Ok(Self { listening, bridge, pool: pool.id })
    }
}

#[pymethods]
impl Listener {
    /// Waits until the server has answered.
    fn started(&self, py: Python<'_>) -> PyResult<Op> {
        let reply = Reply::new(None, Shield::No);
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, Progress::default());
        let listening = self.listening.clone();
        let task = Box::pin(async move {
            let end = listening.started(&reply).await;
            reply.finish(end);
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// Waits until there is something to take, or the subscription has ended.
    fn wait(&self, py: Python<'_>) -> PyResult<Op> {
        let reply = Reply::new(None, Shield::No);
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, Progress::default());
        let listening = self.listening.clone();
        let task = Box::pin(async move {
            listening.heard(&reply).await;
            reply.finish(Ok(()));
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// The next item: `(channel, payload, pid)`, or `(since, until)` of a gap as seconds; None when there is none now.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        match self.listening.take() {
            None => Ok(None),
            Some(Heard::Notification(channel, payload, pid)) => (channel, payload, pid).into_pyobject(py).map(Some),
            Some(Heard::Gap(since, until)) => (seconds(since), seconds(until)).into_pyobject(py).map(Some),
        }
    }

    /// Whether nothing more will come.
    #[getter]
    fn is_over(&self) -> bool {
        self.listening.is_over()
    }

    /// Ends the subscription.
    fn close(&self) {
        self.listening.close();
    }
}
