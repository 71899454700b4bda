//! Running statements: on any connection of a pool, or on one that an owner keeps.
pub mod lease;
pub mod single;
pub mod supervise;
