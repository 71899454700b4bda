//! Python objects that decoders and encoders need all the time, looked up once per process.
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// See the module.
pub struct Env {
    /// `decimal.Decimal`
    pub decimal: Py<PyType>,
    /// `uuid.UUID`
    pub uuid: Py<PyType>,
    /// Offsets of its slots `int` and `is_safe`.
    pub uuid_slots: (isize, isize),
    /// `uuid.SafeUUID.unknown`
    pub safe_unknown: Py<PyAny>,
    /// `enum.Enum`
    pub enumeration: Py<PyType>,
    /// `data_bridge.core.PgInterval`
    pub interval: Py<PyType>,
    /// `data_bridge.core.Range`
    pub range: Py<PyType>,
    /// Point, Line, Segment, Box, Path, Polygon, Circle of `data_bridge.core.types.geometry`
    pub geometry: [Py<PyType>; 7],
    /// `data_bridge.core.errors`
    pub errors: Py<PyAny>,
    /// `asyncio._get_running_loop`
    pub running_loop: Py<PyAny>,
}

/// IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network
type Addresses = [Py<PyType>; 6];

static ADDRESSES: PyOnceLock<Addresses> = PyOnceLock::new();
static ENV: PyOnceLock<Env> = PyOnceLock::new();

/// The offset of a `__slots__` entry inside an instance, read from its member descriptor.
pub fn slot_offset(class: &Bound<'_, PyType>, name: &str) -> PyResult<isize> {
    let descriptor = class.getattr(name)?;
    if descriptor.get_type().name()? != "member_descriptor" {
        return Err(pyo3::exceptions::PyTypeError::new_err(format!("{name} is not a slot of {}", class.name()?)));
    }
    // SAFETY: the type was checked; a member descriptor has this layout.
    unsafe { Ok((*(*descriptor.as_ptr().cast::<ffi::PyMemberDescrObject>()).d_member).offset) }
}

impl Env {
    /// The classes of the `ipaddress` module, which is imported when the first address comes.
    pub fn addresses<'py>(&self, py: Python<'py>) -> PyResult<&'py Addresses> {
        ADDRESSES.get_or_try_init(py, || {
            let module = py.import("ipaddress")?;
            let class = |name: &str| Ok::<_, PyErr>(module.getattr(name)?.cast_into::<PyType>()?.unbind());
            Ok([
                class("IPv4Address")?,
                class("IPv6Address")?,
                class("IPv4Interface")?,
                class("IPv6Interface")?,
                class("IPv4Network")?,
                class("IPv6Network")?,
            ])
        })
    }

    fn new(py: Python<'_>) -> PyResult<Self> {
        // SAFETY: the interpreter is attached.
        unsafe { ffi::PyDateTime_IMPORT() };
        let uuid_module = py.import("uuid")?;
        let geometry = py.import("data_bridge.core.types.geometry")?;
        let shape = |name: &str| Ok::<_, PyErr>(geometry.getattr(name)?.cast_into::<PyType>()?.unbind());
        let uuid = uuid_module.getattr("UUID")?.cast_into::<PyType>()?;
        Ok(Self {
            decimal: py.import("decimal")?.getattr("Decimal")?.cast_into::<PyType>()?.unbind(),
            uuid_slots: (slot_offset(&uuid, "int")?, slot_offset(&uuid, "is_safe")?),
            uuid: uuid.unbind(),
            safe_unknown: uuid_module.getattr("SafeUUID")?.getattr("unknown")?.unbind(),
            enumeration: py.import("enum")?.getattr("Enum")?.cast_into::<PyType>()?.unbind(),
            interval: py
                .import("data_bridge.core.types.interval")?
                .getattr("PgInterval")?
                .cast_into::<PyType>()?
                .unbind(),
            range: py.import("data_bridge.core.types.range")?.getattr("Range")?.cast_into::<PyType>()?.unbind(),
            geometry: [
                shape("Point")?,
                shape("Line")?,
                shape("Segment")?,
                shape("Box")?,
                shape("Path")?,
                shape("Polygon")?,
                shape("Circle")?,
            ],
            errors: py.import("data_bridge.core.errors")?.into_any().unbind(),
            running_loop: py.import("_asyncio")?.getattr("_get_running_loop")?.unbind(),
        })
    }
}

/// The objects of this process.
///
/// # Errors
/// When the Python half of core cannot be imported.
#[inline]
pub fn env(py: Python<'_>) -> PyResult<&'static Env> {
    ENV.get_or_try_init(py, || Env::new(py))
}
