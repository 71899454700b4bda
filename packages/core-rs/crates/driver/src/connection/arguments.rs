//! Parameters that are encoded already, in the form that sqlx sends.
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Encode, Type};

/// From this many bytes on, memory is not kept for what may come next: no copy is made for a second attempt, and the
/// connection's buffers are released after sending.
pub(crate) const LARGE: usize = 1 << 20;

/// What PostgreSQL takes at most.
const LIMIT: usize = 0x3fff_ffff;

/// The parameters of one statement.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    encoded: PgArguments,
    size: usize,
    /// All of them, where some may be text that the server turns into their binary form.
    values: Option<Vec<Value>>,
}

/// A parameter of statements that may have some as text.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// In the binary form; `None` for NULL.
    Binary(u32, Option<Vec<u8>>),
    /// As text, which sqlx cannot send.
    Text(u32, Vec<u8>),
}

impl Arguments {
    /// No parameters yet, of which some may be text.
    #[must_use]
    pub fn with_texts() -> Self {
        Self { values: Some(Vec::new()), ..Self::default() }
    }

    /// Appends a parameter: the OID of its type and its bytes, `None` for NULL.
    ///
    /// # Errors
    /// When the value is larger than PostgreSQL can take (1 GiB − 1).
    pub fn add(&mut self, oid: u32, bytes: Option<&[u8]>) -> Result<(), String> {
        self.grow(bytes.map_or(0, <[u8]>::len))?;
        match &mut self.values {
            Some(values) => values.push(Value::Binary(oid, bytes.map(<[u8]>::to_vec))),
            None => self.encoded.add(Wire(oid, bytes)).map_err(|e| e.to_string())?,
        }
        Ok(())
    }

    /// Appends a parameter as the text that the type's input function takes.
    ///
    /// # Errors
    /// When the text is larger than PostgreSQL can take.
    ///
    /// # Panics
    /// When the parameters were not made by [`Arguments::with_texts`].
    pub fn add_text(&mut self, oid: u32, text: Vec<u8>) -> Result<(), String> {
        self.grow(text.len())?;
        self.values.as_mut().expect("parameters that may be text").push(Value::Text(oid, text));
        Ok(())
    }

    fn grow(&mut self, size: usize) -> Result<(), String> {
        if size > LIMIT {
            return Err(format!("the value has {size} bytes, PostgreSQL takes at most {LIMIT}"));
        }
        self.size += size;
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.encoded.len() == 0 && self.values.as_ref().is_none_or(Vec::is_empty)
    }

    pub(crate) fn is_large(&self) -> bool {
        self.size >= LARGE
    }

    /// The parameters for sqlx, or those of which some may be text.
    pub(crate) fn into_encoded(self) -> Result<PgArguments, Vec<Value>> {
        self.values.map_or(Ok(self.encoded), Err)
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
