//! Python's half of the core: the bridge to event loops, parameters to bytes, rows to objects, exceptions.
//!
//! The only crate that names PyO3. Knows no SQL text: plans come from `data-bridge-sql`, bytes go through
//! `data-bridge-driver`. No Python object and no interpreter lock ever reaches a foreign thread.
mod codec;
mod connections;
mod env;
mod errors;
mod event_loop;
mod rows;
mod statements;

use codec::{json, registered};
use connections::{copy, frame_copy, lease, listen, pool};
use event_loop::{bridge, future, reactor_kind};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use rows::{class_attribute, frame, load_plan};
use statements::{compile, lint, plan, text};

/// The calling thread, as a number.
pub(crate) fn ready_thread() -> u64 {
    data_bridge_driver::event_loop::run_queue::this_thread()
}

/// In the child of a fork: gives up what belongs to the parent and closes the child's copies of its sockets.
#[pyfunction]
fn after_fork(py: Python<'_>) {
    let mut fds = bridge::forget_all(py);
    fds.extend(pool::forget_all());
    fds.sort_unstable();
    fds.dedup();
    for fd in fds {
        // SAFETY: closing a number never touches the parent's epoll; the owners were leaked.
        unsafe { libc::close(fd) };
    }
}

/// How often this process and its ancestors were forked.
#[pyfunction]
fn fork_count() -> u32 {
    data_bridge_driver::event_loop::fork::count()
}

/// The native half of `data_bridge.core`.
#[pymodule(gil_used = true)]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    // SAFETY: attached; the main interpreter has the ID 0.
    if unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) } != 0 {
        return Err(PyImportError::new_err(
            "data_bridge.core runs in the main interpreter of a process only: its reactor cannot wake a subinterpreter",
        ));
    }
    data_bridge_driver::event_loop::fork::watch();
    m.add("IR_VERSION", data_bridge_ir::IR_VERSION)?;
    m.add("FEATURES", data_bridge_ir::FEATURES.to_vec())?;
    m.add_class::<bridge::Bridge>()?;
    m.add_class::<future::Op>()?;
    future::Op::returns_without_exception(m.py());
    m.add_class::<load_plan::LoadPlan>()?;
    m.add_class::<frame::PyFrame>()?;
    m.add_class::<plan::Plan>()?;
    m.add_class::<pool::PyPool>()?;
    m.add_class::<lease::PyLease>()?;
    m.add_class::<copy::CopyEncoder>()?;
    m.add_class::<copy::CopyWriter>()?;
    m.add_class::<frame_copy::FrameReader>()?;
    m.add_class::<copy::CopyReader>()?;
    m.add_class::<listen::Listener>()?;
    m.add_class::<class_attribute::ClassAttribute>()?;
    m.add_function(wrap_pyfunction!(class_attribute::hide, m)?)?;
    m.add_function(wrap_pyfunction!(compile::compile_ir, m)?)?;
    m.add_function(wrap_pyfunction!(text::tokenize, m)?)?;
    m.add_function(wrap_pyfunction!(text::first_word, m)?)?;
    m.add_function(wrap_pyfunction!(text::quoted_identifier, m)?)?;
    m.add_function(wrap_pyfunction!(text::quoted_literal, m)?)?;
    m.add_function(wrap_pyfunction!(text::query_with_literals, m)?)?;
    m.add_function(wrap_pyfunction!(text::count_placeholders, m)?)?;
    m.add_function(wrap_pyfunction!(lint::lint_scripts, m)?)?;
    m.add_function(wrap_pyfunction!(lint::statement_facts, m)?)?;
    m.add_function(wrap_pyfunction!(bridge::current_bridge, m)?)?;
    m.add_function(wrap_pyfunction!(bridge::shared_bridge, m)?)?;
    m.add_function(wrap_pyfunction!(bridge::reactors, m)?)?;
    m.add_function(wrap_pyfunction!(registered::register_type, m)?)?;
    m.add_function(wrap_pyfunction!(json::json_equals, m)?)?;
    m.add_function(wrap_pyfunction!(reactor_kind::use_reactor, m)?)?;
    m.add_function(wrap_pyfunction!(after_fork, m)?)?;
    m.add_function(wrap_pyfunction!(fork_count, m)?)?;
    Ok(())
}
