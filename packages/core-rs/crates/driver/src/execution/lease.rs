//! A connection that belongs to one owner for a while: a transaction, a cursor, a test.
//!
//! sqlx keeps the server's transaction status to itself, so it is followed here: any error of the server inside a
//! transaction fails it, until it is rolled back, whole or to a savepoint.
use crate::connection::effect::{Defines, Effect};
use crate::connection::reply::{Reply, Shield};
use crate::connection::{Connection, Work};
use crate::error::{Error, ServerError};
use crate::event_loop::executor::Home;
use crate::execution::give_back::give_back;
use crate::execution::supervise::{settle, supervise};
use crate::pool::Pool;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::*};
use std::task::Poll;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// No connection yet.
    New,
    /// A connection outside a transaction.
    Idle,
    /// In a transaction.
    Active,
    /// In a transaction of which a statement failed.
    Failed,
    /// Over.
    Closed,
}

/// What to do with the connection.
pub enum Step {
    /// A statement.
    Statement(Work, Effect),
    /// `BEGIN …`.
    Begin(Arc<str>),
    /// Ends the transaction and gives the connection back. True: keep it.
    Commit(bool),
    /// Ends the transaction and gives the connection back. True: keep it.
    Rollback(bool),
    /// `ROLLBACK TO …`: brings a failed transaction back to life.
    RollbackTo(Arc<str>),
    /// Only takes a connection, if there is none.
    Take,
    /// Gives the connection back, rolled back if need be. Said by owners who are gone.
    GiveBack,
    /// Closes the connection, so that it is not handed out again.
    Discard,
    /// What on_connect changed is how the session is meant to be.
    Greet,
}

struct Held {
    connection: Option<Connection>,
    status: Status,
    cause: Option<Arc<ServerError>>,
}

/// See the module.
pub struct Lease {
    /// Where the connection comes from and goes to.
    pub pool: Arc<Pool>,
    /// Where it lives.
    pub home: Arc<Home>,
    held: Arc<Mutex<Held>>,
    status: AtomicU8,
    /// Whether the connection counts against the pool's limit.
    pub counted: bool,
}

impl Lease {
    /// A lease without a connection; the first step takes one.
    pub fn new(pool: Arc<Pool>, home: Arc<Home>, counted: bool) -> Arc<Self> {
        let held = Held { connection: None, status: Status::New, cause: None };
        Arc::new(Self {
            pool,
            home,
            held: Arc::new(Mutex::new(held)),
            status: AtomicU8::new(Status::New as u8),
            counted,
        })
    }

    /// Where it stands, without waiting for a statement that runs.
    pub fn status(&self) -> Status {
        match self.status.load(Acquire) {
            0 => Status::New,
            1 => Status::Idle,
            2 => Status::Active,
            3 => Status::Failed,
            _ => Status::Closed,
        }
    }

    fn set(&self, held: &mut Held, status: Status) {
        held.status = status;
        if status != Status::Failed {
            held.cause = None;
        }
        self.status.store(status as u8, Release);
    }

