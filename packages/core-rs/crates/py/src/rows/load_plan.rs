//! Load plans: what becomes of the rows of a statement. Made once, used for every row.
use crate::env::Env;
use crate::rows::column_fit;
use crate::rows::columns::{Column, Columns};
use crate::rows::frame::{Framing, PyFrame};
use crate::rows::model::{Features, Model, Slots, keep_wire};
use crate::rows::plain_rows::{dict, no_name_twice, tuple};
use data_bridge_driver::PgRow;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use std::sync::Mutex;

/// A part of a row of several parts.
pub struct Part {
    load: Option<Py<LoadPlan>>,
    width: usize,
    optional: bool,
}

/// The field of a column that a query names by itself: `User.age`, and what says whether the column fits it.
type Single = (String, Option<Py<PyAny>>);

/// RETURNING into an instance that exists.
pub struct Merge {
    /// Fields that are set.
    fields: Vec<Py<PyString>>,
    converters: Vec<Option<Py<PyAny>>>,
    /// Fields of which only the bytes are kept; their columns follow.
    kept: Vec<String>,
    slots: Slots,
}

/// The form of the result.
pub enum Shape {
    /// The number of affected rows.
    Affected,
    /// Tuples.
    Tuple,
    /// Dicts.
    Dict,
    /// The first column.
    Scalar,
    /// Instances.
    Model(Box<Model>),
    /// Tuples whose items are instances or values.
    Mixed(Vec<Part>),
    /// Into an instance.
    Merge(Box<Merge>),
    /// Columns of Arrow.
    Arrow(Box<Framing>),
}

/// What becomes of the rows of a statement; also keeps the plans of the statements that it was used with.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct LoadPlan {
    /// The form of each row.
    pub shape: Shape,
    /// All rows, or the first.
    pub many: bool,
    /// Structure → plan.
    pub plans: Py<PyDict>,
    /// `User`, for messages.
    label: Option<String>,
    /// What turns the decoded values of plain columns into those of their expressions; empty when nothing has to.
    converters: Vec<Option<Py<PyAny>>>,
    /// `misfit(field or column, kind, type)`: says what is wrong with a column whose values are not those of its field.
    misfit: Option<Py<PyAny>>,
    /// The fields of single columns, by their place in the result; empty when none is known.
    fields: Vec<Option<Single>>,
    /// The decoders that mutable columns had when last seen, by field.
    seen: Mutex<Vec<(String, data_bridge_driver::Typed)>>,
}

impl LoadPlan {
    fn make(py: Python<'_>, shape: Shape, many: bool, label: Option<String>) -> Self {
        Self {
            shape,
            many,
            plans: PyDict::new(py).unbind(),
            label,
            converters: vec![],
            misfit: None,
            fields: vec![],
            seen: Mutex::default(),
        }
    }

    /// Gives plain columns their converters, and asks whether they fit.
    fn convert(&self, py: Python<'_>, columns: &mut Columns) -> PyResult<()> {
        for (column, converter) in columns.all.iter_mut().zip(&self.converters) {
            if let Some(converter) = converter {
                column.converter = Some(converter.clone_ref(py));
            }
        }
        for (column, field) in columns.all.iter_mut().zip(&self.fields) {
            let Some((label, misfit)) = field else { continue };
            column.label.clone_from(label);
            if let Some(misfit) = misfit {
                column_fit::check(py, misfit, std::slice::from_mut(column), true)?;
            }
        }
        Ok(())
    }

    /// For operations whose result is the number of affected rows.
    pub fn counting(py: Python<'_>) -> Self {
        Self::make(py, Shape::Affected, true, None)
    }

    /// Whether code of the user runs for each row.
    pub fn calls_back(&self, py: Python<'_>) -> bool {
        match &self.shape {
            Shape::Model(m) => m.calls_back(),
            _ if self.converters.iter().any(Option::is_some) => true,
            Shape::Mixed(parts) => {
                parts.iter().any(|p| p.load.as_ref().is_some_and(|l| l.bind(py).get().calls_back(py)))
            }
            Shape::Merge(m) => m.converters.iter().any(Option::is_some),
            _ => false,
        }
    }

    /// Whether the server must describe the columns before the rows come.
    pub fn describes(&self) -> bool {
        matches!(&self.shape, Shape::Arrow(framing) if framing.describes())
    }

