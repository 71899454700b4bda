//! What a pool holds, and who waits for it in which order.
use crate::connection::{Connection, Meta};
use crate::pool::waiter::Waiter;
use crate::pool::{Pool, Stats};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

#[derive(Default)]
pub(super) struct State {
    pub(super) open: usize,
    pub(super) idle: HashMap<usize, Vec<Connection>>,
    pub(super) waiters: VecDeque<Arc<Waiter>>,
    /// Connections that are being made, by home.
    pub(super) opening: Vec<(usize, usize)>,
    /// Idle connections that were closed for the sake of waiters of other homes, and whose places are not free yet.
    pub(super) leaving: usize,
    pub(super) reaped: HashSet<usize>,
    pub(super) metas: Vec<Weak<Meta>>,
    pub(super) closed: bool,
    /// Why the server took no more connections than there are, when it last refused one.
    pub(super) refusal: Option<String>,
    pub(super) stats: Stats,
}

impl State {
    pub(super) fn opening(&mut self, home: usize) -> &mut usize {
        let at = self.opening.iter().position(|(h, _)| *h == home).unwrap_or_else(|| {
            self.opening.push((home, 0));
            self.opening.len() - 1
        });
        &mut self.opening[at].1
    }

    /// The place in the queue of the first waiter for whom nothing is on its way: neither a connection that is being made
    /// for its home, nor a place that becomes free. As many waiters as these are passed over, so that a connection is
    /// made or closed for one waiter once.
    pub(super) fn uncovered(&self) -> Option<usize> {
        if self.waiters.is_empty() {
            return None;
        }
        let mut opening = self.opening.clone();
        let mut leaving = self.leaving;
        self.waiters.iter().position(|w| {
            if let Some((_, left)) = opening.iter_mut().find(|(h, left)| *h == w.home.id && *left > 0) {
                *left -= 1;
                return false;
            }
            if leaving > 0 {
                leaving -= 1;
                return false;
            }
            true
        })
    }

    /// Who gets a connection of `home`: the first waiter there, unless one elsewhere has asked before and has nothing on
    /// its way.
    pub(super) fn next(&mut self, home: usize) -> Next {
        let Some(at) = self.waiters.iter().position(|w| w.home.id == home) else {
            return if self.uncovered().is_some() { Next::Elsewhere } else { Next::Idle };
        };
        if at > 0 && self.uncovered().is_some_and(|u| u < at) {
            return Next::Elsewhere;
        }
        self.waiters.remove(at).map_or(Next::Idle, Next::Waiter)
    }
}

/// Who gets a connection that is free.
pub(super) enum Next {
    Waiter(Arc<Waiter>),
    Elsewhere,
    /// Nothing waits: it stays in the pool.
    Idle,
}

/// A connection that is being made.
pub(super) struct Opening {
    pub(super) pool: Weak<Pool>,
    pub(super) home: usize,
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut state = pool.state();
            let left = state.opening(self.home);
            *left = left.saturating_sub(1);
            state.opening.retain(|(_, left)| *left > 0);
        }
    }
}
