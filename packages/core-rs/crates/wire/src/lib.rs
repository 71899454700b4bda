//! PostgreSQL's binary formats: borrowed bytes to plain Rust views, and back.
//!
//! Nothing here does I/O, knows Python or allocates more than the value it makes. Layouts follow the `*_send` and `*_recv`
//! functions of PostgreSQL; all integers are big-endian, days and microseconds count from 2000-01-01.
pub mod array;
pub mod civil;
pub mod error;
pub mod interval;
pub mod numeric;
pub mod types;

pub use error::WireError;
pub use types::Type;

/// The first `N` bytes of a value of exactly `N` bytes.
///
/// # Errors
/// [`WireError::Length`] when the value has another length.
#[inline]
pub fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], WireError> {
    bytes.try_into().map_err(|_| WireError::Length { expected: N, got: bytes.len() })
}
