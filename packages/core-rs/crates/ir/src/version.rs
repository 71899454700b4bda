/// The meaning of the structures. It rises only when an existing tag changes its meaning.
pub const IR_VERSION: u32 = 1;

/// What this build understands. A new tag adds a name; the Python packages ask for what they use.
pub const FEATURES: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "merge",
    "values",
    "compound",
    "raw",
    "truncate",
    "explain",
    "copy",
    "cte",
    "window",
    "grouping",
    "locking",
    "sample",
    "lateral",
    "conflict",
    "unnest",
    "same",
    "ordinal",
    "old_new",
    "ddl",
    "styled",
    "rows_from",
];
