//! Who turns tokio's I/O driver: the only difference between the two kinds of executor.
mod clock;
#[cfg(target_os = "linux")]
mod in_loop;
mod thread;

use crate::event_loop::run_queue::Ready;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// A future that ends at an instant.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Turns readiness of sockets and time into notes.
pub trait Reactor: Send + Sync {
    /// The descriptor that an event loop watches for reading.
    fn watch(&self) -> RawFd;
    /// Looks once, without waiting, what became ready, and wakes who waits for it.
    fn turn(&self);
    /// For everything that makes sockets or asks for names.
    fn handle(&self) -> &Handle;
    /// Ends at `at`; wakes a sleeping event loop.
    fn sleep(&self, at: Instant) -> Sleep;
    /// Whether several threads may drive the executor, one after another.
    fn shared(&self) -> bool;
    /// Descriptors that the child of a fork must close by number.
    fn descriptors(&self) -> Vec<RawFd>;
    /// In the child of a fork: give everything up without any destructor.
    fn forget(&self);
}

/// Which reactor to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Driven by the event loop itself: its epoll is nested in the loop's. Linux only.
    Loop,
    /// A thread of its own.
    Thread,
}

/// Makes a reactor; a [`Kind::Loop`] that cannot be had here becomes a [`Kind::Thread`].
///
/// # Errors
/// When the process has no descriptor or thread left.
pub fn make(kind: Kind, ready: &Arc<Ready>) -> io::Result<Box<dyn Reactor>> {
    #[cfg(target_os = "linux")]
    if kind == Kind::Loop
        && let Some(reactor) = in_loop::InLoop::new(ready)?
    {
        return Ok(Box::new(reactor));
    }
    let _ = kind;
    Ok(Box::new(thread::Thread::new(ready)?))
}
