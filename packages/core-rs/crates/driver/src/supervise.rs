//! Running a statement to its end, whatever its caller does meanwhile.
//!
//! A future of sqlx is never dropped half-way: what a dropped one leaves on the wire reaches the next statement. A caller
//! who gives up only leaves a mark; the statement is then cancelled on the server, its answer is awaited, and the
//! connection is used again only when nothing that was sent for it can still be under way.
use crate::connection::{Connection, Work};
use crate::error::Error;
use crate::executor::Home;
use crate::pool::Pool;
use crate::reply::{Reply, cancel};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::*;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A signal that found no statement is sent again after this: it may have overtaken the statement.
const AGAIN: Duration = Duration::from_millis(20);
/// A statement that does not react to signals for so long loses its connection.
const PATIENCE: Duration = Duration::from_secs(2);

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
    let connection_is_pooled = connection.pooled;
    meta.busy.store(true, Release);
    reply.running.store(meta.pid, Release);
    let result = {
        let mut task = pin!(connection.perform(work, reply, in_transaction));
        poll_fn(|cx| {
            if let Poll::Ready(result) = task.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if let Some(t) = timer.as_mut()
                && t.as_mut().poll(cx).is_ready()
            {
                timer = None;
                reply.expire(Error::QueryTimeout(reply.deadline.map_or(0.0, |d| d.1)));
            }
            if reply.gave_up() && connection_is_pooled {
                // Whom a signal would hit is unknown. The pooler sees the connection close and gives up its server's.
                let message = "the statement was given up, and its connection with it".to_owned();
                return Poll::Ready(Err(Error::Lost { message, sent: true, server: None }));
            }
            if reply.gave_up() && !asked {
                asked = true;
                reply.cancel.store(cancel::ASKED, Release);
                *reply.parked.lock().expect("the parked waker") = Some(cx.waker().clone());
                home.ready.spawn(signal(pool.clone(), home.clone(), reply.clone()));
            }
            if asked && reply.cancel.load(Acquire) == cancel::LOST {
                let message = "the statement could not be cancelled, its connection was closed".to_owned();
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
    if let Some(started) = started {
        reply.with(|a| a.times = Some((started, Instant::now())));
    }
    result
}

/// Whether the connection may be used again after [`supervise`] ended with `result`.
pub async fn settle(connection: &mut Connection, reply: &Reply, result: &Result<(), Error>) -> bool {
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
    in_step && reply.cancel.load(Acquire) == cancel::SETTLED && connection.is_clean_after_cancel().await
}

/// Cancels the statement of `reply` on the server until it has ended.
async fn signal(pool: Arc<Pool>, home: Arc<Home>, reply: Arc<Reply>) {
    let outcome = send(&pool, &home, &reply).await;
    reply.cancel.store(outcome, Release);
    if let Some(w) = reply.parked.lock().expect("the parked waker").take() {
        w.wake();
    }
}

async fn send(pool: &Arc<Pool>, home: &Arc<Home>, reply: &Arc<Reply>) -> u8 {
    let until = Instant::now() + PATIENCE;
    loop {
        {
            // One signal at a time: its answer must come before the next leaves.
            let control = pool.control(home.id);
            let mut control = control.lock().await;
            if reply.process() == 0 {
                return cancel::SETTLED;
            }
            if control.is_none() {
                match pool.open_control(home).await {
                    Ok(c) => *control = Some(c),
                    Err(_) => return cancel::LOST,
                }
            }
            let pid = reply.process();
            if pid == 0 {
                return cancel::SETTLED;
            }
            let sent = match control.as_mut() {
                Some(c) => c.cancel_process(pid).await,
                None => return cancel::LOST,
            };
            if sent.is_err() {
                *control = None;
                return cancel::LOST;
            }
        }
        let mut pause = home.reactor.sleep(Instant::now() + AGAIN);
        poll_fn(|cx| {
            *reply.canceller.lock().expect("the canceller's waker") = Some(cx.waker().clone());
            if reply.process() == 0 { Poll::Ready(()) } else { pause.as_mut().poll(cx) }
        })
        .await;
        if reply.process() == 0 {
            return cancel::SETTLED;
        }
        if Instant::now() >= until {
            return cancel::LOST;
        }
    }
}
