//! Futures without a runtime of their own: slots, a list of those that can go on, and who turns sockets and time.
pub mod executor;
pub mod fork;
pub mod reactor;
pub mod run_queue;
pub(crate) mod waker_fd;
