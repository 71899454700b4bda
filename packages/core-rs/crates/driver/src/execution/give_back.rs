//! The end of a caller's use of a connection.
use crate::connection::Connection;
use crate::connection::effect::Defines;
use crate::connection::patience::{patience, within};
use crate::event_loop::executor::Home;
use crate::pool::Pool;
use std::sync::Arc;
use std::time::Instant;

/// Returns a connection to its pool, reset when its session may have been changed.
pub async fn give_back(pool: &Arc<Pool>, home: &Home, mut connection: Connection, counted: bool) {
    if !counted {
        return connection.close().await;
    }
    connection.defines = Defines::Nothing;
    if pool.session.has_work(&connection) {
        // This is not awaited: an unresponsive connection would keep its place for good.
        let until = Instant::now() + patience(connection.meta.connecting);
        if !matches!(within(home, until, pool.session.clean(&mut connection)).await, Some(Ok(()))) {
            return pool.discard(connection);
        }
    }
    pool.release(connection);
}
