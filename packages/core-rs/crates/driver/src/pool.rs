//! The pool: one limit and one queue for the whole process, idle connections kept per home.
//!
//! A socket belongs to the reactor that made it, so an idle connection serves only callers of the same home. Everything
//! else is common: who asked first is served first, over all loops and threads, and a connection that lies idle
//! elsewhere is closed when its place is needed.
pub mod canceller;
mod closing;
pub mod listener;
mod queue;
mod renewal;
pub mod session;
mod upkeep;
pub(crate) mod waiter;

use crate::config::{Config, Limits};
use crate::connection::Connection;
use crate::connection::connect::{Fresh, connect, connect_at_once};
use crate::connection::panic_guard;
use crate::connection::patience::{patience, within};
use crate::connection::permit::Permit;
use crate::connection::reply::Reply;
use crate::connection::socket;
use crate::error::Error;
use crate::event_loop::executor::Home;
use crate::event_loop::fork;
use crate::pool::canceller::{Canceller, Control};
use crate::pool::listener::Listening;
use crate::pool::queue::{Next, Opening, State};
use crate::pool::waiter::{Served, Waiter};
use session::Session;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

/// Idle for less than this, a connection is not looked at again: the look costs a system call.
const JUST_USED: Duration = Duration::from_micros(100);
/// An idle connection is asked for a sign of life before use when it was idle for longer (or for a twentieth of the time
/// for which idle ones are kept).
const UNSEEN: Duration = Duration::from_secs(30);
/// … or for this, where its socket is not known and cannot be looked at.
const UNKNOWN: Duration = Duration::from_secs(1);
/// … which must come within this.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

static POOLS: AtomicU64 = AtomicU64::new(1);

/// Figures of a pool at one moment.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Connections open or being opened.
    pub size: usize,
    /// Idle ones.
    pub idle: usize,
    /// Callers waiting.
    pub waiting: usize,
    /// Connections made since the start.
    pub opened: u64,
    /// Connections closed because they could not be used again.
    pub closed_broken: u64,
    /// Connections handed out.
    pub acquires: u64,
    /// Seconds that callers waited for them, in all.
    pub acquire_wait_total: f64,
    /// Callers that waited in vain.
    pub timeouts: u64,
}

/// The connections of one database.
pub struct Pool {
    /// Unique in the process.
    pub id: u64,
    /// Where and how to connect.
    pub config: Config,
    /// Sizes and times.
    pub limits: Limits,
    /// Which statements may leave a session changed.
    pub session: Session,
    state: Mutex<State>,
    cancellers: Mutex<HashMap<usize, Arc<Canceller>>>,
    listeners: Mutex<Vec<Weak<Listening>>>,
    epoch: AtomicU64,
    born: u32,
}

enum Take {
    Ready(Connection),
    Wait(Arc<Waiter>),
    Closed,
}

