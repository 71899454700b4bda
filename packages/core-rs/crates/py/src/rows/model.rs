//! Instances of Pydantic model classes, built without validation.
//!
//! Pydantic's own constructor makes an instance by `tp_new` and four slots. The same is done here; the class tells once,
//! in a load plan, what belongs into them. Core never imports Pydantic.
use crate::env::{Env, slot_offset};
use crate::rows::columns::{Column, bytes};
use data_bridge_driver::PgRow;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyType};

/// How an instance of a class is made from a row.
pub struct Model {
    class: Py<PyType>,
    /// Names of the fields that the columns fill, in order.
    pub fields: Vec<Py<PyString>>,
    /// A converter per field.
    pub converters: Vec<Option<Py<PyAny>>>,
    fields_set: Py<PySet>,
    slots: Slots,
    clean: Py<PyAny>,
    private: Option<Py<PyDict>>,
    defaults: Option<Py<PyDict>>,
    factories: Vec<(Py<PyString>, Py<PyAny>)>,
    extra: bool,
    post_init: bool,
    validator: Option<Py<PyAny>>,
    /// Positions of the columns whose wire bytes are kept, to find edits in place.
    mutable: Vec<usize>,
}

/// Offsets of the slots of an instance.
#[derive(Clone, Copy)]
pub struct Slots {
    fields_set: isize,
    extra: isize,
    private: isize,
    /// What changed since the row was loaded.
    pub state: isize,
    /// The wire bytes of mutable columns.
    pub wire: isize,
}

impl Slots {
    /// Those of a Table class.
    ///
    /// # Errors
    /// TypeError when the class does not have them.
    pub fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        Ok(Self {
            fields_set: slot_offset(class, "__pydantic_fields_set__")?,
            extra: slot_offset(class, "__pydantic_extra__")?,
            private: slot_offset(class, "__pydantic_private__")?,
            state: slot_offset(class, "__db_state__")?,
            wire: slot_offset(class, "__db_wire__")?,
        })
    }

    /// Puts `value`, a new reference, into a slot and releases what was there.
    ///
    /// # Safety
    /// `object` is an instance with this slot.
    pub unsafe fn put(object: *mut PyObject, offset: isize, value: *mut PyObject) {
        // SAFETY: the caller's promise.
        unsafe {
            let slot = object.cast::<u8>().offset(offset).cast::<*mut PyObject>();
            let before = std::mem::replace(&mut *slot, value);
            ffi::Py_XDECREF(before);
        }
    }
}

/// What the ORM tells of a class, beside its fields.
pub struct Features {
    /// The shared state of rows that were not changed.
    pub clean: Py<PyAny>,
    /// Values of the private attributes, copied for each instance.
    pub private: Option<Py<PyDict>>,
    /// Fields that are no columns, with the value they have after loading.
    pub defaults: Option<Py<PyDict>>,
    /// Fields that are no columns and whose value is made for each instance, by a function of the other values.
    pub factories: Vec<(Py<PyString>, Py<PyAny>)>,
    /// `extra="allow"`.
    pub extra: bool,
    /// The class has a `model_post_init`.
    pub post_init: bool,
    /// Validate the whole row.
    pub validate: bool,
}

impl Model {
    /// # Errors
    /// TypeError when the class lacks a slot.
    pub fn new(
        class: &Bound<'_, PyType>,
        fields: &[String],
        converters: Vec<Option<Py<PyAny>>>,
        mutable: &[String],
        features: Features,
    ) -> PyResult<Self> {
        let py = class.py();
        let fields: Vec<_> = fields.iter().map(|n| PyString::intern(py, n).unbind()).collect();
        let validator = features
            .validate
            .then(|| class.getattr("__pydantic_validator__")?.getattr("validate_python"))
            .transpose()?;
        let positions = mutable.iter().filter_map(|m| fields.iter().position(|f| f.bind(py) == m.as_str())).collect();
        Ok(Self {
            fields_set: PySet::new(py, &fields)?.unbind(),
            slots: Slots::of(class)?,
            class: class.clone().unbind(),
            converters: if converters.is_empty() { fields.iter().map(|_| None).collect() } else { converters },
            fields,
            clean: features.clean,
            private: features.private,
            defaults: features.defaults,
            factories: features.factories,
            extra: features.extra,
            post_init: features.post_init,
            validator: validator.map(Bound::unbind),
            mutable: positions,
        })
    }

