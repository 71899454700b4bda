//! Values: from Python to PostgreSQL's binary formats and back.
pub mod decode;
pub mod encode;
pub mod json;
pub mod registered;