impl Pool {
    /// A pool without connections.
    pub fn new(config: Config, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            id: POOLS.fetch_add(1, Relaxed),
            session: Session::new(limits.session_reset),
            config,
            limits,
            state: Mutex::default(),
            cancellers: Mutex::default(),
            listeners: Mutex::default(),
            epoch: AtomicU64::new(0),
            born: fork::count(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the pool")
    }

    /// Whether this process made it.
    pub fn is_ours(&self) -> bool {
        self.born == fork::count()
    }

    /// A connection for a caller of `home`, in the order of asking.
    ///
    /// # Errors
    /// [`Error::PoolTimeout`], [`Error::PoolClosed`], [`Error::Connect`], [`Error::Abandoned`].
    pub async fn acquire(self: &Arc<Self>, home: &Arc<Home>, reply: &Reply) -> Result<Connection, Error> {
        loop {
            let waiter = match self.take(home) {
                Take::Closed => return Err(Error::PoolClosed),
                Take::Ready(connection) => match self.checked(home, connection).await {
                    Some(connection) => return Ok(taken(self.informed(home, connection).await?)),
                    None => continue,
                },
                Take::Wait(waiter) => waiter,
            };
            let until = waiter.since + self.limits.acquire_timeout;
            match waiter.served(home, reply, until).await {
                Served::Connection(connection) => {
                    self.state().stats.acquire_wait_total += waiter.since.elapsed().as_secs_f64();
                    return Ok(taken(self.informed(home, *connection).await?));
                }
                Served::Failed(e) => return Err(e),
                Served::GaveUp(left_over) => {
                    self.forget_waiter(&waiter);
                    if let Some(connection) = left_over {
                        self.release(*connection);
                    }
                    return Err(Error::Abandoned);
                }
                Served::TooLate => {
                    self.forget_waiter(&waiter);
                    return Err(self.timed_out(waiter.since.elapsed()));
                }
            }
        }
    }

    fn take(self: &Arc<Self>, home: &Arc<Home>) -> Take {
        let mut dropped = None;
        let mut state = self.state();
        if state.closed {
            return Take::Closed;
        }
        state.stats.acquires += 1;
        let before = state.uncovered();
        if before.is_none()
            && let Some(connection) = state.idle.get_mut(&home.id).and_then(Vec::pop)
        {
            return Take::Ready(connection);
        }
        let waiter = Waiter::new(home.clone());
        state.waiters.push_back(waiter.clone());
        if let Some(first) = before.or_else(|| state.uncovered()).map(|at| state.waiters[at].home.clone()) {
            if state.open < self.limits.max {
                self.open_one(&mut state, &first);
            } else if let Some(elsewhere) = state.idle.values_mut().find_map(Vec::pop) {
                // Its place becomes free when it is dropped, and then a connection is made for the first waiter.
                state.leaving += 1;
                dropped = Some(elsewhere);
            }
        }
        drop(state);
        drop(dropped);
        Take::Wait(waiter)
    }

    /// An idle connection, if it still lives.
    async fn checked(&self, home: &Home, mut connection: Connection) -> Option<Connection> {
        let now = Instant::now();
        if connection.expires <= now || connection.epoch != self.epoch.load(Acquire) {
            return None;
        }
        let idle = now.duration_since(connection.idle_since);
        let patience = if connection.meta.fd.is_some() { UNSEEN } else { UNKNOWN };
        let unseen = patience.min(self.limits.idle_timeout / 20);
        // A server that ended the connection has left its reason, or the end of the stream, unread.
        let silent = idle < JUST_USED || connection.meta.fd.is_none_or(|fd| !socket::has_news(fd));
        if silent && idle < unseen {
            return Some(connection);
        }
        let alive = {
            let ping = std::pin::pin!(connection.ping());
            let limit = home.reactor.sleep(Instant::now() + SIGN_OF_LIFE);
            match futures_util::future::select(ping, limit).await {
                futures_util::future::Either::Left((pong, _)) => pong.is_ok(),
                futures_util::future::Either::Right(_) => {
                    // What was idle for as long on the same line is not worth as long a wait, one after the other.
                    self.forget_unseen(home.id, unseen);
                    false
                }
            }
        };
        if !alive {
            self.state().stats.closed_broken += 1;
        }
        alive.then_some(connection)
    }

    /// A connection whose caller may rely on what is known of the functions of the database.
    async fn informed(&self, home: &Home, mut connection: Connection) -> Result<Connection, Error> {
        if !self.session.is_due() {
            return Ok(connection);
        }
        let until = Instant::now() + patience(connection.meta.connecting);
        let read = {
            let mut reading = pin!(self.session.refresh(&mut connection));
            within(home, until, poll_fn(|cx| panic_guard::poll(reading.as_mut(), cx))).await
        };
        let message = "the server did not answer a question about its functions".to_owned();
        let failure = match read {
            Some(Ok(Ok(()))) => return Ok(connection),
            Some(Ok(Err(Error::Lost { message, server, .. }))) => Error::Lost { message, sent: false, server },
            Some(Ok(Err(e)) | Err(e)) => e,
            None => Error::Lost { message, sent: false, server: None },
        };
        self.discard(connection);
        Err(failure)
    }

    fn forget_unseen(&self, home: usize, unseen: Duration) {
        let mut gone = vec![];
        let mut state = self.state();
        if let Some(idle) = state.idle.get_mut(&home) {
            let (old, young) = std::mem::take(idle).into_iter().partition(|c| c.idle_since.elapsed() >= unseen);
            *idle = young;
            gone = old;
        }
        state.stats.closed_broken += gone.len() as u64;
        drop(state);
        drop(gone); // each frees its place, for which the lock is needed
    }

    /// Starts a connection in the background. It outlives the caller that it is made for and serves who is first then.
    fn open_one(self: &Arc<Self>, state: &mut State, home: &Arc<Home>) {
        state.open += 1;
        *state.opening(home.id) += 1;
        let opening = Opening { pool: Arc::downgrade(self), home: home.id };
        let (pool, home2) = (self.clone(), home.clone());
        // Left behind in a loop that closes, it would keep its place until another loop goes on with it.
        let unsettled = home.unsettled();
        home.ready.spawn(async move {
            let freed = Arc::downgrade(&pool);
            let permit = Permit::new(move || {
                if let Some(pool) = freed.upgrade() {
                    pool.freed();
                }
            });
            match connect(&pool.config, &home2).await {
                Ok(fresh) => {
                    let connection =
                        Connection::new(fresh, permit, home2.id, pool.lifetime(), pool.epoch.load(Acquire));
                    pool.opened(&connection, &home2);
                    drop(opening);
                    pool.release(connection);
                }
                Err(e) => {
                    drop(opening);
                    pool.failed(home2.id, e);
                    drop(permit);
                }
            }
            drop(unsettled);
        });
    }

    fn opened(self: &Arc<Self>, connection: &Connection, home: &Arc<Home>) {
        let mut state = self.state();
        state.stats.opened += 1;
        state.refusal = None;
        state.metas.retain(|m| m.strong_count() > 0);
        state.metas.push(Arc::downgrade(&connection.meta));
        if state.reaped.insert(home.id) {
            drop(state);
            self.reap(home);
        }
    }

    /// Tells the first waiter of `home` that no connection can be made. Where the server only takes no more of them than
    /// there are, as at the limit of a role, the waiter goes on: one of those becomes free for it.
    fn failed(&self, home: usize, e: Error) {
        let mut state = self.state();
        if e.sqlstate() == Some("53300") && state.metas.iter().any(|m| m.strong_count() > 0) {
            state.refusal = Some(e.to_string());
            let elsewhere = state.idle.values_mut().find_map(Vec::pop);
            state.leaving += usize::from(elsewhere.is_some());
            drop(state);
            drop(elsewhere); // its place is what the waiter of another event loop needs
            return;
        }
        if let Some(at) = state.waiters.iter().position(|w| w.home.id == home) {
            let waiter = state.waiters.remove(at);
            drop(state);
            if let Some(w) = waiter {
                w.give(Err(e));
            }
        }
    }

    /// Takes a connection back, for the first waiter or for later.
    pub fn release(self: &Arc<Self>, mut connection: Connection) {
        let now = Instant::now();
        *connection.meta.taken.lock().expect("the time of taking") = None;
        let mut state = self.state();
        if state.closed || connection.expires <= now || connection.epoch != self.epoch.load(Acquire) {
            drop(state);
            drop(connection);
            return;
        }
        connection.idle_since = now;
        match state.next(connection.home) {
            Next::Idle => state.idle.entry(connection.home).or_default().push(connection),
            Next::Waiter(first) => {
                drop(state);
                if let Some(Ok(back)) = first.give(Ok(connection)) {
                    self.release(back);
                }
            }
            Next::Elsewhere => {
                // This place is what the first in the queue waits for, who lives elsewhere.
                state.leaving += 1;
                drop(state);
                drop(connection);
            }
        }
    }

    /// Counts a connection that is closed instead of given back.
    pub fn discard(&self, connection: Connection) {
        self.state().stats.closed_broken += 1;
        drop(connection);
    }

    /// A place became free.
    fn freed(self: &Arc<Self>) {
        let mut state = self.state();
        state.open -= 1;
        state.leaving = state.leaving.saturating_sub(1);
        if state.closed || state.open >= self.limits.max {
            return;
        }
        if let Some(home) = state.uncovered().map(|at| state.waiters[at].home.clone()) {
            self.open_one(&mut state, &home);
        }
    }

    fn forget_waiter(&self, waiter: &Arc<Waiter>) {
        self.state().waiters.retain(|w| !Arc::ptr_eq(w, waiter));
    }

    fn timed_out(&self, waited: Duration) -> Error {
        let mut state = self.state();
        state.stats.timeouts += 1;
        let longest = state.metas.iter().filter_map(Weak::upgrade);
        let longest = longest
            .filter_map(|m| Some((*m.taken.lock().expect("the time of taking"), m.pid)).filter(|l| l.0.is_some()));
        let oldest = longest.min().map(|(since, pid)| {
            let seconds = since.map_or(0.0, |s| s.elapsed().as_secs_f64());
            if pid == 0 {
                format!("a connection, for {seconds:.1} s")
            } else {
                format!("server process {pid}, for {seconds:.1} s")
            }
        });
        Error::PoolTimeout {
            size: state.open,
            idle: state.idle.values().map(Vec::len).sum(),
            waiting: state.waiters.len(),
            seconds: waited.as_secs_f64(),
            oldest,
            refusal: state.refusal.clone(),
        }
    }

    /// Ends a subscription together with the pool.
    pub fn remember(&self, listening: &Arc<Listening>) {
        let mut listeners = self.listeners.lock().expect("the listeners");
        listeners.retain(|l| l.strong_count() > 0);
        listeners.push(Arc::downgrade(listening));
        if self.state().closed {
            listening.close();
        }
    }

    /// A connection outside the limit.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub async fn open_beside(self: &Arc<Self>, home: &Home) -> Result<Connection, Error> {
        Ok(self.beside(connect(&self.config, home).await?, home))
    }

    fn beside(&self, fresh: Fresh, home: &Home) -> Connection {
        Connection::new(fresh, Permit::none(), home.id, Instant::now() + Duration::from_secs(3600), 0)
    }

    /// Figures at this moment.
    pub fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            size: state.open,
            idle: state.idle.values().map(Vec::len).sum(),
            waiting: state.waiters.len(),
            ..state.stats.clone()
        }
    }
}

/// Notes since when a connection is in use.
fn taken(connection: Connection) -> Connection {
    *connection.meta.taken.lock().expect("the time of taking") = Some(Instant::now());
    connection
}

impl Control for Pool {
    async fn open_control(self: &Arc<Self>, home: &Home) -> Result<Connection, Error> {
        Ok(self.beside(connect_at_once(&self.config, home).await?, home))
    }

    fn canceller(&self, home: usize) -> Arc<Canceller> {
        self.cancellers.lock().expect("the cancellers").entry(home).or_default().clone()
    }
}
