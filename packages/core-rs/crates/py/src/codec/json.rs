//! `json` and `jsonb` to Python objects and back, without an intermediate tree.
mod compare;
mod read;
mod write;

pub use compare::json_equals;
pub use read::read;
pub use write::write;
