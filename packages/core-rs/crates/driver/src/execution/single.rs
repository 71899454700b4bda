//! One statement on any connection of a pool.
use crate::connection::Work;
use crate::connection::effect::Effect;
use crate::connection::reply::Reply;
use crate::event_loop::executor::Home;
use crate::execution::give_back::give_back;
use crate::execution::supervise::{settle, supervise};
use crate::pool::Pool;
use std::sync::Arc;

/// One statement on any connection of the pool.
pub async fn single(pool: Arc<Pool>, home: Arc<Home>, work: Work, effect: Effect, reply: Arc<Reply>) {
    if reply.has_expired() {
        return;
    }
    let mut connection = match pool.acquire(&home, &reply).await {
        Ok(connection) => connection,
        Err(e) => return reply.finish(Err(e)),
    };
    connection.dirty |= pool.session.makes_dirty(&effect);
    connection.suspect |= matches!(work, Work::Simple(_));
    let result = supervise(&pool, &home, &mut connection, work, &reply, false).await;
    pool.defined(effect.defines);
    reply.finish(result.clone());
    if settle(&home, &mut connection, &reply, &result).await {
        give_back(&pool, &home, connection, true).await;
    } else {
        pool.discard(connection);
    }
}
