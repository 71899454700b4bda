//! Data frames: rows of the wire to columns of Arrow, and columns of Arrow to the rows of a binary COPY.
//!
//! Knows neither Python nor connections. Every value arrives as it was or is an error that names its column; nothing is
//! rounded and nothing is guessed.
pub mod copy;
pub mod decode;
pub mod encode;
pub mod frame;
pub mod misfit;
pub mod options;
pub mod schema;

pub use copy::{CopyColumn, FrameCopy};
pub use frame::{Frame, FrameBuilder};
pub use misfit::Misfit;
pub use options::{Numerics, Options};
