//! `json` and `jsonb` to Python objects and back, without an intermediate tree.
mod read;
mod write;

pub use read::read;
pub use write::write;
