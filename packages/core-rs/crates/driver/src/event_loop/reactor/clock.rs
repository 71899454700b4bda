//! Time for a reactor without a waiting thread: a timerfd inside the epoll that the event loop watches.
//!
//! tokio's own timers are served by the thread that parks in the runtime. With a [`super::Kind::Loop`] no thread does,
//! so a deadline would pass unnoticed while the event loop sleeps. A timerfd makes the nested epoll readable instead.
#![cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

type Key = (Instant, u64);

#[derive(Default)]
struct Sleepers {
    by_time: BTreeMap<Key, Waker>,
    made: u64,
    /// What the timer is set to. Setting it is a system call, and one sleeper or other is always there.
    armed: Option<Instant>,
}

/// Sleepers by their time, and the timerfd armed for the first of them.
pub struct Clock {
    sleepers: Mutex<Sleepers>,
    timer: OwnedFd,
}

impl Clock {
    pub fn new() -> io::Result<Arc<Self>> {
        // SAFETY: plain system call; the descriptor is owned at once.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is new and has no other owner.
        let timer = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Arc::new(Self { sleepers: Mutex::default(), timer }))
    }

    pub fn fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }

    fn arm(&self, sleepers: &mut Sleepers, at: Instant) {
        if sleepers.armed.replace(at) == Some(at) {
            return;
        }
        let wait = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let spec = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec { tv_sec: wait.as_secs() as _, tv_nsec: wait.subsec_nanos() as _ },
        };
        // SAFETY: a valid descriptor and a valid specification.
        unsafe { libc::timerfd_settime(self.fd(), 0, &spec, std::ptr::null_mut()) };
    }

    /// Wakes whose time has come.
    pub fn fire(&self) {
        let mut due = Vec::new();
        {
            let mut guard = self.sleepers.lock().expect("sleepers");
            if guard.by_time.is_empty() {
                return;
            }
            let now = Instant::now();
            while let Some(first) = guard.by_time.first_entry() {
                let at = first.key().0;
                if at > now {
                    self.arm(&mut guard, at);
                    break;
                }
                due.push(first.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    pub fn sleep(self: &Arc<Self>, at: Instant) -> Sleeper {
        Sleeper { clock: self.clone(), at, key: None }
    }
}

/// A future that ends at its time.
pub struct Sleeper {
    clock: Arc<Clock>,
    at: Instant,
    key: Option<Key>,
}

impl Future for Sleeper {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let clock = self.clock.clone();
        let mut guard = clock.sleepers.lock().expect("sleepers");
        let key = self.key.unwrap_or_else(|| {
            guard.made += 1;
            (self.at, guard.made)
        });
        self.key = Some(key);
        guard.by_time.insert(key, cx.waker().clone());
        if guard.by_time.first_key_value().is_some_and(|(k, _)| *k == key) {
            clock.arm(&mut guard, key.0);
        }
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.sleepers.lock().expect("sleepers").by_time.remove(&key);
        }
    }
}
