//! Running statements: on any connection of a pool, or on one that an owner keeps.
mod give_back;
pub mod lease;
pub mod single;
pub mod supervise;