    /// Waits for the statements before it, in their order.
    async fn turn(&self, reply: &Reply) -> Result<OwnedMutexGuard<Held>, Error> {
        if reply.has_expired() {
            return Err(Error::Abandoned);
        }
        let mut lock = pin!(self.held.clone().lock_owned());
        let mut timer = reply.deadline.map(|(at, _)| self.home.reactor.sleep(at));
        poll_fn(|cx| {
            if reply.gave_up() {
                return Poll::Ready(Err(Error::Abandoned));
            }
            if let Some(t) = timer.as_mut()
                && t.as_mut().poll(cx).is_ready()
            {
                timer = None;
                reply.expire();
                return Poll::Ready(Err(Error::Abandoned));
            }
            lock.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Does one step; its outcome is told by `reply`.
    pub async fn run(self: Arc<Self>, step: Step, reply: Arc<Reply>) {
        let mut held = match self.turn(&reply).await {
            Ok(held) => held,
            Err(e) => return reply.finish(Err(e)),
        };
        if matches!(held.status, Status::Closed) {
            let end = match step {
                Step::GiveBack | Step::Discard | Step::Rollback(_) => Ok(()),
                _ => Err(Error::TransactionClosed),
            };
            return reply.finish(end);
        }
        if held.connection.is_none() {
            if matches!(step, Step::GiveBack | Step::Discard) {
                self.set(&mut held, Status::Closed);
                return reply.finish(Ok(()));
            }
            let got = if self.counted {
                self.pool.acquire(&self.home, &reply).await
            } else {
                self.pool.open_beside(&self.home).await
            };
            match got {
                Ok(connection) => {
                    held.connection = Some(connection);
                    self.set(&mut held, Status::Idle);
                }
                Err(e) => {
                    self.set(&mut held, Status::Closed);
                    return reply.finish(Err(e));
                }
            }
        }
        self.step(&mut held, step, &reply).await;
    }

    async fn step(&self, held: &mut Held, step: Step, reply: &Arc<Reply>) {
        let failed = held.status == Status::Failed;
        match step {
            Step::Take => reply.finish(Ok(())),
            Step::Greet => {
                if let Some(c) = held.connection.as_mut() {
                    (c.greeted, c.dirty) = (true, false);
                }
                reply.finish(Ok(()));
            }
            Step::Discard => {
                self.set(held, Status::Closed);
                if let Some(connection) = held.connection.take() {
                    self.pool.discard(connection);
                }
                reply.finish(Ok(()));
            }
            Step::Statement(..) if failed => reply.finish(Err(Error::TransactionAborted(held.cause.clone()))),
            Step::Statement(work, effect) => {
                if let Some(c) = held.connection.as_mut() {
                    let is_inside = held.status != Status::Idle;
                    // A definition inside a transaction is not visible to others until its end.
                    c.dirty |=
                        self.pool.session.makes_dirty(&effect) || (effect.defines > Defines::Nothing && is_inside);
                    c.defines = c.defines.max(effect.defines);
                    // Outside a transaction a script may leave one open.
                    c.suspect |= effect.dirty && matches!(work, Work::Simple(_)) && !is_inside;
                }
                let _ = self.perform(held, work, reply).await;
            }
            Step::Begin(sql) => {
                if self.perform(held, Work::Simple(sql), reply).await.is_ok() {
                    self.set(held, Status::Active);
                } else if !matches!(held.status, Status::Closed) {
                    // What follows BEGIN may have failed, which leaves a transaction that is aborted.
                    self.set(held, Status::Failed);
                    let _ = self.roll_back(held, reply).await;
                    self.ended(held, false).await;
                }
            }
            Step::RollbackTo(sql) => {
                if self.perform(held, Work::Simple(sql), reply).await.is_ok() {
                    self.set(held, Status::Active);
                }
            }
            Step::Commit(keep) => self.commit(held, keep, reply).await,
            Step::Rollback(keep) => {
                reply.finish(self.roll_back(held, reply).await);
                self.ended(held, keep).await;
            }
            Step::GiveBack => {
                let _ = self.roll_back(held, reply).await;
                reply.finish(Ok(()));
                self.ended(held, false).await;
            }
        }
    }

    async fn commit(&self, held: &mut Held, keep: bool, reply: &Arc<Reply>) {
        if held.status == Status::Failed {
            // The server would answer COMMIT with ROLLBACK and no error; say what it is.
            let cause = held.cause.clone();
            let _ = self.roll_back(held, reply).await;
            reply.finish(Err(Error::RolledBack(cause)));
            return self.ended(held, keep).await;
        }
        let quiet = reply.beneath(Shield::Whole);
        let end = match self.perform(held, Work::Simple("COMMIT".into()), &quiet).await {
            // The server ended the transaction while it waited for the next statement, so COMMIT was not read.
            Err(Error::Lost { server: Some(s), .. }) if matches!(&*s.sqlstate, "25P03" | "25P04") => {
                Err(Error::RolledBack(Some(s)))
            }
            Err(Error::Lost { message, sent: true, .. }) => Err(Error::CommitUnknown(message)),
            other => other,
        };
        self.defined(held);
        reply.finish(end);
        self.ended(held, keep).await;
    }

    /// The definitions are visible to all sessions from now on.
    fn defined(&self, held: &mut Held) {
        if let Some(c) = held.connection.as_mut() {
            self.pool.defined(std::mem::take(&mut c.defines));
        }
    }

    /// A transaction whose connection is lost has been rolled back, or will be when the server hears of it.
    async fn roll_back(&self, held: &mut Held, reply: &Reply) -> Result<(), Error> {
        if held.status == Status::Idle {
            return Ok(());
        }
        let quiet = reply.beneath(Shield::Brief);
        match self.perform(held, Work::Simple("ROLLBACK".into()), &quiet).await {
            Err(Error::Lost { .. }) => Ok(()),
            other => other,
        }
    }

    /// Runs `work`, tells the caller, then sees that the connection can go on.
    async fn perform(&self, held: &mut Held, work: Work, reply: &Arc<Reply>) -> Result<(), Error> {
        let in_transaction = held.status != Status::Idle;
        let Some(connection) = held.connection.as_mut() else {
            reply.finish(Err(Error::TransactionClosed));
            return Err(Error::TransactionClosed);
        };
        let result = supervise(&self.pool, &self.home, connection, work, reply, in_transaction).await;
        let failed = match &result {
            Err(Error::Server(e)) => Some(Some(e.clone())),
            // Only a COPY ends so: the server was told to fail it, and the transaction with it.
            Err(Error::Abandoned) => Some(None),
            _ => None,
        };
        if let (Some(cause), true) = (failed, in_transaction) {
            if held.status != Status::Failed {
                held.cause = cause;
            }
            held.status = Status::Failed;
            self.status.store(Status::Failed as u8, Release);
        }
        if !in_transaction {
            self.defined(held);
        }
        reply.finish(result.clone());
        let Some(connection) = held.connection.as_mut() else { return result };
        if !settle(&self.home, connection, reply, &result).await {
            if let Some(broken) = held.connection.take() {
                self.pool.discard(broken);
            }
            self.set(held, Status::Closed);
        }
        result
    }

    async fn ended(&self, held: &mut Held, keep: bool) {
        if held.connection.is_none() {
            return;
        }
        if keep { self.set(held, Status::Idle) } else { self.give_back(held).await }
    }

    async fn give_back(&self, held: &mut Held) {
        self.set(held, Status::Closed);
        if let Some(connection) = held.connection.take() {
            give_back(&self.pool, &self.home, connection, self.counted).await;
        }
    }

    /// The owner is gone: whatever it left open is rolled back. From any thread.
    pub fn abandon(self: &Arc<Self>) {
        let (lease, reply) = (self.clone(), Reply::new(None, Shield::Brief));
        let unsettled = self.home.unsettled();
        self.home.ready.spawn(async move {
            lease.run(Step::GiveBack, reply).await;
            drop(unsettled);
        });
    }

    /// Whether on_connect has seen the connection; false while a statement runs.
    pub fn is_greeted(&self) -> bool {
        self.held.try_lock().is_ok_and(|held| held.connection.as_ref().is_some_and(|c| c.greeted))
    }
}
