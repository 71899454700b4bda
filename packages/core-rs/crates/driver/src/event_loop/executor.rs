//! A small executor: futures in slots, polled by the thread that answers the bell.
use crate::event_loop::fork;
use crate::event_loop::reactor::{self, Kind, Reactor};
use crate::event_loop::run_queue::{Note, Ready, SlotWaker, Task};
use std::io;
use std::mem::{forget, take};
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Passes over the list of notes in one turn. The second serves those whom the first one gave a connection; more would let
/// a busy server keep the event loop for itself.
const PASSES: usize = 2;

static HOMES: AtomicUsize = AtomicUsize::new(1);

/// The waiting side of a future.
pub trait Told {
    /// It will never end: a fault of this library stopped it. Its connection was closed.
    fn gone(&self);
}

impl Told for () {
    fn gone(&self) {}
}

/// Where futures live: what they need to spawn, to sleep and to be woken.
pub struct Home {
    /// Unique in the process.
    pub id: usize,
    /// News for the executor.
    pub ready: Arc<Ready>,
    /// Who turns sockets and time.
    pub reactor: Box<dyn Reactor>,
    /// The count of forks at birth.
    pub born: u32,
    /// What a closing event loop waits for: connections that are being made, and those whose owner is gone and that are
    /// being given back.
    unsettled: AtomicUsize,
}

impl Home {
    /// Until the result is dropped, a closing event loop waits (for a while) for the work that holds it.
    pub fn unsettled(self: &Arc<Self>) -> Unsettled {
        self.unsettled.fetch_add(1, AcqRel);
        Unsettled(self.clone())
    }

    /// How much such work there is.
    pub fn count_unsettled(&self) -> usize {
        self.unsettled.load(Acquire)
    }
}

/// Work that a closing event loop waits for.
pub struct Unsettled(Arc<Home>);

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.0.unsettled.fetch_sub(1, AcqRel);
    }
}

struct Slot<T> {
    task: Option<Task>,
    waker: Waker,
    ticket: Option<Arc<T>>,
}

struct Core<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    spare: Vec<Note>,
}

/// The slots. `T` is the ticket by which a caller recognises an operation of its own.
pub struct Executor<T> {
    /// Shared with the futures.
    pub home: Arc<Home>,
    core: Mutex<Core<T>>,
}

impl<T: Told + Send + Sync> Executor<T> {
    /// An executor without work.
    ///
    /// # Errors
    /// When the process has no descriptor or thread left.
    pub fn new(kind: Kind) -> io::Result<Self> {
        fork::watch();
        let ready = Ready::new()?;
        let reactor = reactor::make(kind, &ready)?;
        let home = Arc::new(Home {
            id: HOMES.fetch_add(1, Relaxed),
            ready,
            reactor,
            born: fork::count(),
            unsettled: AtomicUsize::new(0),
        });
        Ok(Self { home, core: Mutex::new(Core { slots: vec![], free: vec![], spare: vec![] }) })
    }

    fn place(&self, core: &mut Core<T>, task: Task, ticket: Option<Arc<T>>) -> u32 {
        let id = core.free.pop().unwrap_or_else(|| {
            let id = core.slots.len() as u32;
            let waker = Waker::from(Arc::new(SlotWaker(id, self.home.ready.clone())));
            core.slots.push(Slot { task: None, waker, ticket: None });
            id
        });
        let slot = &mut core.slots[id as usize];
        slot.task = Some(task);
        slot.ticket = ticket;
        id
    }

    /// Polls one slot and notes its ticket in `news`.
    fn poll(core: &mut Core<T>, id: u32, news: &mut Vec<Arc<T>>) {
        let Some(slot) = core.slots.get_mut(id as usize) else { return };
        let Some(task) = slot.task.as_mut() else { return };
        // A panic must cost one operation, not the slots of all others. The future is dropped and never seen again.
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut Context::from_waker(&slot.waker))));
        let polled = polled.unwrap_or_else(|_| {
            if let Some(ticket) = &slot.ticket {
                ticket.gone();
            }
            Poll::Ready(())
        });
        news.extend(slot.ticket.as_ref().cloned());
        if let Poll::Ready(()) = polled {
            slot.task = None;
            slot.ticket = None;
            core.free.push(id);
        }
    }

    /// Starts `task` now: its first poll happens here, so what it sends leaves before this returns. Tickets with possible
    /// news are added to `news`. `slot` is told the number under which a later wake-up reaches the task.
    pub fn start(&self, task: Task, ticket: Arc<T>, slot: impl FnOnce(u32), news: &mut Vec<Arc<T>>) {
        let before = self.home.ready.enter();
        {
            let _inside = self.home.reactor.handle().enter();
            let mut core = self.core.lock().expect("the slots");
            let id = self.place(&mut core, task, Some(ticket));
            slot(id);
            Self::poll(&mut core, id, news);
        }
        self.home.ready.leave(before);
    }

    /// Lets the reactor look, then polls what has news, in a bounded number of passes.
    pub fn turn(&self, news: &mut Vec<Arc<T>>) {
        let before = self.home.ready.enter();
        self.home.reactor.turn();
        {
            let _inside = self.home.reactor.handle().enter();
            let mut core = self.core.lock().expect("the slots");
            for _ in 0..PASSES {
                let mut notes = take(&mut core.spare);
                self.home.ready.take(&mut notes);
                if notes.is_empty() {
                    core.spare = notes;
                    break;
                }
                for note in notes.drain(..) {
                    match note {
                        Note::Poll(id) => Self::poll(&mut core, id, news),
                        Note::Spawn(task) => {
                            let id = self.place(&mut core, task, None);
                            Self::poll(&mut core, id, news);
                        }
                    }
                }
                core.spare = notes;
            }
        }
        self.home.ready.leave(before);
    }

    /// Futures that have not ended, those without a ticket included.
    pub fn pending(&self) -> usize {
        self.core.lock().expect("the slots").slots.iter().filter(|s| s.task.is_some()).count()
    }

    /// Tickets of the futures that have not ended.
    pub fn tickets(&self) -> Vec<Arc<T>> {
        self.core.lock().expect("the slots").slots.iter().filter_map(|s| s.ticket.clone()).collect()
    }

    /// In the child of a fork: leaks everything and returns the descriptors to close by number.
    pub fn forget(&self) -> Vec<RawFd> {
        // The lock may be held by a thread that does not exist here: never wait for it.
        if let Ok(mut core) = self.core.try_lock() {
            forget(take(&mut core.slots));
            forget(take(&mut core.spare));
        }
        let descriptors = self.home.reactor.descriptors();
        self.home.reactor.forget();
        forget(self.home.clone());
        descriptors
    }
}

impl<T> Drop for Executor<T> {
    fn drop(&mut self) {
        if self.home.born != fork::count() {
            if let Ok(mut core) = self.core.try_lock() {
                forget(take(&mut core.slots));
            }
            forget(self.home.clone());
            return;
        }
        // Sockets leave the reactor inside its context.
        let _inside = self.home.reactor.handle().enter();
        let slots = take(&mut self.core.lock().expect("the slots").slots);
        drop(slots);
    }
}
