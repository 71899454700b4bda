//! Addresses and networks: objects of the `ipaddress` module, or their text.
use super::{Done, Refusal, utf8};
use crate::env::Env;
use data_bridge_wire::network::{self, Network};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// `inet` and `cidr`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn network(env: &Env, v: *mut PyObject, is_cidr: bool, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    let v = unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), v) };
    if !v.is_instance_of::<pyo3::types::PyString>() {
        let mut known = false;
        for class in env.addresses(v.py()).map_err(Refusal::Python)? {
            known |= v.is_instance(class.bind(v.py())).map_err(Refusal::Python)?;
        }
        if !known {
            return Err(Refusal::Expected("an address or network of the ipaddress module"));
        }
    }
    let text = v.str().map_err(Refusal::Python)?;
    let it = text.to_str().ok().and_then(|text| Network::parse(text, is_cidr));
    match it {
        None => Err(Refusal::Reason("the text is not an address".into())),
        Some(it) if is_cidr && it.has_host_bits() => {
            Err(Refusal::Reason("a cidr has no bits set behind its prefix".into()))
        }
        Some(it) => {
            it.write(out);
            Ok(())
        }
    }
}

/// `macaddr` and `macaddr8`.
///
/// # Safety
/// The thread is attached to the interpreter, and `v` is a live object.
pub unsafe fn mac(v: *mut PyObject, length: usize, out: &mut Vec<u8>) -> Done {
    // SAFETY: `v` is alive.
    unsafe {
        if ffi::PyUnicode_Check(v) == 0 {
            return Err(Refusal::Expected("str"));
        }
        let text = std::str::from_utf8(utf8(v)?).unwrap_or_default();
        match network::parse_mac(text, length) {
            Some(b) => {
                out.extend(b);
                Ok(())
            }
            None => Err(Refusal::Reason(format!("the text is no MAC address of {length} bytes"))),
        }
    }
}
