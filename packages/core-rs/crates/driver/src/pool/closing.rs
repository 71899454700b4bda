//! The end of a pool: by its owner, or because the process is the child of a fork.
use super::Pool;
use crate::config::Host;
use crate::connection::Connection;
use crate::connection::socket;
use crate::error::Error;
use std::sync::Weak;
use std::sync::atomic::Ordering::Acquire;

impl Pool {
    /// Refuses callers from now on; returns the idle connections, to be closed politely.
    pub fn close(&self) -> Vec<Connection> {
        let mut state = self.state();
        state.closed = true;
        let waiters = std::mem::take(&mut state.waiters);
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        for w in waiters {
            w.give(Err(Error::PoolClosed));
        }
        let listeners = std::mem::take(&mut *self.listeners.lock().expect("the listeners"));
        listeners.iter().filter_map(Weak::upgrade).for_each(|l| l.close());
        let cancellers = std::mem::take(&mut *self.cancellers.lock().expect("the cancellers"));
        idle.into_values().flatten().chain(cancellers.into_values().filter_map(|c| c.idle())).collect()
    }

    /// Ends the connections that are still in use, whatever thread they live in: both directions of their sockets are
    /// shut, so the server ends the session at once and the owner hears it when it turns there again. Sockets that are
    /// not known (not Linux, or not found) end with their owners.
    pub fn shut(&self) {
        let metas = self.state().metas.iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        for fd in metas.iter().filter_map(|m| m.fd) {
            // Its owner may close it at this moment, and the number may belong to another file already.
            let ours = |host: &Host| match socket::peer_port(fd) {
                Some(port) => host.1 == port,
                None => host.0.starts_with('/'),
            };
            if self.config.hosts.iter().any(ours) {
                socket::shut(fd);
            }
        }
    }

    /// Server processes that work for this pool now. Does not wait for a lock: `None` when it is held.
    pub fn busy(&self) -> Option<Vec<i32>> {
        let state = self.state.try_lock().ok()?;
        Some(
            state
                .metas
                .iter()
                .filter_map(Weak::upgrade)
                .filter(|m| m.busy.load(Acquire) && m.pid != 0)
                .map(|m| m.pid)
                .collect(),
        )
    }

    /// In the child of a fork: leaks everything and returns the descriptors to close by number.
    pub fn forget(&self) -> Vec<i32> {
        let Ok(mut state) = self.state.try_lock() else { return vec![] };
        let fds = state.metas.iter().filter_map(Weak::upgrade).filter_map(|m| m.fd).collect();
        std::mem::forget(std::mem::take(&mut *state));
        fds
    }
}