    /// Gives the columns of a result the keys, converters and labels of this plan.
    pub fn prepare(&self, py: Python<'_>, columns: &mut Columns) -> PyResult<()> {
        match &self.shape {
            Shape::Dict => {
                self.convert(py, columns)?;
                if let Some(misfit) = &self.misfit {
                    column_fit::check(py, misfit, &mut columns.all, true)?;
                }
                no_name_twice(py, columns)
            }
            Shape::Model(m) => {
                self.name(py, &mut columns.all, &m.fields, &m.converters)?;
                self.remember(py, &columns.all);
                Ok(())
            }
            Shape::Merge(m) => {
                let rest = columns.all.len().saturating_sub(m.fields.len());
                if rest != m.kept.len() {
                    return Err(PyTypeError::new_err(
                        "RETURNING gives another number of columns than the load plan has",
                    ));
                }
                let (set, kept) = columns.all.split_at_mut(m.fields.len());
                self.name(py, set, &m.fields, &m.converters)?;
                for (column, name) in kept.iter_mut().zip(&m.kept) {
                    column.key = PyString::intern(py, name).unbind();
                }
                self.remember(py, &columns.all);
                Ok(())
            }
            Shape::Mixed(parts) => {
                let mut at = 0;
                for p in parts {
                    let end = at + p.width;
                    if end > columns.all.len() {
                        return Err(PyTypeError::new_err("the result has fewer columns than the load plan"));
                    }
                    if let Some(load) = &p.load
                        && let Shape::Model(m) = &load.bind(py).get().shape
                    {
                        let part = load.bind(py).get();
                        part.name(py, &mut columns.all[at..end], &m.fields, &m.converters)?;
                        // Edits in place of these instances are told by the decoders of their own plan.
                        part.remember(py, &columns.all[at..end]);
                    }
                    at = end;
                }
                self.convert(py, columns)
            }
            Shape::Affected | Shape::Tuple | Shape::Scalar | Shape::Arrow(_) => self.convert(py, columns),
        }
    }

    fn name(
        &self,
        py: Python<'_>,
        columns: &mut [Column],
        fields: &[Py<PyString>],
        converters: &[Option<Py<PyAny>>],
    ) -> PyResult<()> {
        if columns.len() != fields.len() {
            let message = format!(
                "the result has {} columns, the load plan of {} has {}",
                columns.len(),
                self.label.as_deref().unwrap_or("the class"),
                fields.len()
            );
            return Err(PyTypeError::new_err(message));
        }
        for ((column, field), converter) in columns.iter_mut().zip(fields).zip(converters) {
            column.key = field.clone_ref(py);
            column.converter = converter.as_ref().map(|c| c.clone_ref(py));
            if let Some(label) = &self.label {
                column.label = format!("{label}.{}", field.bind(py));
            }
        }
        self.misfit.as_ref().map_or(Ok(()), |misfit| column_fit::check(py, misfit, columns, false))
    }

    fn remember(&self, py: Python<'_>, columns: &[Column]) {
        let all = columns.iter().map(|c| (c.key.bind(py).to_string(), c.typed.clone())).collect();
        *self.seen.lock().expect("the columns seen") = all;
    }

    /// A new reference to what one row becomes.
    #[inline]
    pub fn row(&self, py: Python<'_>, env: &Env, columns: &Columns, row: &PgRow) -> PyResult<*mut PyObject> {
        let all = &columns.all[..];
        match &self.shape {
            Shape::Model(m) => m.instance(py, env, all, row, 0),
            Shape::Tuple => tuple(py, env, all, row, all.len()),
            Shape::Dict => dict(py, env, all, row),
            Shape::Scalar => match all.first() {
                Some(c) => c.object(py, env, row, 0),
                None => Ok(py.None().into_ptr()),
            },
            Shape::Mixed(parts) => mixed(py, env, parts, all, row),
            Shape::Merge(m) => tuple(py, env, all, row, m.fields.len()),
            Shape::Affected | Shape::Arrow(_) => Ok(py.None().into_ptr()),
        }
    }

