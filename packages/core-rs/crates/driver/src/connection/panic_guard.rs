//! Polling what reads a server's bytes: a server may lie, and it may talk without a pause.
//!
//! sqlx trusts the lengths inside a message, so one that lies makes it panic; that costs the connection and nothing else.
//! And it skips notices in a loop that ends only when the socket is empty. tokio's budget ends it earlier, but only tasks
//! of a runtime have one; a `LocalSet` lends it to futures that are polled by hand.
use crate::error::Error;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::{Pin, pin};
use std::sync::Once;
use std::task::{Context, Poll};
use tokio::task::LocalSet;

thread_local! {
    static BUDGET: LocalSet = LocalSet::new();
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// What such a panic says is about bytes of the server: it belongs in no log. Others are told as before.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !READING.try_with(Cell::get).unwrap_or(false) {
                before(panic);
            }
        }));
    });
}

/// Polls `future` once. After an error it must not be polled again, and its connection must be closed.
///
/// # Errors
/// [`Error::Protocol`] when the answer could not be read.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Error>> {
    keep_quiet();
    READING.with(|reading| reading.set(true));
    let polled = catch_unwind(AssertUnwindSafe(|| BUDGET.with(|budget| pin!(budget.run_until(future)).poll(cx))));
    READING.with(|reading| reading.set(false));
    match polled {
        Ok(polled) => polled.map(Ok),
        Err(_) => Poll::Ready(Err(Error::Protocol("a message of the server cannot be read".into()))),
    }
}
