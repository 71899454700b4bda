//! Connections to PostgreSQL: bare sqlx connections under an executor, a pool and a transaction machine of our own.
//!
//! Knows sockets, SQLSTATEs and the life of a connection. Knows neither statement nodes nor Python: it gets text and
//! encoded parameters and gives raw rows.
pub mod bell;
pub mod canceller;
pub mod config;
pub mod connect;
pub mod connection;
pub mod copying;
pub mod error;
pub mod executor;
pub mod fork;
mod guard;
pub mod lease;
pub mod listener;
mod multirange;
pub mod pool;
pub mod reactor;
pub mod ready;
pub mod reply;
mod socket;
pub mod supervise;
pub mod types;
pub mod waiter;
mod wire_argument;

pub use error::{Error, Reached, ServerError};
pub use executor::{Executor, Home, Told};
pub use lease::{Lease, Status, Step};
pub use pool::Pool;
pub use reply::{Arrived, Reply, Shield, Typed};
pub use sqlx::postgres::{PgArguments, PgRow};
pub use sqlx::{Column, Row, ValueRef};
pub use wire_argument::Wire;
