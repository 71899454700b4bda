//! `compile_ir`: a structure becomes SQL text.

use crate::statements::tree::Node;
use data_bridge_ir::{Decoded, decode};
use data_bridge_sql::compile;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// What the Python side gets: text, number of parameters, kind, tables.
type Compiled = (String, usize, &'static str, Vec<String>);

fn decoded(ir: &Bound<'_, PyTuple>) -> PyResult<Decoded> {
    decode(&Node(ir.as_any().clone())).map_err(|error| compile_error(ir.py(), &error))
}

/// `core.errors.CompileError` with its path.
pub fn compile_error(py: Python<'_>, error: &data_bridge_ir::Error) -> PyErr {
    let class = py.import("data_bridge.core.errors").and_then(|module| module.getattr("CompileError"));
    let made = class.and_then(|class| class.call1((&error.message, &error.path)));
    made.map_or_else(|_| PyValueError::new_err(error.to_string()), PyErr::from_value)
}

/// The SQL of a structure: `(sql, nparams, kind, tables)`.
#[pyfunction]
pub fn compile_ir(ir: &Bound<'_, PyTuple>) -> PyResult<Compiled> {
    let compiled = compile(&decoded(ir)?);
    Ok((compiled.sql, compiled.params, compiled.kind.name(), compiled.tables))
}
