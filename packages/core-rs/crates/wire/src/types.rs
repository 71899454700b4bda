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
    /// `interval` of a field whose values have no months, as a timedelta has none
    Duration,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// `void`, the result of a function that returns nothing
    Void,
    /// `time with time zone`
    TimeTz,
    /// `"char"`: one byte
    Char,
    /// `xid8`: unsigned 64 bits
    Xid8,
    /// `pg_lsn`
    Lsn,
    /// `tid`: block and offset
    Tid,
    /// `pg_snapshot`, `txid_snapshot`
    Snapshot,
    /// `inet`
    Inet,
    /// `cidr`
    Cidr,
    /// `macaddr` and `macaddr8`, with the number of bytes
    Mac(usize),
    /// `bit`, `varbit`
    Bits,
    /// `point` and the other geometric types
    Geometry(Geometry),
    /// Text behind a version byte: `jsonpath`, `ltree`, `lquery`, `ltxtquery`
    Versioned,
    /// `tsvector`
    TsVector,
    /// `tsquery`
    TsQuery,
    /// `hstore`
    Hstore,
    /// `vector` of pgvector
    Vector,
    /// `halfvec` of pgvector
    HalfVector,
    /// `sparsevec` of pgvector
    SparseVector,
    /// A range of this type
    Range(Arc<Type>),
    /// A multirange: ranges whose bounds have this type
    Multirange(Arc<Type>),
    /// A composite type: name, OID and type of each field
    Composite(Arc<[(Arc<str>, u32, Type)]>),
    /// An anonymous row
    Record,
    /// An array: the OID of its elements and their type
    Array(u32, Arc<Type>),
    /// An array whose values have just so many dimensions, as a field says of its column; then as `Array`
    Nested(usize, u32, Arc<Type>),
    /// `int2vector` and `oidvector`: arrays of one dimension that count from 0
    ZeroBased(u32, Arc<Type>),
    /// `anyarray` of the statistics views: an array whose header alone says what its elements are
    AnyArray,
    /// An enum or composite type by its name, which an application may have registered
    Named(Arc<str>, Arc<Type>),
    /// A type that an application registered: its number, and the layout whose value its functions take and give
    /// instead of bytes
    Registered(u32, Option<Arc<Type>>),
    /// A type without a codec of ours; carries its name, which an application may have registered
    Unknown(Arc<str>),
}

/// The geometric types, which are made of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Geometry {
    /// x, y
    Point,
    /// A, B, C of Ax + By + C = 0
    Line,
    /// Two ends
    Segment,
    /// Two corners
    Box,
    /// Whether it is closed, and its points
    Path,
    /// Points
    Polygon,
    /// Center and radius
    Circle,
}

