//! Noticing that this process is a fork.
//!
//! A child shares the parent's epoll, sockets and eventfds: one destructor in the child would unregister the parent's
//! sockets. So everything that owns a descriptor remembers the counter of its birth, and code that finds another value
//! leaks instead of cleaning up.
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static FORKS: AtomicU32 = AtomicU32::new(0);
static INSTALLED: Once = Once::new();

#[cfg(unix)]
extern "C" fn in_child() {
    FORKS.fetch_add(1, Relaxed);
}

/// Counts forks from now on, also those that C code makes.
pub fn watch() {
    INSTALLED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler only adds to an atomic, which is async-signal-safe.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}

/// How often an ancestor of this process forked since [`watch`]. One relaxed load.
#[inline]
pub fn count() -> u32 {
    FORKS.load(Relaxed)
}
