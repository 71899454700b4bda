//! What a running operation and its caller tell each other.
use crate::connection::arguments::Arguments;
use crate::error::{Error, Reached};
use crate::event_loop::run_queue::{Note, Ready};
use data_bridge_wire::Type;
use data_bridge_wire::form::Form;
use sqlx::postgres::PgRow;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering::*};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};
use std::time::Instant;

/// A parameter's or column's type: the server's OID, its layout, its name for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// As the server names it.
    pub oid: u32,
    /// How its bytes are laid out.
    pub layout: Type,
    /// `int4`, `mood`, …
    pub name: Arc<str>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What the server calls it.
    pub name: Arc<str>,
    /// Its type.
    pub typed: Typed,
    /// What its type consists of.
    pub form: Form,
}

/// What has come so far.
#[derive(Default)]
pub struct Arrived {
    /// Rows that were not taken yet.
    pub rows: Vec<PgRow>,
    /// Rows that the statement affected.
    pub affected: u64,
    /// The types of the parameters, when the caller must encode them now.
    pub asked: Option<Arc<[Typed]>>,
    /// The types of the parameters, when they were all that was wanted.
    pub described: Option<Arc<[Typed]>>,
    /// The columns of the result, when the caller asked for them; they come before its rows.
    pub columns: Option<Arc<[Described]>>,
    /// The types that the parameters were encoded to are those of an earlier schema.
    pub stale: bool,
    /// The types of the parameters are not to be remembered: each connection must describe the statement itself.
    pub unlearned: bool,
    /// How it ended.
    pub end: Option<Result<(), Error>>,
    /// When a connection was had and when the answer was complete, if the caller wants to know.
    pub times: Option<(Instant, Instant)>,
}

/// Is the caller still there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Yes.
    Yes,
    /// No: cancelled or collected.
    Abandoned,
    /// It was told that the time is over.
    TooLate,
}

/// Whether an operation goes on when its caller is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shield {
    /// No: it is cancelled too.
    No,
    /// Yes, to its end. Where the caller is in a hurry and no answer comes, the server is asked whether it is at work.
    Whole,
    /// Yes, but never for long: what it does happens as well when the connection is closed, as ROLLBACK does.
    Brief,
}

/// How far the cancelling of a statement is.
pub(crate) mod cancel {
    /// No deadline or caller asked for it.
    pub const NO: u8 = 0;
    /// A canceller is at work: a signal may be under way.
    pub const ASKED: u8 = 1;
    /// The last signal has been answered, nothing is under way.
    pub const SETTLED: u8 = 2;
    /// The signal's answer never came: whether it will hit is unknown.
    pub const LOST: u8 = 3;
}

/// Shared by the future of an operation, its caller and its canceller.
pub struct Reply {
    arrived: Mutex<Arrived>,
    args: Mutex<Option<Result<Arguments, ()>>>,
    wanted: AtomicU8,
    /// The server process while the statement runs, else 0.
    pub(crate) running: AtomicI32,
    pub(crate) cancel: AtomicU8,
    pub(crate) parked: Mutex<Option<Waker>>,
    pub(crate) canceller: Mutex<Option<Waker>>,
    slot: AtomicU32,
    ready: OnceLock<Arc<Ready>>,
    /// Ends the wait, and the statement, at this time.
    pub deadline: Option<(Instant, f64)>,
    /// Whether it goes on when the caller is cancelled.
    pub shield: Shield,
    /// The caller of a shielded operation was cancelled and waits for it to end.
    hurried: Arc<AtomicBool>,
    /// Whether [`Arrived::times`] is wanted.
    pub timed: AtomicBool,
    /// Whether [`Arrived::columns`] is wanted.
    pub describes: AtomicBool,
}

const NOWHERE: u32 = u32::MAX;

impl Reply {
    /// For one operation; `deadline` with its length in seconds.
    pub fn new(deadline: Option<(Instant, f64)>, shield: Shield) -> Arc<Self> {
        Self::with_hurry(deadline, shield, Arc::default())
    }

    /// For a part of this operation whose outcome is not the caller's.
    pub(crate) fn beneath(&self, shield: Shield) -> Arc<Self> {
        Self::with_hurry(None, shield, self.hurried.clone())
    }