/// `(oid, oid of its array, layout, name)` of the built-in types that are known here.
static BUILT_IN: &[(u32, u32, Type, &str)] = &[
    (16, 1000, Type::Bool, "bool"),
    (17, 1001, Type::Bytea, "bytea"),
    (18, 1002, Type::Char, "\"char\""),
    (19, 1003, Type::Text, "name"),
    (20, 1016, Type::Int8, "int8"),
    (21, 1005, Type::Int2, "int2"),
    (23, 1007, Type::Int4, "int4"),
    (24, 1008, Type::Oid, "regproc"),
    (25, 1009, Type::Text, "text"),
    (26, 1028, Type::Oid, "oid"),
    (27, 1010, Type::Tid, "tid"),
    (28, 1011, Type::Oid, "xid"),
    (29, 1012, Type::Oid, "cid"),
    (114, 199, Type::Json, "json"),
    (142, 143, Type::Text, "xml"),
    (194, 0, Type::Text, "pg_node_tree"),
    (600, 1017, Type::Geometry(Geometry::Point), "point"),
    (601, 1018, Type::Geometry(Geometry::Segment), "lseg"),
    (602, 1019, Type::Geometry(Geometry::Path), "path"),
    (603, 1020, Type::Geometry(Geometry::Box), "box"),
    (604, 1027, Type::Geometry(Geometry::Polygon), "polygon"),
    (628, 629, Type::Geometry(Geometry::Line), "line"),
    (650, 651, Type::Cidr, "cidr"),
    (700, 1021, Type::Float4, "float4"),
    (701, 1022, Type::Float8, "float8"),
    (705, 0, Type::Text, "unknown"),
    (718, 719, Type::Geometry(Geometry::Circle), "circle"),
    (774, 775, Type::Mac(8), "macaddr8"),
    (829, 1040, Type::Mac(6), "macaddr"),
    (869, 1041, Type::Inet, "inet"),
    (1042, 1014, Type::Text, "bpchar"),
    (1043, 1015, Type::Text, "varchar"),
    (1082, 1182, Type::Date, "date"),
    (1083, 1183, Type::Time, "time"),
    (1114, 1115, Type::Timestamp, "timestamp"),
    (1184, 1185, Type::TimestampTz, "timestamptz"),
    (1186, 1187, Type::Interval, "interval"),
    (1266, 1270, Type::TimeTz, "timetz"),
    (1560, 1561, Type::Bits, "bit"),
    (1562, 1563, Type::Bits, "varbit"),
    (1700, 1231, Type::Numeric, "numeric"),
    (1790, 2201, Type::Text, "refcursor"),
    (2202, 2207, Type::Oid, "regprocedure"),
    (2203, 2208, Type::Oid, "regoper"),
    (2204, 2209, Type::Oid, "regoperator"),
    (2205, 2210, Type::Oid, "regclass"),
    (2206, 2211, Type::Oid, "regtype"),
    (2249, 2287, Type::Record, "record"),
    (2275, 1263, Type::Text, "cstring"),
    (2278, 0, Type::Void, "void"),
    (2950, 2951, Type::Uuid, "uuid"),
    (2970, 2949, Type::Snapshot, "txid_snapshot"),
    (3220, 3221, Type::Lsn, "pg_lsn"),
    (3614, 3643, Type::TsVector, "tsvector"),
    (3615, 3645, Type::TsQuery, "tsquery"),
    (3734, 3735, Type::Oid, "regconfig"),
    (3769, 3770, Type::Oid, "regdictionary"),
    (3802, 3807, Type::Jsonb, "jsonb"),
    (4072, 4073, Type::Versioned, "jsonpath"),
    (4089, 4090, Type::Oid, "regnamespace"),
    (4096, 4097, Type::Oid, "regrole"),
    (4191, 4192, Type::Oid, "regcollation"),
    (5038, 5039, Type::Snapshot, "pg_snapshot"),
    (5069, 271, Type::Xid8, "xid8"),
];

/// What is built on a type of bounds.
type Span = fn(Arc<Type>) -> Type;

