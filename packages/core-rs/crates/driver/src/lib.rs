//! Connections to PostgreSQL: bare sqlx connections under an executor, a pool and a transaction machine of our own.
//!
//! Knows sockets, SQLSTATEs and the life of a connection. Knows neither statement nodes nor Python: it gets text and
//! encoded parameters and gives raw rows.
pub mod config;
pub mod connection;
pub mod error;
pub mod event_loop;
pub mod execution;
pub mod modifiers;
pub mod pool;
pub mod types;

pub use connection::arguments::Arguments;
pub use connection::reply::{Arrived, Described, Reply, Shield, Typed};
pub use error::{Error, Reached, ServerError};
pub use event_loop::executor::{Executor, Home, Told};
pub use execution::lease::{Lease, Status, Step};
pub use pool::Pool;
pub use sqlx::postgres::PgRow;
pub use sqlx::{Column, Row, ValueRef};
