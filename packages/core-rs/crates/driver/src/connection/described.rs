//! The columns of a result before any row: what a result without rows is, and what the rows alone do not say.
//!
//! sqlx does not keep the modifiers of types, which hold precision and scale; the catalog has them for columns of tables,
//! domains and fields of composite types.
use crate::connection::Connection;
use crate::connection::prepared::KNOWN;
use crate::connection::reply::Described;
use crate::connection::text::Text;
use crate::error::Error;
use crate::modifiers::Modifiers;
use crate::types;
use sqlx::Column as _;
use sqlx::Statement;
use sqlx::postgres::{PgColumn, PgStatement};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the catalog is asked about these columns; `None` when it knows nothing that matters.
fn question(columns: &[PgColumn]) -> Option<String> {
    let (mut places, mut domains, mut composites) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for column in columns {
        let needs = types::modifiers(column.type_info(), &mut domains, &mut composites);
        if needs && let (Some(relation), Some(number)) = (column.relation_id(), column.relation_attribute_no()) {
            places.insert((relation.0, number));
        }
    }
    let list = |oids: &BTreeSet<u32>| oids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !places.is_empty() {
        // A result has the base type in place of a domain; the modifier is that of the domain all the same.
        let places = places.iter().map(|(oid, number)| format!("({oid}, {number})")).collect::<Vec<_>>().join(", ");
        parts.push(format!(
            "(WITH RECURSIVE c(relation, number, type, modifier) AS (\
             SELECT attrelid, attnum, atttypid, atttypmod FROM pg_catalog.pg_attribute \
             WHERE (attrelid, attnum) IN ({places}) UNION ALL \
             SELECT c.relation, c.number, t.typbasetype, t.typtypmod FROM c \
             JOIN pg_catalog.pg_type t ON t.oid = c.type WHERE t.typtype = 'd') \
             SELECT pg_catalog.format('column %s %s %s', relation, pg_catalog.max(modifier), number) FROM c \
             GROUP BY relation, number)"
        ));
    }
    if !domains.is_empty() {
        let domains = list(&domains);
        parts.push(format!(
            "SELECT pg_catalog.format('domain %s %s -', oid, typtypmod) FROM pg_catalog.pg_type WHERE oid IN ({domains})"
        ));
    }
    if !composites.is_empty() {
        let composites = list(&composites);
        parts.push(format!(
            "SELECT pg_catalog.format('field %s %s %s', t.oid, a.atttypmod, a.attname) FROM pg_catalog.pg_type t \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid WHERE t.oid IN ({composites}) AND a.attnum > 0"
        ));
    }
    (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
}

impl Connection {
    /// The columns of a statement, or of the cursor that it declares; remembered until the statement is prepared again.
    pub(super) async fn columns(
        &mut self,
        text: &Text,
        sql: &Arc<str>,
        kept: Option<&PgStatement>,
    ) -> Result<Arc<[Described]>, Error> {
        let query: Arc<str> = match text.cursor_query() {
            // The text that is sent begins as the one that was given.
            Some(query) => sql[text.sql.len() - query.len()..].trim_start().into(),
            None => sql.clone(),
        };
        let statement = match kept.filter(|_| text.cursor_query().is_none()) {
            Some(statement) => statement.clone(),
            None => self.describe(&query).await?.1,
        };
        if self.pooled {
            self.script("DEALLOCATE ALL").await?;
        }
        let columns = statement.columns();
        if let Some(known) = self.texts.columns.get(&text.key).filter(|known| are(columns, known)) {
            return Ok(known.clone());
        }
        let mut modifiers = Modifiers::default();
        if let Some(question) = question(columns) {
            for line in self.texts(&question).await? {
                modifiers.take(&line);
            }
        }
        let made: Arc<[Described]> = columns
            .iter()
            .map(|column| Described {
                name: column.name().into(),
                typed: types::resolve(column.type_info()),
                form: types::form(column.type_info(), modifiers.column(column), &modifiers),
            })
            .collect();
        if self.texts.columns.len() >= KNOWN {
            self.texts.columns.clear();
        }
        if !self.pooled && !columns.iter().any(|c| types::may_change(c.type_info())) {
            self.texts.columns.insert(text.key, made.clone());
        }
        Ok(made)
    }
}

/// Whether columns are still those that are remembered: sqlx may have prepared the statement again meanwhile.
fn are(columns: &[PgColumn], known: &[Described]) -> bool {
    let same = |(column, known): (&PgColumn, &Described)| {
        column.name() == &*known.name && types::oid(column.type_info()) == known.typed.oid
    };
    columns.len() == known.len() && columns.iter().zip(known).all(same)
}
