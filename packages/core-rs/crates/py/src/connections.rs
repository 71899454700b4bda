//! Pools, leases, COPY and LISTEN, as Python sees them.
pub mod copy;
pub mod frame_copy;
pub mod lease;
pub mod listen;
pub mod password;
pub mod pool;
