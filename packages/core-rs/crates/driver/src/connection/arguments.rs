//! Parameters that are encoded already, in the form that sqlx sends.
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Encode, Type};

/// From this many bytes on, memory is not kept for what may come next: no copy is made for a second attempt, and the
/// connection's buffers are released after sending.
pub(crate) const LARGE: usize = 1 << 20;

/// The parameters of one statement.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    encoded: PgArguments,
    size: usize,
}

impl Arguments {
    /// Appends a parameter: the OID of its type and its bytes, `None` for NULL.
    ///
    /// # Errors
    /// When the value is larger than PostgreSQL can take (1 GiB − 1).
    pub fn add(&mut self, oid: u32, bytes: Option<&[u8]>) -> Result<(), String> {
        const LIMIT: usize = 0x3fff_ffff;
        let size = bytes.map_or(0, <[u8]>::len);
        if size > LIMIT {
            return Err(format!("the value has {size} bytes, PostgreSQL takes at most {LIMIT}"));
        }
        self.size += size;
        self.encoded.add(Wire(oid, bytes)).map_err(|e| e.to_string())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.encoded.len() == 0
    }

    pub(crate) fn is_large(&self) -> bool {
        self.size >= LARGE
    }

    pub(crate) fn into_encoded(self) -> PgArguments {
        self.encoded
    }
}

struct Wire<'a>(u32, Option<&'a [u8]>);

impl Type<Postgres> for Wire<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl<'q> Encode<'q, Postgres> for Wire<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(b) = self.1 else { return Ok(IsNull::Yes) };
        buffer.extend_from_slice(b);
        Ok(IsNull::No)
    }
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.0)))
    }
}
