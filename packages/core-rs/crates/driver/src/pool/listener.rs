//! LISTEN on a connection of its own.
//!
//! A notification that arrives on an ordinary connection makes the statement that runs there fail, so sqlx hands them out
//! only through `PgListener`, which wants a pool. That pool is private, of one connection, on a reactor with timers. Whenever
//! the connection breaks, notifications may be lost: the reader is told so, then the listener is rebuilt.
use crate::config::{Config, Host};
use crate::connection::connect::{DEADLINE, failed, options, refused, unsuited};
use crate::connection::reply::Reply;
use crate::error::Error;
use crate::event_loop::executor::Home;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Executor, Row};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// Notifications that may wait for their reader; beyond this the oldest are dropped, and a gap is told.
const ROOM: usize = 10_000;
/// … and bytes of theirs: a server's own limit is 8000 bytes each, but not every server is honest.
const ROOM_BYTES: usize = 64 << 20;

/// A connection on which nothing came for so long is asked for a sign of life …
const UNHEARD: Duration = Duration::from_secs(10);
/// … which must come within this.
const ANSWER: Duration = Duration::from_secs(5);

/// What a reader gets.
#[derive(Debug, Clone)]
pub enum Heard {
    /// A notification: channel, payload, process of the sender.
    Notification(String, String, u32),
    /// Between these times notifications may have been lost.
    Gap(SystemTime, SystemTime),
}

impl Heard {
    fn bytes(&self) -> usize {
        match self {
            Self::Notification(channel, payload, _) => channel.len() + payload.len(),
            Self::Gap(..) => 0,
        }
    }
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Heard>,
    bytes: usize,
    readers: Vec<Waker>,
    ready: bool,
    failed: Option<Error>,
    closed: bool,
    overflow: Option<SystemTime>,
}

/// A subscription to some channels.
#[derive(Default)]
pub struct Listening {
    queue: Mutex<Queue>,
}

impl Listening {
    fn with<R>(&self, f: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.queue.lock().expect("the notifications");
        let result = f(&mut queue);
        queue.readers.drain(..).for_each(Waker::wake);
        result
    }

    fn hear(&self, item: Heard) {
        self.with(|q| {
            q.bytes += item.bytes();
            q.items.push_back(item);
            while q.items.len() > ROOM || q.bytes > ROOM_BYTES {
                q.bytes -= q.items.pop_front().map_or(0, |oldest| oldest.bytes());
                q.overflow.get_or_insert_with(SystemTime::now);
            }
        });
    }

    /// Ends the subscription.
    pub fn close(&self) {
        self.with(|q| q.closed = true);
    }

    fn is_closed(&self) -> bool {
        self.queue.lock().expect("the notifications").closed
    }

    /// Waits until LISTEN has been answered.
    ///
    /// # Errors
    /// The reason why it was not.
    pub async fn started(&self, reply: &Reply) -> Result<(), Error> {
        poll_fn(|cx| {
            let mut queue = self.queue.lock().expect("the notifications");
            if let Some(e) = queue.failed.take() {
                return Poll::Ready(Err(e));
            }
            if queue.ready || reply.gave_up() {
                return Poll::Ready(Ok(()));
            }
            queue.readers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits until there is an item to [`Self::take`], or the subscription has ended. It takes none itself: a reader that
    /// goes away at this moment loses nothing.
    pub async fn heard(&self, reply: &Reply) {
        poll_fn(|cx| {
            let mut queue = self.queue.lock().expect("the notifications");
            if reply.gave_up() || queue.overflow.is_some() || !queue.items.is_empty() || queue.closed {
                return Poll::Ready(());
            }
            queue.readers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The next item, if there is one.
    pub fn take(&self) -> Option<Heard> {
        let mut queue = self.queue.lock().expect("the notifications");
        if let Some(since) = queue.overflow.take() {
            return Some(Heard::Gap(since, SystemTime::now()));
        }
        let item = queue.items.pop_front()?;
        queue.bytes -= item.bytes();
        Some(item)
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        let queue = self.queue.lock().expect("the notifications");
        queue.closed && queue.items.is_empty() && queue.overflow.is_none()
    }

    /// Listens until closed. Runs on the runtime of a reactor with a thread.
    pub async fn run(self: Arc<Self>, config: Config, home: Arc<Home>, channels: Vec<String>) {
        let mut lost: Option<SystemTime> = None;
        let mut pause = Duration::from_millis(50);
        while !self.is_closed() {
            match connect(&config, &channels).await {
                Ok(mut listener) => {
                    pause = Duration::from_millis(50);
                    if let Some(since) = lost.take() {
                        self.hear(Heard::Gap(since, SystemTime::now()));
                    }
                    self.with(|q| q.ready = true);
                    lost = Some(self.receive(&mut listener).await);
                }
                Err(e) => {
                    let first = self.with(|q| {
                        if q.ready {
                            return false;
                        }
                        q.failed = Some(e);
                        q.closed = true;
                        true
                    });
                    if first {
                        return;
                    }
                    home.reactor.sleep(Instant::now() + pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    /// Until the connection breaks, or no listener is left; the time at which it was last known to work.
    async fn receive(&self, listener: &mut PgListener) -> SystemTime {
        let (mut worked, mut at) = (SystemTime::now(), Instant::now());
        loop {
            match tokio::time::timeout(Duration::from_secs(1), listener.try_recv()).await {
                Ok(Ok(Some(n))) => {
                    (worked, at) = (SystemTime::now(), Instant::now());
                    self.hear(Heard::Notification(n.channel().to_owned(), n.payload().to_owned(), n.process_id()));
                }
                Ok(Ok(None) | Err(_)) => return worked,
                // A half-open connection is silent like an idle one: only a question tells them apart.
                Err(_) if at.elapsed() >= UNHEARD => {
                    let alive = tokio::time::timeout(ANSWER, listener.execute(sqlx::raw_sql("SELECT 1"))).await;
                    if !matches!(alive, Ok(Ok(_))) {
                        return worked;
                    }
                    (worked, at) = (SystemTime::now(), Instant::now());
                }
                Err(_) => {}
            }
            if self.is_closed() {
                return worked;
            }
        }
    }
}

/// Connects to the first host that suits; each has its share of the time, as for the pool.
async fn connect(config: &Config, channels: &[String]) -> Result<PgListener, Error> {
    let share = config.connect_timeout / config.hosts.len().max(1) as u32;
    let mut last = Error::Configuration("no host to connect to".into());
    for host in &config.hosts {
        match tokio::time::timeout(share, one(config, host, channels)).await {
            Ok(Ok(listener)) => return Ok(listener),
            Ok(Err(e)) => last = e,
            Err(_) => last = refused(host, DEADLINE, format!("no answer within {:.3} s", share.as_secs_f64())),
        }
    }
    Err(last)
}

async fn one(config: &Config, host: &Host, channels: &[String]) -> Result<PgListener, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(config.connect_timeout)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options(config, host).await?)
        .await
        .map_err(|e| failed(host, e))?;
    let mut listener = PgListener::connect_with(&pool).await.map_err(|e| failed(host, e))?;
    listener.eager_reconnect(false);
    listener.ignore_pool_close_event(true);
    if let Some((question, suits)) = config.target.question() {
        let row = listener.fetch_one(sqlx::raw_sql(question)).await.map_err(|e| failed(host, e))?;
        let answer: bool = row.try_get(0).map_err(|e| failed(host, e))?;
        if answer != suits {
            return Err(unsuited(host, config.target));
        }
    }
    listener.listen_all(channels.iter().map(String::as_str)).await.map_err(|e| failed(host, e))?;
    Ok(listener)
}
