//! LISTEN as Python sees it.
use crate::bridge::Bridge;
use crate::op::Op;
use crate::pool::PyPool;
use crate::ticket::{Progress, Ticket};
use data_bridge_driver::listener::{Heard, Listening};
use data_bridge_driver::{Reply, Shield};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// A subscription to some channels, on a connection of its own.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct Listener {
    listening: Arc<Listening>,
    heard: Arc<Mutex<Option<Heard>>>,
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
    pub fn make(py: Python<'_>, pool: &PyPool, channels: Vec<String>) -> PyResult<Self> {
        let bridge = Bridge::shared(py)?;
        let home = bridge.bind(py).get().executor.home.clone();
        let listening = Arc::new(Listening::default());
        let pool = pool.get();
        // On the runtime's own thread: the subscription goes on whoever runs, and holds no Python object.
        home.reactor.handle().spawn(listening.clone().run(pool.config.clone(), home.clone(), channels));
        Ok(Self { listening, heard: Arc::default(), bridge, pool: pool.id })
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

    /// Waits for the next notification or gap.
    fn wait(&self, py: Python<'_>) -> PyResult<Op> {
        let reply = Reply::new(None, Shield::No);
        let ticket = Ticket::new(reply.clone(), None, None, self.pool, Progress::default());
        let (listening, place) = (self.listening.clone(), self.heard.clone());
        let task = Box::pin(async move {
            let heard = listening.next(&reply).await;
            *place.lock().expect("the notification") = heard;
            reply.finish(Ok(()));
        });
        Bridge::start(self.bridge.bind(py), task, ticket)
    }

    /// What was waited for: `(channel, payload, pid)`, `(since, until)` of a gap as seconds, or None at the end.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        match self.heard.lock().expect("the notification").take() {
            None => Ok(None),
            Some(Heard::Notification(channel, payload, pid)) => (channel, payload, pid).into_pyobject(py).map(Some),
            Some(Heard::Gap(since, until)) => (seconds(since), seconds(until)).into_pyobject(py).map(Some),
        }
    }

    /// Ends the subscription.
    fn close(&self) {
        self.listening.close();
    }
}