    /// The class.
    pub fn class<'py>(&self, py: Python<'py>) -> &Bound<'py, PyType> {
        self.class.bind(py)
    }

    /// Whether code of the user runs for each row: then it runs when the task resumes, in the task's own context.
    pub fn calls_back(&self) -> bool {
        self.post_init
            || self.validator.is_some()
            || !self.factories.is_empty()
            || self.converters.iter().any(Option::is_some)
    }

    /// A new reference to an instance made of the cells from `at` on.
    #[inline]
    pub fn instance(
        &self,
        py: Python<'_>,
        env: &Env,
        columns: &[Column],
        row: &PgRow,
        at: usize,
    ) -> PyResult<*mut PyObject> {
        // SAFETY: attached; references made here are stored in the instance or released.
        unsafe {
            let dict = match &self.defaults {
                None => ffi::PyDict_New(),
                Some(template) => ffi::PyDict_Copy(template.as_ptr()),
            };
            if dict.is_null() {
                return Err(PyErr::fetch(py));
            }
            let dict = Bound::from_owned_ptr(py, dict).cast_into_unchecked::<PyDict>();
            for (i, column) in columns.iter().enumerate() {
                let v = column.object(py, env, row, at + i)?;
                let set = ffi::PyDict_SetItem(dict.as_ptr(), column.key.as_ptr(), v);
                ffi::Py_DECREF(v);
                if set < 0 {
                    return Err(PyErr::fetch(py));
                }
            }
            for (key, factory) in &self.factories {
                dict.set_item(key, factory.bind(py).call1((&dict,))?)?;
            }
            if let Some(validator) = &self.validator {
                let made = validator.bind(py).call1((dict,)).map_err(|e| without_input(py, e))?;
                Slots::put(made.as_ptr(), self.slots.state, ffi::Py_NewRef(PyDict::new(py).as_ptr()));
                self.keep_wire(py, made.as_ptr(), row, at)?;
                return Ok(made.into_ptr());
            }
            let class = self.class.as_ptr().cast::<ffi::PyTypeObject>();
            let Some(alloc) = (*class).tp_alloc else {
                return Err(pyo3::exceptions::PyTypeError::new_err("the class cannot be instantiated"));
            };
            let object = alloc(class, 0);
            if object.is_null() {
                return Err(PyErr::fetch(py));
            }
            // The collector may see the instance from here on: every slot is empty or valid.
            let instance = Bound::from_owned_ptr(py, object);
            if ffi::PyObject_GenericSetDict(object, dict.as_ptr(), std::ptr::null_mut()) < 0 {
                return Err(PyErr::fetch(py));
            }
            Slots::put(object, self.slots.state, ffi::Py_NewRef(self.clean.as_ptr()));
            Slots::put(object, self.slots.fields_set, ffi::Py_NewRef(self.fields_set.as_ptr()));
            let extra = if self.extra { PyDict::new(py).into_ptr() } else { ffi::Py_NewRef(ffi::Py_None()) };
            Slots::put(object, self.slots.extra, extra);
            let private = match &self.private {
                Some(p) => p.bind(py).copy()?.into_ptr(),
                None => ffi::Py_NewRef(ffi::Py_None()),
            };
            Slots::put(object, self.slots.private, private);
            if !self.mutable.is_empty() {
                self.keep_wire(py, object, row, at)?;
            }
            if self.post_init {
                instance.call_method1(pyo3::intern!(py, "model_post_init"), (py.None(),))?;
            }
            Ok(instance.into_ptr())
        }
    }

    /// Keeps the bytes of the columns whose values can be changed in place, for change tracking.
    ///
    /// # Safety
    /// `object` is a live instance of the class of this plan.
    unsafe fn keep_wire(&self, py: Python<'_>, object: *mut PyObject, row: &PgRow, at: usize) -> PyResult<()> {
        // SAFETY: the caller's promise that `object` is an instance of the class.
        unsafe { keep_wire(py, object, self.slots.wire, row, self.mutable.iter().map(|i| at + i), self.mutable.len()) }
    }
}

/// Stores the wire bytes of some cells in an instance.
///
/// # Safety
/// `object` has a slot at `offset`.
pub unsafe fn keep_wire(
    py: Python<'_>,
    object: *mut PyObject,
    offset: isize,
    row: &PgRow,
    cells: impl Iterator<Item = usize>,
    count: usize,
) -> PyResult<()> {
    if count == 0 {
        return Ok(());
    }
    // SAFETY: every place of the tuple is filled before it is stored.
    unsafe {
        let kept = ffi::PyTuple_New(count as isize);
        if kept.is_null() {
            return Err(PyErr::fetch(py));
        }
        for (place, cell) in cells.take(count).enumerate() {
            let b = match bytes(row, cell) {
                Some(b) => ffi::PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as isize),
                None => ffi::Py_NewRef(ffi::Py_None()),
            };
            if b.is_null() {
                ffi::Py_DECREF(kept);
                return Err(PyErr::fetch(py));
            }
            ffi::PyTuple_SET_ITEM(kept, place as isize, b);
        }
        Slots::put(object, offset, kept);
    }
    Ok(())
}

/// Pydantic's error about a stored value, whose text does not show the value: the text ends in logs, `errors()` has it all.
fn without_input(py: Python<'_>, error: PyErr) -> PyErr {
    let value = error.value(py);
    let value = value.as_any();
    let hidden = again(value, value.call_method0("errors")).or_else(|_| {
        let lines = value.call_method0("errors")?;
        again(value, of_custom_types(lines))
    });
    hidden.map_or(error, PyErr::from_value) // what is not Pydantic's stays as it is
}

fn again<'py>(value: &Bound<'py, PyAny>, lines: PyResult<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(value.py());
    options.set_item("hide_input", true)?;
    value.get_type().call_method("from_exception_data", (value.getattr("title")?, lines?), Some(&options))
}

/// Lines of an error with types that Pydantic does not know: such a type is an object, which has the message as well.
fn of_custom_types(lines: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let custom = lines.py().import("pydantic_core")?.getattr("PydanticCustomError")?;
    for line in lines.try_iter()? {
        let line = line?;
        line.set_item("type", custom.call1((line.get_item("type")?, line.get_item("msg")?))?)?;
    }
    Ok(lines)
}
