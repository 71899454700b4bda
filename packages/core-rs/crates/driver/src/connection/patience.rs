//! How long an answer is waited for.
use crate::event_loop::executor::Home;
use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// A statement that does not react to signals for so long loses its connection; a fifth of it is left for the proof that
/// a connection is clean, so that its place is free within a second.
const PATIENCE: Duration = Duration::from_millis(800);
/// … or for so many times what connecting took, where the server is far: to cancel, a connection must be made first.
const CONNECTS: u32 = 3;
/// … but not for longer than this.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a statement on a connection that took `connecting` to be made may go on once it was cancelled.
pub(crate) fn patience(connecting: Duration) -> Duration {
    (connecting * CONNECTS).clamp(PATIENCE, LIMIT)
}

/// What `future` gives, if it does so in time.
pub(crate) async fn within<F: Future>(home: &Home, until: Instant, future: F) -> Option<F::Output> {
    match select(pin!(future), home.reactor.sleep(until)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
