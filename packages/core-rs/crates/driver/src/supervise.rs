//! Running a statement to its end, whatever its caller does meanwhile.
//!
//! A future of sqlx is never dropped half-way: what a dropped one leaves on the wire reaches the next statement. A caller
//! who gives up only leaves a mark; the statement is then cancelled on the server, its answer is awaited, and the
//! connection is used again only when nothing that was sent for it can still be under way.
use crate::connection::{Connection, Work};
use crate::error::Error;
use crate::executor::Home;
use crate::guard;
use crate::pool::Pool;
use crate::reply::{Reply, cancel};
use futures_util::future::{Either, select};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::*;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A signal that found no statement is sent again after this: it may have overtaken the statement.
const AGAIN: Duration = Duration::from_millis(20);
/// A statement that does not react to signals for so long loses its connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// Signals go out one by one; behind so many that find no answer, a statement loses its connection too.
const QUEUE: Duration = Duration::from_secs(10);

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
            if let Poll::Ready(result) = guard::poll(task.as_mut(), cx) {
                return Poll::Ready(result.and_then(|end| end));
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
    in_step
        && reply.cancel.load(Acquire) == cancel::SETTLED
        && within(home, PATIENCE, connection.is_clean_after_cancel()).await == Some(true)
}

/// What `future` gives, if it does so in time.
async fn within<F: Future>(home: &Home, limit: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), home.reactor.sleep(Instant::now() + limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Cancels whatever these server processes do now, by a connection beside the pool.
pub async fn cancel_processes(pool: Arc<Pool>, home: Arc<Home>, pids: Vec<i32>, reply: Arc<Reply>) {
    let list = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let sql = format!("SELECT pg_catalog.pg_cancel_backend(p) FROM unnest(ARRAY[{list}]::int4[]) p");
    let done = within(&home, PATIENCE, async {
        let mut sender = pool.open_control(&home).await?;
        sender.script(&sql).await?;
        sender.close().await;
        Ok(())
    });
    let silent = || Error::Lost { message: "no answer to a cancel".into(), sent: true, server: None };
    reply.finish(done.await.unwrap_or_else(|| Err(silent())));
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
            let Some(mut control) = within(home, QUEUE, control.lock()).await else {
                return cancel::LOST;
            };
            if reply.process() == 0 {
                return cancel::SETTLED;
            }
            // Taken out: when its answer does not come in time, nobody gets a connection that is out of step.
            let known = control.take();
            let sent = within(home, PATIENCE, async {
                let mut sender = match known {
                    Some(c) => c,
                    None => pool.open_control(home).await?,
                };
                // It may have ended meanwhile, and its process work for somebody else.
                let pid = reply.process();
                if pid != 0 {
                    sender.cancel_process(pid).await?;
                }
                Ok::<_, Error>(sender)
            });
            match sent.await {
                Some(Ok(sender)) => *control = Some(sender),
                _ => return cancel::LOST,
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
