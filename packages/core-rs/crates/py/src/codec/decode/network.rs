//! Addresses and networks, as objects of the `ipaddress` module.
use super::{Made, from_py};
use crate::env::Env;
use data_bridge_wire::network::Network;
use pyo3::prelude::*;
use std::net::IpAddr;

/// `inet` is an address, or an interface when its prefix is shorter; `cidr` is a network.
pub fn network(env: &Env, b: &[u8]) -> Made {
    let it = Network::read(b)?;
    // SAFETY: attached.
    let py = unsafe { Python::assume_attached() };
    from_py((|| {
        let classes = env.addresses(py)?;
        let version = usize::from(it.address.is_ipv6());
        if !it.is_cidr && it.prefix == it.width() {
            let class = classes[version].bind(py);
            return match it.address {
                IpAddr::V4(a) => class.call1((u32::from(a),)),
                IpAddr::V6(a) => class.call1((u128::from(a),)),
            };
        }
        let class = classes[if it.is_cidr { 4 } else { 2 } + version].bind(py);
        class.call1((format!("{}/{}", it.address, it.prefix),))
    })())
}