    fn with_hurry(deadline: Option<(Instant, f64)>, shield: Shield, hurried: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            arrived: Mutex::default(),
            args: Mutex::default(),
            wanted: AtomicU8::new(0),
            running: AtomicI32::new(0),
            cancel: AtomicU8::new(cancel::NO),
            parked: Mutex::default(),
            canceller: Mutex::default(),
            slot: AtomicU32::new(NOWHERE),
            ready: OnceLock::new(),
            deadline,
            shield,
            hurried,
            timed: AtomicBool::new(false),
            describes: AtomicBool::new(false),
        })
    }

    /// Where the future lives, so that a change of mind can wake it.
    pub fn placed(&self, ready: &Arc<Ready>, slot: u32) {
        let _ = self.ready.set(ready.clone());
        self.slot.store(slot, Release);
    }

    fn nudge(&self) {
        if let Some(ready) = self.ready.get() {
            ready.push(Note::Poll(self.slot.load(Acquire)));
        }
    }

    /// The caller goes away. From any thread.
    pub fn abandon(&self) {
        if self.wanted.compare_exchange(0, 1, AcqRel, Acquire).is_ok() {
            self.nudge();
        }
    }

    /// Is the caller still there?
    pub fn wanted(&self) -> Wanted {
        match self.wanted.load(Acquire) {
            0 => Wanted::Yes,
            1 => Wanted::Abandoned,
            _ => Wanted::TooLate,
        }
    }

    pub(crate) fn gave_up(&self) -> bool {
        self.shield == Shield::No && self.wanted.load(Acquire) != 0
    }

    /// The caller was cancelled and waits for the end all the same.
    pub fn hurry(&self) {
        self.hurried.store(true, Release);
        self.nudge();
    }

    /// Whether no answer for some time means that none will be waited for.
    pub(crate) fn is_hasty(&self) -> bool {
        match self.shield {
            Shield::No | Shield::Whole => self.hurried.load(Acquire),
            Shield::Brief => true,
        }
    }

    /// The deadline has passed; false when the caller is gone already, or the operation has no deadline of its own.
    pub(crate) fn is_late(&self) -> bool {
        self.shield == Shield::No && self.wanted.compare_exchange(0, 2, AcqRel, Acquire).is_ok()
    }

    /// Ends the operation if its deadline has passed; nothing has been sent yet.
    ///
    /// Timers are coarser than an answer is fast: without this, some statements with `timeout=0` succeed.
    pub(crate) fn has_expired(&self) -> bool {
        let is_over = self.deadline.is_some_and(|(at, _)| Instant::now() >= at);
        if is_over {
            self.expire();
        }
        is_over && self.wanted() == Wanted::TooLate
    }

    /// The deadline has passed before the statement was sent.
    pub(crate) fn expire(&self) {
        if self.is_late() {
            self.late(Reached::Waiting);
        }
    }

    /// Tells the caller that the time is over.
    pub(crate) fn late(&self, reached: Reached) {
        self.finish(Err(Error::QueryTimeout(self.deadline.map_or(0.0, |d| d.1), reached)));
    }

    /// Takes what has come. The count of affected rows stays: it may come long before the end.
    pub fn take(&self) -> Arrived {
        self.with(|a| {
            let affected = a.affected;
            std::mem::replace(a, Arrived { affected, ..Arrived::default() })
        })
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Arrived) -> R) -> R {
        f(&mut self.arrived.lock().expect("the reply"))
    }

    /// Sets the end, once.
    pub fn finish(&self, end: Result<(), Error>) {
        self.with(|a| {
            a.end.get_or_insert(end);
        });
    }

    /// Asks the caller to encode the parameters to `types`, and waits for them.
    pub(crate) async fn ask(&self, types: Arc<[Typed]>) -> Result<Arguments, Error> {
        self.with(|a| a.asked = Some(types));
        poll_fn(|_| match self.args.lock().expect("the arguments").take() {
            Some(Ok(args)) => Poll::Ready(Ok(args)),
            Some(Err(())) => Poll::Ready(Err(Error::Refused)),
            None if self.gave_up() => Poll::Ready(Err(Error::Abandoned)),
            None => Poll::Pending,
        })
        .await
    }

    /// The caller's answer to [`Arrived::asked`]; `Err` when a value does not fit.
    pub fn answer(&self, args: Result<Arguments, ()>) {
        *self.args.lock().expect("the arguments") = Some(args);
        self.nudge();
    }

    /// The server process that works for this operation, or 0.
    pub fn process(&self) -> i32 {
        self.running.load(Acquire)
    }
}
