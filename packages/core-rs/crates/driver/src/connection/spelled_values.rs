//! Parameters as text: sqlx sends the binary form alone, and the server makes it of a text.
use super::Connection;
use crate::connection::arguments::{Arguments, Value};
use crate::error::Error;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Executor, Row};

const TEXT: u32 = 25;

impl Connection {
    /// The parameters in the form that sqlx sends. A text takes one round trip, and the first one of its type another, in
    /// the session and the transaction of the statement: an error is what the statement's own would be.
    pub(super) async fn in_binary(&mut self, args: Arguments, persistent: bool) -> Result<PgArguments, Error> {
        let values = match args.into_encoded() {
            Ok(encoded) => return Ok(encoded),
            Err(values) => values,
        };
        let mut args = Arguments::default();
        for value in values {
            match value {
                Value::Binary(oid, bytes) => args.add(oid, bytes.as_deref()),
                Value::Text(oid, text) => args.add(oid, Some(&self.binary_of(oid, &text, persistent).await?)),
            }
            .map_err(Error::Configuration)?;
        }
        args.into_encoded().map_err(|_| Error::Protocol("parameters stay text".into()))
    }

    async fn binary_of(&mut self, oid: u32, text: &[u8], persistent: bool) -> Result<Vec<u8>, Error> {
        let question = self.question(oid, persistent).await?;
        let answer = self.ask(&question, TEXT, text, persistent).await;
        if answer.is_err() {
            // The type may have another name now.
            self.texts.spelled.remove(&oid);
        }
        answer
    }

    /// The statement that answers with the binary form of a text.
    async fn question(&mut self, oid: u32, persistent: bool) -> Result<String, Error> {
        if let Some(known) = self.texts.spelled.get(&oid) {
            return Ok(known.clone());
        }
        const FIND: &str = "SELECT CASE WHEN t.typsend <> 0 THEN pg_catalog.convert_to(pg_catalog.format(\
            'SELECT %I.%I($1::pg_catalog.text::%I.%I)', f.nspname, p.proname, n.nspname, t.typname), 'UTF8') END \
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
            LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.typsend \
            LEFT JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace WHERE t.oid = $1";
        let found = self.ask(FIND, 26, &oid.to_be_bytes(), persistent).await?;
        let question = String::from_utf8(found).map_err(|e| Error::Protocol(e.to_string()))?;
        self.texts.spelled.insert(oid, question.clone());
        Ok(question)
    }

    async fn ask(&mut self, sql: &str, oid: u32, bytes: &[u8], persistent: bool) -> Result<Vec<u8>, Error> {
        let mut args = Arguments::default();
        args.add(oid, Some(bytes)).map_err(Error::Configuration)?;
        let args = args.into_encoded().map_err(|_| Error::Protocol("parameters stay text".into()))?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), args).persistent(persistent);
        let row = self.pg.fetch_one(query).await.map_err(|e| Error::from_sqlx(e, true))?;
        row.try_get::<Option<Vec<u8>>, _>(0).map_err(|e| Error::Protocol(e.to_string()))?.ok_or_else(|| {
            Error::Configuration(
                "register_type(): encode returned str, and the type has no send function, which makes the binary form: \
                 cast the parameter in SQL, as in $1::text::type"
                    .into(),
            )
        })
    }
}
