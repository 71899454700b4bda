//! The reactor that the event loop itself drives (Linux).
//!
//! A current-thread runtime is never parked in; its epoll descriptor is watched by the event loop, and a zero-time
//! `block_on` lets it collect what became ready. tokio does not tell its epoll: a marker that is already registered there
//! can be added to every descriptor except that one, which answers EEXIST.
use super::clock::Clock;
use super::{Reactor, Sleep};
use crate::event_loop::run_queue::Ready;
use std::io;
use std::mem::forget;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Handle, Runtime};

/// The highest descriptor that is looked at when tokio's epoll is searched.
const HIGHEST: RawFd = 65_536;

pub struct InLoop {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    /// The bell and the timer, kept registered for the life of the runtime.
    registered: Mutex<Vec<AsyncFd<OwnedFd>>>,
    clock: Arc<Clock>,
    watch: RawFd,
    descriptors: Vec<RawFd>,
    born: u32,
}

/// Every descriptor in which `marker` is registered: tokio's epoll, and the duplicate that tokio keeps of it.
fn epolls_with(marker: RawFd) -> Vec<RawFd> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let mut limit = libc::rlimit { rlim_cur: 1024, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    let highest = RawFd::try_from(limit.rlim_cur).unwrap_or(HIGHEST).min(HIGHEST);
    (3..highest)
        .filter(|&fd| fd != marker)
        .filter(|&fd| {
            // SAFETY: epoll_ctl refuses descriptors that are no epolls; a registration that succeeds is undone.
            unsafe {
                if libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, marker, &mut event) == 0 {
                    libc::epoll_ctl(fd, libc::EPOLL_CTL_DEL, marker, &mut event);
                    return false;
                }
                *libc::__errno_location() == libc::EEXIST
            }
        })
        .collect()
}

impl InLoop {
    /// `None` where tokio's epoll cannot be found.
    pub fn new(ready: &Arc<Ready>) -> io::Result<Option<Self>> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let handle = runtime.handle().clone();
        let clock = Clock::new()?;
        let _inside = handle.enter();
        let bell = ready.bell.duplicate()?;
        let marker = bell.as_raw_fd();
        // SAFETY: a second owner of the timer's descriptor; both live as long as `self`.
        let timer = unsafe { OwnedFd::from_raw_fd(libc::fcntl(clock.fd(), libc::F_DUPFD_CLOEXEC, 3)) };
        let mut registered = vec![];
        for fd in [bell, timer] {
            // SAFETY: the descriptor is owned by the AsyncFd and stays open until it is dropped.
            registered.push(
                unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
                    .map_err(|e| io::Error::other(e.to_string()))?,
            );
        }
        let found = epolls_with(marker);
        let Some(&watch) = found.first() else { return Ok(None) };
        let mut descriptors = found;
        descriptors.extend(registered.iter().map(|r| r.get_ref().as_raw_fd()));
        descriptors.extend([ready.bell.fd(), clock.fd()]);
        drop(_inside);
        Ok(Some(Self {
            runtime: Mutex::new(Some(runtime)),
            handle,
            registered: Mutex::new(registered),
            clock,
            watch,
            descriptors,
            born: crate::event_loop::fork::count(),
        }))
    }
}

impl Reactor for InLoop {
    fn watch(&self) -> RawFd {
        self.watch
    }
    fn turn(&self) {
        if let Some(runtime) = self.runtime.lock().expect("the runtime").as_ref() {
            // `yield_now` is resumed only after the scheduler has polled its driver, with a timeout of zero.
            runtime.block_on(tokio::task::yield_now());
        }
        self.clock.fire();
    }
    fn handle(&self) -> &Handle {
        &self.handle
    }
    fn sleep(&self, at: Instant) -> Sleep {
        Box::pin(self.clock.sleep(at))
    }
    fn shared(&self) -> bool {
        false
    }
    fn descriptors(&self) -> Vec<RawFd> {
        self.descriptors.clone()
    }
    fn forget(&self) {
        if let Ok(mut registered) = self.registered.try_lock() {
            forget(std::mem::take(&mut *registered));
        }
        if let Ok(mut runtime) = self.runtime.try_lock() {
            forget(runtime.take());
        }
        forget(self.clock.clone());
        forget(self.handle.clone());
    }
}

impl Drop for InLoop {
    fn drop(&mut self) {
        if self.born != crate::event_loop::fork::count() {
            return self.forget();
        }
        let inside = self.handle.enter();
        self.registered.lock().expect("the registrations").clear();
        drop(inside);
        if let Some(runtime) = self.runtime.lock().expect("the runtime").take() {
            runtime.shutdown_background(); // never wait for a name look-up
        }
    }
}
