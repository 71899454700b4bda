//! Which reactor new bridges get.
use data_bridge_driver::event_loop::reactor::Kind;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// 0: by environment, 1: loop, 2: thread.
static KIND: AtomicU8 = AtomicU8::new(0);

/// The reactor that was chosen by [`use_reactor`], else by $DATA_BRIDGE_REACTOR, else the loop's own.
pub fn kind() -> Kind {
    match KIND.load(Relaxed) {
        1 => Kind::Loop,
        2 => Kind::Thread,
        _ if std::env::var("DATA_BRIDGE_REACTOR").is_ok_and(|v| v == "thread") => Kind::Thread,
        _ => Kind::Loop,
    }
}

/// Chooses the reactor of bridges made from now on: "loop" (Linux; the default there) or "thread".
#[pyfunction]
pub fn use_reactor(name: &str) -> PyResult<()> {
    let value = match name {
        "loop" => 1,
        "thread" => 2,
        other => return Err(PyValueError::new_err(format!("a reactor is 'loop' or 'thread', not {other:?}"))),
    };
    KIND.store(value, Relaxed);
    Ok(())
}
