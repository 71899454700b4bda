//! The bridge between event loops of Python and futures of the driver.
pub mod bridge;
pub mod completion;
pub mod future;
pub mod operation;
pub mod reactor_kind;
