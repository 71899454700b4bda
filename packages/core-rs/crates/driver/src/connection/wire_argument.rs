//! Parameters that are encoded already, in the form that sqlx sends.
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments, Encode, Type};

/// One parameter: the OID of its type and its bytes, `None` for NULL.
pub struct Wire<'a>(u32, Option<&'a [u8]>);

impl Wire<'_> {
    /// Appends a parameter.
    ///
    /// # Errors
    /// When the value is larger than PostgreSQL can take (1 GiB − 1).
    pub fn add(args: &mut PgArguments, oid: u32, bytes: Option<&[u8]>) -> Result<(), String> {
        const LIMIT: usize = 0x3fff_ffff;
        if let Some(b) = bytes
            && b.len() > LIMIT
        {
            return Err(format!("the value has {} bytes, PostgreSQL takes at most {LIMIT}", b.len()));
        }
        args.add(Wire(oid, bytes)).map_err(|e| e.to_string())
    }
}

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
