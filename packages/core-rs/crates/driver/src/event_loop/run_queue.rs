//! What the owner of an executor must look at next.
use crate::event_loop::fork;
use crate::event_loop::waker_fd::Bell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// A future that an executor drives for itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One piece of news.
pub enum Note {
    /// The slot with this number wants to be polled.
    Poll(u32),
    /// A future wants a slot.
    Spawn(Task),
}

/// The list of news, and the bell that is rung when it stops being empty.
pub struct Ready {
    notes: Mutex<Vec<Note>>,
    /// Rung from empty to non-empty.
    pub bell: Bell,
    turner: AtomicU64,
    born: u32,
}

/// The calling thread, as a number.
pub fn this_thread() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() as u64 }
}

impl Ready {
    /// An empty list.
    ///
    /// # Errors
    /// When no bell can be made.
    pub fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            notes: Mutex::default(),
            bell: Bell::new()?,
            turner: AtomicU64::new(0),
            born: fork::count(),
        }))
    }

    /// Adds a note, from any thread.
    pub fn push(&self, note: Note) {
        if self.born != fork::count() {
            std::mem::forget(note); // a child must neither ring the parent's bell nor drop its sockets
            return;
        }
        let first = {
            let mut notes = self.notes.lock().expect("the list of notes");
            notes.push(note);
            notes.len() == 1
        };
        // The thread that turns the executor reads the list right afterwards and needs no bell.
        if first && self.turner.load(Acquire) != this_thread() {
            self.bell.ring();
        }
    }

    /// Gives a future to the executor.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.push(Note::Spawn(Box::pin(task)));
    }

    /// Whether there are no notes.
    pub fn is_empty(&self) -> bool {
        self.notes.lock().expect("the list of notes").is_empty()
    }

    /// Moves all notes to `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<Note>) {
        std::mem::swap(&mut *self.notes.lock().expect("the list of notes"), into);
    }

    /// Marks the calling thread as the one that turns the executor; returns the one before.
    pub(crate) fn enter(&self) -> u64 {
        self.turner.swap(this_thread(), AcqRel)
    }

    /// Ends [`Self::enter`] and rings for notes that came too late to be seen.
    pub(crate) fn leave(&self, before: u64) {
        self.turner.store(before, Release);
        if before == 0 && !self.is_empty() {
            self.bell.ring();
        }
    }
}

/// Wakes one slot.
pub(crate) struct SlotWaker(pub u32, pub Arc<Ready>);

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.1.push(Note::Poll(self.0));
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.1.push(Note::Poll(self.0));
    }
}
