//! Modifiers of types, which hold precision and scale and which sqlx does not keep.
use sqlx::postgres::PgColumn;
use std::collections::HashMap;
use std::sync::Arc;

/// The modifiers that the catalog has: of columns, of domains, and of fields of composite types.
#[derive(Debug, Default)]
pub struct Modifiers {
    columns: HashMap<(u32, i16), i32>,
    domains: HashMap<u32, i32>,
    fields: HashMap<(u32, Arc<str>), i32>,
}

impl Modifiers {
    /// That of a column; -1 where it is not one of a table.
    #[must_use]
    pub fn column(&self, column: &PgColumn) -> i32 {
        let place = column.relation_id().map(|oid| oid.0).zip(column.relation_attribute_no());
        place.and_then(|place| self.columns.get(&place)).copied().unwrap_or(-1)
    }

    /// That of a domain.
    #[must_use]
    pub fn domain(&self, oid: u32) -> i32 {
        self.domains.get(&oid).copied().unwrap_or(-1)
    }

    /// That of a field of a composite type.
    #[must_use]
    pub fn field(&self, composite: u32, name: &str) -> i32 {
        self.fields.get(&(composite, name.into())).copied().unwrap_or(-1)
    }

    /// Takes a line of the catalog's answer: what it is of, its OID, the modifier, and the number or name of the column.
    pub fn take(&mut self, line: &str) -> Option<()> {
        let mut parts = line.splitn(4, ' ');
        let (kind, oid, modifier, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (oid, modifier): (u32, i32) = (oid.parse().ok()?, modifier.parse().ok()?);
        match kind {
            "column" => self.columns.insert((oid, rest.parse().ok()?), modifier),
            "domain" => self.domains.insert(oid, modifier),
            _ => self.fields.insert((oid, rest.into()), modifier),
        };
        Some(())
    }
}
