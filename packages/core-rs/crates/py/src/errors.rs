//! The driver's errors as the exceptions of `data_bridge.core.errors`.
use crate::env::env;
use data_bridge_driver::{Error, ServerError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An exception of `data_bridge.core.errors` by the name of its class.
pub fn named(py: Python<'_>, class: &str, message: impl Into<String>) -> PyErr {
    let made = env(py).and_then(|e| e.errors.bind(py).getattr(class)).and_then(|c| c.call1((message.into(),)));
    match made {
        Ok(e) => PyErr::from_value(e),
        Err(e) => e,
    }
}

fn server<'py>(py: Python<'py>, s: &ServerError, sql: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("sqlstate", &s.sqlstate)?;
    d.set_item("message", &s.message)?;
    d.set_item("severity", &s.severity)?;
    d.set_item("detail", &s.detail)?;
    d.set_item("hint", &s.hint)?;
    d.set_item("position", s.position)?;
    d.set_item("context", &s.context)?;
    d.set_item("schema", &s.schema)?;
    d.set_item("table", &s.table)?;
    d.set_item("column", &s.column)?;
    d.set_item("constraint", &s.constraint)?;
    d.set_item("data_type", &s.data_type)?;
    d.set_item("sql", sql)?;
    Ok(d)
}

fn build<'py>(py: Python<'py>, kind: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    env(py)?.errors.bind(py).call_method("from_native", (kind,), Some(fields))
}

/// An error because of an earlier one, whose statement is not known any more.
fn caused(py: Python<'_>, kind: &str, e: &Error, cause: Option<&ServerError>) -> PyResult<PyErr> {
    let d = PyDict::new(py);
    let mut message = e.to_string();
    let cause = cause.map(|s| build(py, "Server", &server(py, s, None)?)).transpose()?;
    if let Some(cause) = &cause {
        let (code, why) = (cause.getattr("sqlstate")?, cause.getattr("message_without_values")?);
        message = format!("{message} ({code}: {why})");
    }
    d.set_item("message", message)?;
    let made = PyErr::from_value(build(py, kind, &d)?);
    made.set_cause(py, cause.map(PyErr::from_value));
    Ok(made)
}

fn convert(py: Python<'_>, e: &Error, sql: Option<&str>) -> PyResult<PyErr> {
    let d = PyDict::new(py);
    d.set_item("message", e.to_string())?;
    let kind = match e {
        Error::Server(s) => return Ok(PyErr::from_value(build(py, "Server", &server(py, s, sql)?)?)),
        Error::TransactionAborted(cause) => return caused(py, "TransactionAborted", e, cause.as_deref()),
        Error::RolledBack(cause) => return caused(py, "TransactionAborted", e, cause.as_deref()),
        Error::Lost { sent, server, .. } => {
            d.set_item("safe_to_retry", !sent)?;
            d.set_item("sqlstate", server.as_ref().map(|s| s.sqlstate.clone()))?;
            "ConnectionLost"
        }
        Error::Protocol(_) => {
            d.set_item("safe_to_retry", false)?;
            d.set_item("sqlstate", None::<&str>)?;
            "ConnectionLost"
        }
        Error::Connect { host, port, step, sqlstate, .. } => {
            d.set_item("host", host)?;
            d.set_item("port", port)?;
            d.set_item("step", step)?;
            d.set_item("sqlstate", sqlstate)?;
            "ConnectError"
        }
        Error::PoolTimeout { size, idle, waiting, oldest, .. } => {
            d.set_item("size", size)?;
            d.set_item("idle", idle)?;
            d.set_item("waiting", waiting)?;
            d.set_item("oldest_holder", oldest)?;
            "PoolTimeout"
        }
        Error::PoolClosed => "NotInitialized",
        Error::QueryTimeout(..) | Error::Abandoned | Error::Refused => {
            d.set_item("sql", sql)?;
            if matches!(e, Error::QueryTimeout(..)) { "QueryTimeout" } else { "QueryCancelled" }
        }
        Error::TransactionClosed => "TransactionClosed",
        Error::CommitUnknown(_) => "CommitUnknown",
        Error::Configuration(_) => "ConfigurationError",
        Error::Undescribed => "DecodeError",
    };
    Ok(PyErr::from_value(build(py, kind, &d)?))
}

/// The exception for `e`; `sql` is the statement's text, never its values.
pub fn exception(py: Python<'_>, e: &Error, sql: Option<&str>) -> PyErr {
    convert(py, e, sql).unwrap_or_else(|broken| broken)
}
