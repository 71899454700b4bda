//! Cancelling statements on the server, by a connection beside the pool.
//!
//! `pg_cancel_backend` names a process, and a process serves the task that holds its connection. So a signal leaves only while
//! the statement's connection is kept back for it, and another task gets the connection only after the signal is
//! answered. Statements given up at the same moment share one signal: a burst costs one round trip, not one each.
use crate::connection::patience::{patience, within};
use crate::connection::reply::{Reply, Shield, cancel};
use crate::connection::{Connection, Meta};
use crate::error::Error;
use crate::event_loop::executor::Home;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU8, Ordering::*};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A signal that found no statement is sent again after this: it may have overtaken the statement.
const AGAIN: Duration = Duration::from_millis(20);
/// A connection for signals that could not be had is asked for again after this.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);
/// For the statements that still run when the pool is closed.
const CLOSING: Duration = Duration::from_secs(2);

/// How far a request for a signal is.
mod request {
    pub const WAITING: u8 = 0;
    pub const ANSWERED: u8 = 1;
    /// There was no connection to send it on.
    pub const UNSENT: u8 = 2;
    /// It may have left, and no answer came.
    pub const UNKNOWN: u8 = 3;
}

struct Request {
    reply: Arc<Reply>,
    state: AtomicU8,
}

/// What a canceller needs of its pool.
pub trait Control: Send + Sync + 'static {
    /// A connection beside the pool, made without waiting for a server that is full or starting.
    fn open_control(self: &Arc<Self>, home: &Home) -> impl Future<Output = Result<Connection, Error>> + Send;
    /// Who cancels statements of `home`.
    fn canceller(&self, home: usize) -> Arc<Canceller>;
}

/// Sends the signals of one home, one after another.
#[derive(Default)]
pub struct Canceller {
    connection: tokio::sync::Mutex<Option<Connection>>,
    requests: Mutex<Vec<Arc<Request>>>,
}

impl Canceller {
    /// Its connection, while it is not in use.
    pub(crate) fn idle(&self) -> Option<Connection> {
        self.connection.try_lock().ok().and_then(|mut c| c.take())
    }

    /// Makes its connection, or sees that the one it has still lives.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub(crate) async fn prepare(&self, pool: &Arc<impl Control>, home: &Home) -> Result<(), Error> {
        let mut held = self.connection.lock().await;
        let mut known = held.take();
        if let Some(connection) = known.as_mut() {
            let until = Instant::now() + patience(connection.meta.connecting);
            if !matches!(within(home, until, connection.ping()).await, Some(Ok(()))) {
                known = None;
            }
        }
        *held = Some(opened(known, pool, home).await?);
        Ok(())
    }

    /// Sends a signal for `reply`, or waits for the task that sends it; returns the progress, as one of [`request`].
    async fn signal(&self, pool: &Arc<impl Control>, home: &Home, reply: &Arc<Reply>, until: Instant) -> u8 {
        let request = Arc::new(Request { reply: reply.clone(), state: AtomicU8::new(request::WAITING) });
        self.requests().push(request.clone());
        let Some(mut connection) = within(home, until, self.connection.lock()).await else {
            self.requests().retain(|other| !Arc::ptr_eq(other, &request));
            // Another task may have sent it along with its own.
            return match request.state.load(Acquire) {
                request::WAITING => request::UNKNOWN,
                state => state,
            };
        };
        if request.state.load(Acquire) == request::WAITING {
            // The task that holds the connection sends the signals of all tasks that wait for it.
            let requests = std::mem::take(&mut *self.requests());
            // Taken out: when its answer does not come in time, the connection is out of step and is not used again.
            let known = connection.take();
            let mut has_left = false;
            let sent = within(home, until, async {
                let mut sender = opened(known, pool, home).await?;
                has_left = true;
                // Some may have ended meanwhile, and their processes serve other tasks.
                let pids = requests.iter().map(|r| r.reply.process()).filter(|&pid| pid != 0).collect::<Vec<_>>();
                if !pids.is_empty() {
                    sender.cancel_processes(&pids).await?;
                }
                Ok::<_, Error>(sender)
            });
            let outcome = match sent.await {
                Some(Ok(sender)) => {
                    *connection = Some(sender);
                    request::ANSWERED
                }
                _ if has_left => request::UNKNOWN,
                _ => request::UNSENT,
            };
            requests.iter().for_each(|r| r.state.store(outcome, Release));
        }
        request.state.load(Acquire)
    }

    /// Whether the server says, in time, that a process is at work.
    async fn is_working(&self, pool: &Arc<impl Control>, home: &Home, pid: i32, until: Instant) -> Option<bool> {
        let mut connection = within(home, until, self.connection.lock()).await?;
        let known = connection.take();
        let asked = within(home, until, async {
            let mut asker = opened(known, pool, home).await?;
            let rows = "SELECT FROM pg_catalog.pg_stat_activity WHERE state NOT LIKE 'idle%' AND pid =";
            let is_working = asker.script(&format!("{rows} {pid}")).await? > 0;
            Ok::<_, Error>((asker, is_working))
        });
        let (asker, is_working) = asked.await?.ok()?;
        *connection = Some(asker);
        Some(is_working)
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Request>>> {
        self.requests.lock().expect("the requests for signals")
    }
}