    /// Sets what RETURNING gave in `into`, whose row is in the database now.
    pub fn merge(
        &self,
        py: Python<'_>,
        env: &Env,
        columns: Option<&Columns>,
        row: Option<&PgRow>,
        into: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Shape::Merge(m) = &self.shape else { return Ok(()) };
        // SAFETY: the ORM passes an instance of the class whose slots these are.
        unsafe {
            if let (Some(columns), Some(row)) = (columns, row) {
                let mut values = Vec::with_capacity(m.fields.len());
                for (i, c) in columns.all[..m.fields.len()].iter().enumerate() {
                    // All are decoded before any is set: a value that cannot be decoded leaves the instance as it was.
                    values.push(Bound::from_owned_ptr(py, c.object(py, env, row, i)?));
                }
                let dict = Bound::from_owned_ptr_or_err(
                    py,
                    ffi::PyObject_GenericGetDict(into.as_ptr(), std::ptr::null_mut()),
                )?;
                for (c, v) in columns.all.iter().zip(values) {
                    if ffi::PyDict_SetItem(dict.as_ptr(), c.key.as_ptr(), v.as_ptr()) < 0 {
                        return Err(PyErr::fetch(py));
                    }
                }
                keep_wire(py, into.as_ptr(), m.slots.wire, row, m.fields.len().., m.kept.len())?;
            }
            Slots::put(into.as_ptr(), m.slots.state, PyDict::new(py).into_ptr());
        }
        Ok(())
    }
}

fn mixed(py: Python<'_>, env: &Env, parts: &[Part], columns: &[Column], row: &PgRow) -> PyResult<*mut PyObject> {
    // SAFETY: as in `tuple`.
    unsafe {
        let t = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(parts.len() as isize))?;
        let mut at = 0;
        for (i, p) in parts.iter().enumerate() {
            let item = match &p.load {
                None => columns[at].object(py, env, row, at)?,
                Some(load) => {
                    let absent =
                        p.optional && (at..at + p.width).all(|c| crate::rows::columns::bytes(row, c).is_none());
                    match &load.bind(py).get().shape {
                        Shape::Model(m) if !absent => m.instance(py, env, &columns[at..at + p.width], row, at)?,
                        _ => py.None().into_ptr(),
                    }
                }
            };
            ffi::PyTuple_SET_ITEM(t.as_ptr(), i as isize, item);
            at += p.width;
        }
        Ok(t.into_ptr())
    }
}

#[pymethods]
impl LoadPlan {
    /// The result is the number of affected rows.
    #[staticmethod]
    fn affected(py: Python<'_>) -> Self {
        Self::counting(py)
    }

    /// Rows as tuples or dicts: all of them, or the first or None. A converter gets the decoded value of its column, unless
    /// that is None. `misfit(name, kind, type)` of dicts is asked once about each column: its message is a DecodeError.
    /// `fields` are those that the columns in their places fill: `User.age` and its misfit.
    #[staticmethod]
    #[pyo3(signature = (kind, *, many=true, converters=vec![], misfit=None, fields=vec![]))]
    fn rows(
        py: Python<'_>,
        kind: &Bound<'_, PyType>,
        many: bool,
        converters: Vec<Option<Py<PyAny>>>,
        misfit: Option<Py<PyAny>>,
        fields: Vec<Option<Single>>,
    ) -> PyResult<Self> {
        let shape = if kind.is(py.get_type::<PyTuple>()) {
            Shape::Tuple
        } else if kind.is(py.get_type::<PyDict>()) {
            Shape::Dict
        } else {
            return Err(PyTypeError::new_err("rows are tuple or dict"));
        };
        Ok(Self { converters, misfit, fields, ..Self::make(py, shape, many, None) })
    }

    /// The first column of all rows, or of the first row, or None.
    #[staticmethod]
    #[pyo3(signature = (*, many=true, converters=vec![], fields=vec![]))]
    fn scalars(py: Python<'_>, many: bool, converters: Vec<Option<Py<PyAny>>>, fields: Vec<Option<Single>>) -> Self {
        Self { converters, fields, ..Self::make(py, Shape::Scalar, many, None) }
    }

    /// All rows as columns of Arrow. `numeric` is for numerics without a precision; `names` are those of the columns; `like`
    /// is a result with the columns of these rows, so that the server is not asked for them.
    #[staticmethod]
    #[pyo3(signature = (*, numeric, names=vec![], like=None))]
    fn arrow(numeric: &Bound<'_, PyAny>, names: Vec<String>, like: Option<Py<PyFrame>>) -> PyResult<Self> {
        let framing = Framing::new(numeric, names, like)?;
        Ok(Self::make(numeric.py(), Shape::Arrow(Box::new(framing)), true, None))
    }

