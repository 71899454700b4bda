//! The statement tree of data-bridge: what crosses the seam from Python to Rust.
//!
//! A *structure* is a nested tuple of strings, integers and nulls ([`Tree`]). [`decode`] turns it into a typed
//! [`Statement`] or says where it is wrong. This crate knows no SQL text, no I/O and no Python; the written contract is
//! `contract/ir.md`, with one entry per tag.
//!
//! ```
//! let tree = serde_json::json!(["delete", ["table", null, "users", null], [["=", ["col", null, "id"], "$"]], [], null]);
//! let decoded = data_bridge_ir::decode(&&tree).unwrap();
//! assert_eq!(decoded.params, 1);
//! ```

mod ddl;
mod decode;
mod error;
mod expr;
mod json;
mod name;
mod statement;
mod tags;
mod tree;
mod version;

pub use ddl::*;
pub use decode::{Decoded, decode};
pub use error::Error;
pub use expr::*;
pub use name::{Name, Path, TypeName};
pub use statement::*;
pub use tags::*;
pub use tree::{Leaf, Tree};
pub use version::{FEATURES, IR_VERSION};
