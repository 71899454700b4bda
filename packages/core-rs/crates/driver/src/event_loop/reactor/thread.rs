//! The reactor with a thread of its own: for systems without epoll, for loops without `add_reader`, for blocking callers
//! and for connections that several threads share.
//!
//! The thread only turns tokio's driver. Futures are polled by the thread that answers the bell, so no Python object and no
//! interpreter lock ever reaches it.
use super::{Reactor, Sleep};
use crate::event_loop::run_queue::Ready;
use std::io;
use std::mem::forget;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub struct Thread {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ready: Arc<Ready>,
    born: u32,
}

impl Thread {
    pub fn new(ready: &Arc<Ready>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("data-bridge-io".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, stop: Mutex::new(Some(stop)), ready: ready.clone(), born: crate::event_loop::fork::count() })
    }
}

impl Reactor for Thread {
    fn watch(&self) -> RawFd {
        self.ready.bell.fd()
    }
    fn turn(&self) {
        self.ready.bell.silence();
    }
    fn handle(&self) -> &Handle {
        &self.handle
    }
    fn sleep(&self, at: Instant) -> Sleep {
        let _inside = self.handle.enter();
        Box::pin(tokio::time::sleep_until(at.into()))
    }
    fn shared(&self) -> bool {
        true
    }
    fn descriptors(&self) -> Vec<RawFd> {
        vec![self.ready.bell.fd()]
    }
    fn forget(&self) {
        if let Ok(mut stop) = self.stop.try_lock() {
            forget(stop.take());
        }
        forget(self.handle.clone());
        forget(self.ready.clone());
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.born != crate::event_loop::fork::count() {
            return self.forget();
        }
        // The thread is told and never joined, because nothing may wait for it at interpreter exit.
        if let Some(stop) = self.stop.lock().expect("the stop signal").take() {
            let _ = stop.send(());
        }
    }
}
