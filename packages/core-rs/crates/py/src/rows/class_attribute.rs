//! Columns as class attributes that instances and Pydantic do not see.
//!
//! `User.age` gives the column; `user.age` is the value in the instance. While a class is being made Pydantic reads
//! `getattr(base, field)` as the field's default, so columns hide from the thread that makes one.
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use std::cell::Cell;

thread_local!(static HIDDEN: Cell<u32> = const { Cell::new(0) });

/// A non-data descriptor with a value for the class. On an instance it is absent, so that `__getattr__` is asked.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct ClassAttribute {
    #[pyo3(get)]
    value: Py<PyAny>,
}

#[pymethods]
impl ClassAttribute {
    #[new]
    fn new(value: Py<PyAny>) -> Self {
        Self { value }
    }

    fn __get__(&self, py: Python<'_>, instance: &Bound<'_, PyAny>, _class: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if !instance.is_none() || HIDDEN.get() != 0 {
            return Err(PyAttributeError::new_err(()));
        }
        Ok(self.value.clone_ref(py))
    }
}

/// Hides all columns from the calling thread, or shows them again; calls nest.
#[pyfunction]
pub fn hide(on: bool) {
    HIDDEN.set(if on { HIDDEN.get() + 1 } else { HIDDEN.get().saturating_sub(1) });
}