    /// Instances of a class with `__pydantic_validator__` and the slots `__db_state__` and `__db_wire__`.
    #[staticmethod]
    #[pyo3(signature = (class, fields, *, clean, many=true, converters=vec![], mutable=vec![], private=None, defaults=None, factories=vec![], extra=false, post_init=false, validate=false, misfit=None))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn model(
        class: &Bound<'_, PyType>,
        fields: Vec<String>,
        clean: Py<PyAny>,
        many: bool,
        converters: Vec<Option<Py<PyAny>>>,
        mutable: Vec<String>,
        private: Option<Py<PyDict>>,
        defaults: Option<Py<PyDict>>,
        factories: Vec<(String, Py<PyAny>)>,
        extra: bool,
        post_init: bool,
        validate: bool,
        misfit: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let factories = factories.into_iter().map(|(n, f)| (PyString::intern(class.py(), &n).unbind(), f)).collect();
        let features = Features { clean, private, defaults, factories, extra, post_init, validate };
        let label = class.name()?.to_string();
        let model = Model::new(class, &fields, converters, &mutable, features)?;
        Ok(Self { misfit, ..Self::make(class.py(), Shape::Model(Box::new(model)), many, Some(label)) })
    }

    /// Tuples of instances and values: `(plan or None, columns, optional)` for each item; an optional instance whose columns
    /// are all NULL is None. Converters and fields are for plain columns, by their place in the result.
    #[staticmethod]
    #[pyo3(signature = (parts, *, many=true, converters=vec![], fields=vec![]))]
    fn mixed(
        py: Python<'_>,
        parts: Vec<(Option<Py<LoadPlan>>, usize, bool)>,
        many: bool,
        converters: Vec<Option<Py<PyAny>>>,
        fields: Vec<Option<Single>>,
    ) -> Self {
        let parts = parts.into_iter().map(|(load, width, optional)| Part { load, width, optional }).collect();
        Self { converters, fields, ..Self::make(py, Shape::Mixed(parts), many, None) }
    }

    /// RETURNING into an instance: `fields` are set, of the `kept` ones (which follow) only the bytes are stored.
    /// The result is whether there was a row; with `many`, and without an instance, the values and the bytes of all rows.
    #[staticmethod]
    #[pyo3(signature = (class, fields, *, many=false, converters=vec![], kept=vec![], misfit=None))]
    fn merge_into(
        class: &Bound<'_, PyType>,
        fields: Vec<String>,
        many: bool,
        converters: Vec<Option<Py<PyAny>>>,
        kept: Vec<String>,
        misfit: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let py = class.py();
        let merge = Merge {
            converters: if converters.is_empty() { fields.iter().map(|_| None).collect() } else { converters },
            fields: fields.iter().map(|n| PyString::intern(py, n).unbind()).collect(),
            kept,
            slots: Slots::of(class)?,
        };
        let label = class.name()?.to_string();
        Ok(Self { misfit, ..Self::make(py, Shape::Merge(Box::new(merge)), many, Some(label)) })
    }

    /// Decodes wire bytes of a field as the last result of this plan had them, without its converter; raises LookupError before
    /// there was a result.
    fn decode(&self, py: Python<'_>, field: &str, wire: &[u8]) -> PyResult<Py<PyAny>> {
        let typed =
            self.seen.lock().expect("the columns seen").iter().find(|(f, _)| f == field).map(|(_, t)| t.clone());
        let Some(typed) = typed else { return Err(pyo3::exceptions::PyLookupError::new_err(field.to_owned())) };
        let column = Column {
            typed,
            name: field.into(),
            key: PyString::intern(py, field).unbind(),
            label: field.to_owned(),
            converter: None,
        };
        // SAFETY: a new reference.
        Ok(unsafe { Bound::from_owned_ptr(py, column.decode(py, crate::env::env(py)?, wire)?) }.unbind())
    }

    /// The plan of a structure: its SQL, kind and tables.
    fn describe(&self, ir: &Bound<'_, PyTuple>) -> PyResult<Py<crate::statements::plan::Plan>> {
        crate::statements::plan::Plan::of(self, ir)
    }

    /// How many statements have been planned with it.
    #[getter]
    fn planned(&self, py: Python<'_>) -> usize {
        self.plans.bind(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let what = match &self.shape {
            Shape::Affected => "affected".to_owned(),
            Shape::Tuple => "tuple".to_owned(),
            Shape::Dict => "dict".to_owned(),
            Shape::Scalar => "scalar".to_owned(),
            Shape::Model(m) => m.class(py).to_string(),
            Shape::Mixed(parts) => format!("{} parts", parts.len()),
            Shape::Arrow(_) => "arrow".to_owned(),
            Shape::Merge(_) => format!("merge into {}", self.label.as_deref().unwrap_or("?")),
        };
        format!("<LoadPlan {what}{}>", if self.many { "" } else { ", one" })
    }
}
