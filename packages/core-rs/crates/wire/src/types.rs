//! Which binary format a type OID stands for.
use std::sync::Arc;

/// How the bytes of a value are laid out. Types that share a layout share a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int2`
    Int2,
    /// `int4`
    Int4,
    /// `int8`
    Int8,
    /// `oid`, `xid`, `cid` and the `reg…` types: unsigned 32 bits
    Oid,
    /// `float4`
    Float4,
    /// `float8`
    Float8,
    /// `numeric`
    Numeric,
    /// UTF-8 text: `text`, `varchar`, `bpchar`, `name`, `xml`, `citext`, enum labels
    Text,
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    TimestampTz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// `void`, the result of a function that returns nothing
    Void,
    /// An array: the OID of its elements and their type
    Array(u32, Arc<Type>),
    /// A type without a decoder of ours; carries its name for the message
    Unknown(Arc<str>),
}

/// `(oid, oid of its array, layout, name)` of the built-in types that are known here.
static BUILT_IN: &[(u32, u32, Type, &str)] = &[
    (16, 1000, Type::Bool, "bool"),
    (17, 1001, Type::Bytea, "bytea"),
    (19, 1003, Type::Text, "name"),
    (20, 1016, Type::Int8, "int8"),
    (21, 1005, Type::Int2, "int2"),
    (23, 1007, Type::Int4, "int4"),
    (25, 1009, Type::Text, "text"),
    (26, 1028, Type::Oid, "oid"),
    (28, 1011, Type::Oid, "xid"),
    (29, 1012, Type::Oid, "cid"),
    (114, 199, Type::Json, "json"),
    (142, 143, Type::Text, "xml"),
    (700, 1021, Type::Float4, "float4"),
    (701, 1022, Type::Float8, "float8"),
    (705, 0, Type::Text, "unknown"),
    (1042, 1014, Type::Text, "bpchar"),
    (1043, 1015, Type::Text, "varchar"),
    (1082, 1182, Type::Date, "date"),
    (1083, 1183, Type::Time, "time"),
    (1114, 1115, Type::Timestamp, "timestamp"),
    (1184, 1185, Type::TimestampTz, "timestamptz"),
    (1186, 1187, Type::Interval, "interval"),
    (1700, 1231, Type::Numeric, "numeric"),
    (2205, 2210, Type::Oid, "regclass"),
    (2206, 2211, Type::Oid, "regtype"),
    (2278, 0, Type::Void, "void"),
    (2950, 2951, Type::Uuid, "uuid"),
    (3802, 3807, Type::Jsonb, "jsonb"),
];

impl Type {
    /// The layout of a built-in type, by its OID.
    #[must_use]
    pub fn built_in(oid: u32) -> Option<Type> {
        // The commonest first: a match is compiled to a jump, the table serves the rest.
        match oid {
            16 => return Some(Type::Bool),
            20 => return Some(Type::Int8),
            23 => return Some(Type::Int4),
            25 | 1043 => return Some(Type::Text),
            _ => {}
        }
        BUILT_IN.iter().find_map(|(own, array, layout, _)| {
            if *own == oid {
                Some(layout.clone())
            } else if *array == oid && oid != 0 {
                Some(Type::Array(*own, Arc::new(layout.clone())))
            } else {
                None
            }
        })
    }

    /// The name of a built-in type (`int4`, `text[]`), for messages.
    #[must_use]
    pub fn name(oid: u32) -> Option<String> {
        BUILT_IN.iter().find_map(|(own, array, _, name)| {
            if *own == oid {
                Some((*name).to_owned())
            } else if *array == oid && oid != 0 {
                Some(format!("{name}[]"))
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_built_in_types() {
        assert_eq!(Type::built_in(1007), Some(Type::Array(23, Arc::new(Type::Int4))));
        assert_eq!(Type::name(1007).as_deref(), Some("int4[]"));
        assert_eq!(Type::built_in(0), None);
        assert_eq!(Type::built_in(4_000_000), None);
    }

    #[test]
    fn no_oid_twice() {
        let mut all: Vec<u32> = BUILT_IN.iter().flat_map(|x| [x.0, x.1]).filter(|o| *o != 0).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }
}
