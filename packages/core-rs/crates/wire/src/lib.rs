//! PostgreSQL's binary formats: borrowed bytes to plain Rust views, and back.
//!
//! Nothing here does I/O, knows Python or allocates more than the value it makes. Layouts follow the `*_send` and `*_recv`
//! functions of PostgreSQL; all integers are big-endian, days and microseconds count from 2000-01-01.
pub mod array;
pub mod bits;
pub mod civil;
pub mod composite;
pub mod error;
pub mod form;
pub mod hstore;
pub mod interval;
pub mod network;
pub mod numeric;
pub mod range;
pub mod sparse;
pub mod text_search;
pub mod types;
pub mod vector;

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

/// A value with its length before it, and what follows; `None` is NULL.
///
/// # Errors
/// [`WireError::Truncated`].
#[inline]
pub(crate) fn sized(b: &[u8]) -> Result<(Option<&[u8]>, &[u8]), WireError> {
    let (head, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let Ok(n) = usize::try_from(i32::from_be_bytes(*head)) else { return Ok((None, rest)) };
    if n > rest.len() { Err(WireError::Truncated) } else { Ok((Some(&rest[..n]), &rest[n..])) }
}

/// A count of items that take at least eight bytes each, and the items.
///
/// # Errors
/// [`WireError`] when it is missing, negative, or promises more than there is; `what` it counts is for the message.
pub(crate) fn counted<'a>(b: &'a [u8], what: &'static str) -> Result<(usize, &'a [u8]), WireError> {
    let (head, rest) = b.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let count = usize::try_from(i32::from_be_bytes(*head)).map_err(|_| WireError::Malformed(what))?;
    if count > rest.len() / 8 { Err(WireError::Truncated) } else { Ok((count, rest)) }
}
