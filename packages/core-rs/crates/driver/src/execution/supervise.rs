//! Running a statement to its end, whatever its caller does meanwhile.
//!
//! A future of sqlx is never dropped half-way: what a dropped one leaves on the wire reaches the next statement. A caller
//! who gives up only leaves a mark; the statement is then cancelled on the server, its answer is awaited, and the
//! connection is used again only when nothing that was sent for it can still be under way.
use crate::connection::panic_guard;
use crate::connection::patience::{patience, within};
use crate::connection::reply::{Reply, Wanted, cancel};
use crate::connection::{Connection, Work};
use crate::error::{Error, Reached};
use crate::event_loop::executor::Home;
use crate::pool::Pool;
use crate::pool::canceller;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::*;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long the caller of a statement whose time is over waits to hear whether the server cancelled it.
const OUTCOME: Duration = Duration::from_millis(250);

/// Does `work` on `connection`.
///
/// # Errors
/// The statement's. Call [`settle`] afterwards, when the caller has been told.
pub async fn supervise(
    pool: &Arc<Pool>,
    home: &Arc<Home>,
    connection: &mut Connection,
    work: Work,
    reply: &Arc<Reply>,
    in_transaction: bool,
) -> Result<(), Error> {
    let started = reply.timed.load(Relaxed).then(Instant::now);
    let meta = connection.meta.clone();
    let mut timer = reply.deadline.map(|(at, _)| home.reactor.sleep(at));
    let mut asked = false;
    let mut silence = None;
    let mut told = None;
    meta.busy.store(true, Release);
    reply.running.store(meta.pid, Release);
    let result = {
        let mut task = pin!(connection.perform(work, reply, in_transaction));
        poll_fn(|cx| {
            if let Poll::Ready(result) = panic_guard::poll(task.as_mut(), cx) {
                return Poll::Ready(result.and_then(|end| end));
            }
            if let Some(t) = timer.as_mut()
                && t.as_mut().poll(cx).is_ready()
            {
                timer = None;
                // The caller is told what became of the statement, unless that is long in coming.
                told = reply.is_late().then(|| home.reactor.sleep(Instant::now() + OUTCOME));
            }
            if let Some(t) = told.as_mut()
                && t.as_mut().poll(cx).is_ready()
            {
                told = None;
                reply.late(Reached::Running);
            }
            if reply.gave_up() && meta.pid == 0 {
                // Whom a signal would hit is unknown. The pooler sees the connection close and gives up its server's.
                let message = "the statement was given up, and its connection with it".to_owned();
                return Poll::Ready(Err(Error::Lost { message, sent: true, server: None }));
            }
            if reply.gave_up() && !asked {
                asked = true;
                reply.cancel.store(cancel::ASKED, Release);
                *reply.parked.lock().expect("the parked waker") = Some(cx.waker().clone());
                let patience = patience(meta.connecting);
                home.ready.spawn(canceller::cancel(pool.clone(), home.clone(), reply.clone(), patience));
            }
            if asked && reply.cancel.load(Acquire) == cancel::LOST {
                let message = "the statement could not be cancelled, its connection was closed".to_owned();
                return Poll::Ready(Err(Error::Lost { message, sent: true, server: None }));
            }
            if silence.is_none() && reply.is_hasty() {
                silence = Some(Box::pin(canceller::silence(pool.clone(), home.clone(), meta.clone(), reply.shield)));
            }
            if let Some(s) = silence.as_mut()
                && s.as_mut().poll(cx).is_ready()
            {
                let message = "no answer came, and the connection was closed".to_owned();
                return Poll::Ready(Err(Error::Lost { message, sent: true, server: None }));
            }
            Poll::Pending
        })
        .await
    };
    reply.running.store(0, Release);
    meta.busy.store(false, Release);
    if let Some(w) = reply.canceller.lock().expect("the canceller's waker").take() {
        w.wake();
    }
    if reply.wanted() == Wanted::TooLate {
        reply.late(match &result {
            Ok(()) => Reached::Completed,
            Err(e) if e.leaves_connection() => Reached::Cancelled,
            Err(_) => Reached::Running,
        });
    }
    if let Some(started) = started {
        reply.with(|a| a.times = Some((started, Instant::now())));
    }
    result
}

/// Whether the connection may be used again after [`supervise`] ended with `result`.
pub async fn settle(home: &Home, connection: &mut Connection, reply: &Reply, result: &Result<(), Error>) -> bool {
    let in_step = !connection.broken && !matches!(result, Err(e) if !e.leaves_connection());
    if reply.cancel.load(Acquire) == cancel::NO {
        return in_step;
    }
    poll_fn(|cx| {
        if reply.cancel.load(Acquire) != cancel::ASKED {
            return Poll::Ready(());
        }
        *reply.parked.lock().expect("the parked waker") = Some(cx.waker().clone());
        if reply.cancel.load(Acquire) != cancel::ASKED { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let until = Instant::now() + patience(connection.meta.connecting) / 4;
    in_step
        && reply.cancel.load(Acquire) == cancel::SETTLED
        && within(home, until, connection.is_clean_after_cancel()).await == Some(true)
}
