//! `compile_ir` and `render_ir`: structures become SQL text.

use crate::tree::Node;
use data_bridge_ir::{Decoded, decode};
use data_bridge_sql::{Style, compile, render};
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

/// The SQL of a structure in another style (`numeric`, `format`, `pyformat`, `named`), or for humans:
/// `(sql, slots)`, the slots counted from 0 in the order of the text.
#[pyfunction]
#[pyo3(signature = (ir, style = "numeric", pretty = false))]
pub fn render_ir(ir: &Bound<'_, PyTuple>, style: &str, pretty: bool) -> PyResult<(String, Vec<usize>)> {
    let style = match style {
        "numeric" => Style::Numeric,
        "format" => Style::Format,
        "pyformat" => Style::Pyformat,
        "named" => Style::Named,
        _ => return Err(PyValueError::new_err(format!("{style:?} is none of numeric, format, pyformat, named"))),
    };
    let (compiled, slots) = render(&decoded(ir)?, style, pretty);
    Ok((compiled.sql, slots))
}