/// `(oid, oid of its array, type of its bounds, name, what it is)` of the built-in ranges and multiranges.
static SPANS: &[(u32, u32, Type, &str, Span)] = &[
    (3904, 3905, Type::Int4, "int4range", Type::Range),
    (3906, 3907, Type::Numeric, "numrange", Type::Range),
    (3908, 3909, Type::Timestamp, "tsrange", Type::Range),
    (3910, 3911, Type::TimestampTz, "tstzrange", Type::Range),
    (3912, 3913, Type::Date, "daterange", Type::Range),
    (3926, 3927, Type::Int8, "int8range", Type::Range),
    (4451, 6150, Type::Int4, "int4multirange", Type::Multirange),
    (4532, 6151, Type::Numeric, "nummultirange", Type::Multirange),
    (4533, 6152, Type::Timestamp, "tsmultirange", Type::Multirange),
    (4534, 6153, Type::TimestampTz, "tstzmultirange", Type::Multirange),
    (4535, 6155, Type::Date, "datemultirange", Type::Multirange),
    (4536, 6157, Type::Int8, "int8multirange", Type::Multirange),
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
            2277 => return Some(Type::AnyArray),
            22 => return Some(Type::ZeroBased(21, Arc::new(Type::Int2))),
            30 => return Some(Type::ZeroBased(26, Arc::new(Type::Oid))),
            _ => {}
        }
        let own_or_array = |(own, array): (u32, u32), layout: &dyn Fn() -> Type| {
            if own == oid {
                Some(layout())
            } else if array == oid && oid != 0 {
                Some(Type::Array(own, Arc::new(layout())))
            } else {
                None
            }
        };
        let plain =
            BUILT_IN.iter().find_map(|(own, array, layout, _)| own_or_array((*own, *array), &|| layout.clone()));
        plain.or_else(|| {
            SPANS.iter().find_map(|(own, array, bound, _, span)| {
                own_or_array((*own, *array), &|| span(Arc::new(bound.clone())))
            })
        })
    }

    /// The layout of a type of an extension, by its name.
    #[must_use]
    pub fn of_extension(name: &str) -> Option<Type> {
        Some(match name.to_ascii_lowercase().rsplit('.').next()? {
            "citext" => Type::Text,
            "hstore" => Type::Hstore,
            "ltree" | "lquery" | "ltxtquery" => Type::Versioned,
            "vector" => Type::Vector,
            "halfvec" => Type::HalfVector,
            "sparsevec" => Type::SparseVector,
            _ => return None,
        })
    }

    /// The name of a built-in type (`int4`, `text[]`), for messages.
    #[must_use]
    pub fn name(oid: u32) -> Option<String> {
        names().find_map(|(own, array, name)| {
            if own == oid {
                Some(name.to_owned())
            } else if array == oid && oid != 0 {
                Some(format!("{name}[]"))
            } else {
                None
            }
        })
    }
    /// Whether a name is that of a built-in type with a codec of ours, as `pg_type` or as SQL writes it.
    #[must_use]
    pub fn is_built_in(name: &str) -> bool {
        const SPELLINGS: &[&str] = &[
            "bigint",
            "bit varying",
            "boolean",
            "char",
            "character",
            "character varying",
            "dec",
            "decimal",
            "double precision",
            "int",
            "int2vector",
            "integer",
            "oidvector",
            "real",
            "smallint",
            "time with time zone",
            "time without time zone",
            "timestamp with time zone",
            "timestamp without time zone",
        ];
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        SPELLINGS.contains(&name) || names().any(|(_, _, known)| known.trim_matches('"') == name)
    }
}

/// OID, OID of the array and name of every built-in type.
fn names() -> impl Iterator<Item = (u32, u32, &'static str)> {
    let plain = BUILT_IN.iter().map(|(own, array, _, name)| (*own, *array, *name));
    plain.chain(SPANS.iter().map(|(own, array, _, name, _)| (*own, *array, *name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_built_in_types() {
        assert_eq!(Type::built_in(1007), Some(Type::Array(23, Arc::new(Type::Int4))));
        assert_eq!(Type::name(1007).as_deref(), Some("int4[]"));
        assert_eq!(Type::built_in(3904), Some(Type::Range(Arc::new(Type::Int4))));
        assert_eq!(Type::built_in(6150), Some(Type::Array(4451, Arc::new(Type::Multirange(Arc::new(Type::Int4))))));
        assert_eq!(Type::name(6150).as_deref(), Some("int4multirange[]"));
        assert_eq!(Type::built_in(0), None);
        assert_eq!(Type::built_in(4_000_000), None);
    }

    #[test]
    fn names_of_built_in_types() {
        for name in ["jsonb", "int4", "integer", "pg_catalog.text", "int4range", "timestamp with time zone"] {
            assert!(Type::is_built_in(name), "{name}");
        }
        for name in ["money", "shop.point", "geography", "citext"] {
            assert!(!Type::is_built_in(name), "{name}");
        }
    }

    #[test]
    fn no_oid_twice() {
        let mut all: Vec<u32> = names().flat_map(|x| [x.0, x.1]).filter(|o| *o != 0).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }
}
