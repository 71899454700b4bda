//! sqlx's type information to ours.
use crate::connection::reply::Typed;
use crate::connection::taught_types;
use crate::modifiers::Modifiers;
use data_bridge_wire::Type;
use data_bridge_wire::form::Form;
use sqlx::TypeInfo;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The OID of a type that sqlx has resolved; 0 where it has not.
pub fn oid(info: &PgTypeInfo) -> u32 {
    info.oid().map_or(0, |o| o.0)
}

/// What a parameter or column is.
pub fn resolve(info: &PgTypeInfo) -> Typed {
    let oid = oid(info);
    Typed { oid, layout: layout(info), name: Type::name(oid).unwrap_or_else(|| info.name().to_lowercase()).into() }
}

/// Whether ALTER TYPE can change how values are laid out: composites, and what is made of them.
pub fn may_change(info: &PgTypeInfo) -> bool {
    match info.kind() {
        PgTypeKind::Composite(_) => true,
        PgTypeKind::Domain(inner) | PgTypeKind::Array(inner) | PgTypeKind::Range(inner) => may_change(inner),
        _ => false,
    }
}

static OWN: AtomicBool = AtomicBool::new(false);

/// Whether a type was met that is none of the server's own.
pub fn has_own() -> bool {
    OWN.load(Relaxed)
}

fn layout(info: &PgTypeInfo) -> Type {
    if let Some(known) = Type::built_in(oid(info)) {
        return known;
    }
    OWN.store(true, Relaxed);
    let name = || -> Arc<str> { info.name().to_lowercase().into() };
    match info.kind() {
        PgTypeKind::Enum(_) => Type::Named(name(), Arc::new(Type::Text)),
        PgTypeKind::Domain(base) => layout(base),
        PgTypeKind::Array(element) if taught_types::is_multirange(info, element) => match layout(element) {
            Type::Range(bound) => Type::Multirange(bound),
            _ => Type::Unknown(name()),
        },
        PgTypeKind::Array(element) => Type::Array(oid(element), Arc::new(layout(element))),
        PgTypeKind::Range(bound) => Type::Range(Arc::new(layout(bound))),
        PgTypeKind::Composite(fields) => {
            let fields = fields.iter().map(|(name, info)| (name.as_str().into(), oid(info), layout(info))).collect();
            Type::Named(name(), Arc::new(Type::Composite(fields)))
        }
        _ => Type::of_extension(info.name()).unwrap_or_else(|| Type::Unknown(name())),
    }
}

/// The OID of `numeric`.
const NUMERIC: u32 = 1700;

/// Whether a type holds numerics, whose modifier that of the column tells. Notes the domains and composite types inside,
/// whose own modifiers the catalog has.
pub fn modifiers(info: &PgTypeInfo, domains: &mut BTreeSet<u32>, composites: &mut BTreeSet<u32>) -> bool {
    match info.kind() {
        PgTypeKind::Domain(base) => {
            if modifiers(base, domains, composites) {
                domains.insert(oid(info));
            }
            false
        }
        PgTypeKind::Array(element) => modifiers(element, domains, composites),
        PgTypeKind::Range(bound) => {
            modifiers(bound, domains, composites);
            false
        }
        PgTypeKind::Composite(fields) => {
            for (_, field) in fields.iter() {
                if modifiers(field, domains, composites) {
                    composites.insert(oid(info));
                }
            }
            false
        }
        _ => oid(info) == NUMERIC,
    }
}

/// What a type consists of, with the modifier of its column (-1: none).
pub fn form(info: &PgTypeInfo, modifier: i32, known: &Modifiers) -> Form {
    if let Some(layout) = Type::built_in(oid(info)) {
        return Form::of(&layout, modifier);
    }
    let of_bound = |bound: &PgTypeInfo| Arc::new(form(bound, -1, known));
    match info.kind() {
        PgTypeKind::Enum(labels) => Form::Enum(labels.iter().map(|label| label.as_str().into()).collect()),
        // A domain over a domain has the modifier of that one.
        PgTypeKind::Domain(base) => form(base, known.domain(oid(info)).max(modifier), known),
        PgTypeKind::Array(element) if taught_types::is_multirange(info, element) => match form(element, -1, known) {
            Form::Range(bound) => Form::Multirange(bound),
            _ => Form::Plain(layout(info)),
        },
        PgTypeKind::Array(element) => Form::Array(Arc::new(form(element, modifier, known))),
        PgTypeKind::Range(bound) => Form::Range(of_bound(bound)),
        PgTypeKind::Composite(fields) => {
            let of = |(name, field): &(String, PgTypeInfo)| {
                let modifier = known.field(oid(info), name);
                (name.as_str().into(), oid(field), form(field, modifier, known))
            };
            Form::Composite(fields.iter().map(of).collect())
        }
        _ => Form::Plain(layout(info)),
    }
}
