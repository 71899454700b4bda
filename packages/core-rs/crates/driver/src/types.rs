//! sqlx's type information to ours.
use crate::reply::Typed;
use data_bridge_wire::Type;
use sqlx::TypeInfo;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};
use std::sync::Arc;

/// The OID of a type that sqlx has resolved; 0 where it has not.
pub fn oid(info: &PgTypeInfo) -> u32 {
    info.oid().map_or(0, |o| o.0)
}

/// What a parameter or column is.
pub fn resolve(info: &PgTypeInfo) -> Typed {
    let oid = oid(info);
    Typed { oid, layout: layout(info), name: Type::name(oid).unwrap_or_else(|| info.name().to_lowercase()).into() }
}

fn layout(info: &PgTypeInfo) -> Type {
    if let Some(known) = Type::built_in(oid(info)) {
        return known;
    }
    match info.kind() {
        PgTypeKind::Enum(_) => Type::Text,
        PgTypeKind::Domain(base) => layout(base),
        PgTypeKind::Array(element) => match layout(element) {
            Type::Unknown(name) => Type::Unknown(format!("{name}[]").into()),
            known => Type::Array(oid(element), Arc::new(known)),
        },
        _ if info.name().eq_ignore_ascii_case("citext") => Type::Text,
        _ => Type::Unknown(info.name().to_lowercase().into()),
    }
}