/// The connection that is known, or one made now.
async fn opened(known: Option<Connection>, pool: &Arc<impl Control>, home: &Home) -> Result<Connection, Error> {
    match known {
        Some(connection) => Ok(connection),
        None => pool.open_control(home).await,
    }
}

/// Ends when no answer is to be waited for any more: it has had its time, or, where the work must not be cut short, the
/// server is not at it, or cannot be asked.
pub(crate) async fn silence(pool: Arc<impl Control>, home: Arc<Home>, meta: Arc<Meta>, shield: Shield) {
    let patience = patience(meta.connecting);
    loop {
        home.reactor.sleep(Instant::now() + patience).await;
        if shield != Shield::Whole {
            return;
        }
        let until = Instant::now() + patience;
        // Behind a pooler the process is not known.
        let working = match meta.pid {
            0 => None,
            pid => pool.canceller(home.id).is_working(&pool, &home, pid, until).await,
        };
        if working != Some(true) {
            return home.reactor.sleep(until).await; // the answer may be under way
        }
    }
}

/// Cancels the statement of `reply` on the server until it has ended, or its time is over.
pub(crate) async fn cancel(pool: Arc<impl Control>, home: Arc<Home>, reply: Arc<Reply>, patience: Duration) {
    let outcome = send(&pool, &home, &reply, Instant::now() + patience).await;
    reply.cancel.store(outcome, Release);
    if let Some(w) = reply.parked.lock().expect("the parked waker").take() {
        w.wake();
    }
}

async fn send(pool: &Arc<impl Control>, home: &Arc<Home>, reply: &Arc<Reply>, until: Instant) -> u8 {
    let canceller = pool.canceller(home.id);
    // A signal of which nothing was heard may hit later, so that its connection is not to be used again.
    let mut is_sure = true;
    loop {
        if reply.process() == 0 {
            return if is_sure { cancel::SETTLED } else { cancel::LOST };
        }
        if Instant::now() >= until {
            return cancel::LOST;
        }
        // When the connection for signals is lost, the next one is tried.
        let state = canceller.signal(pool, home, reply, until).await;
        is_sure &= state != request::UNKNOWN;
        let pause = if state == request::ANSWERED { AGAIN } else { CONNECT_AGAIN };
        let mut pause = home.reactor.sleep((Instant::now() + pause).min(until));
        poll_fn(|cx| {
            *reply.canceller.lock().expect("the canceller's waker") = Some(cx.waker().clone());
            if reply.process() == 0 { Poll::Ready(()) } else { pause.as_mut().poll(cx) }
        })
        .await;
    }
}

/// Makes the connection for signals of `home` before it is needed.
pub async fn prepare(pool: Arc<impl Control>, home: Arc<Home>, reply: Arc<Reply>) {
    let canceller = pool.canceller(home.id);
    reply.finish(canceller.prepare(&pool, &home).await);
}

/// Cancels whatever these server processes do now.
pub async fn cancel_processes(pool: Arc<impl Control>, home: Arc<Home>, pids: Vec<i32>, reply: Arc<Reply>) {
    let done = within(&home, Instant::now() + CLOSING, async {
        let mut sender = pool.open_control(&home).await?;
        sender.cancel_processes(&pids).await?;
        sender.close().await;
        Ok(())
    });
    let silent = || Error::Lost { message: "no answer to a cancel".into(), sent: true, server: None };
    reply.finish(done.await.unwrap_or_else(|| Err(silent())));
}
