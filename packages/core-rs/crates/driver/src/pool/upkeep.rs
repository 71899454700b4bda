//! Upkeep of a pool: connections that are idle or old go, and the least number is kept.
use super::Pool;
use super::canceller::Control;
use crate::connection::Connection;
use crate::event_loop::executor::Home;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Steps of the spread of lifetimes.
const STEPS: u64 = 21;
static MADE: AtomicU64 = AtomicU64::new(0);

/// The part of the lifetime that the nth connection gets: 95 to 105 %. Eight has no factor in common with the number of
/// steps, so neighbours lie apart and no step is left out.
fn share(nth: u64) -> f64 {
    0.95 + (nth.wrapping_mul(8) % STEPS) as f64 / 200.0
}

impl Pool {
    /// When a connection made now is to be replaced: connections that were made at once do not all go at once.
    pub(super) fn lifetime(&self) -> Instant {
        Instant::now() + self.limits.max_lifetime.mul_f64(share(MADE.fetch_add(1, Relaxed)))
    }

    /// Looks after the connections of `home`, as long as it lives.
    pub(super) fn reap(self: &Arc<Self>, home: &Arc<Home>) {
        let (pool, home) = (Arc::downgrade(self), home.clone());
        // Often enough for idle ones, and for old ones to go in the order of their ends instead of in crowds.
        let every = (self.limits.idle_timeout / 2).min(self.limits.max_lifetime / 60);
        let every = every.clamp(Duration::from_millis(250), Duration::from_secs(30));
        home.clone().ready.spawn(async move {
            loop {
                if let Some(pool) = pool.upgrade().filter(|pool| pool.limits.control && !pool.state().closed) {
                    // A server that is full now may have room at the next turn.
                    let _ = pool.canceller(home.id).prepare(&pool, &home).await;
                }
                home.reactor.sleep(Instant::now() + every).await;
                let Some(pool) = pool.upgrade() else { return };
                let stale = pool.stale(home.id);
                for connection in stale {
                    connection.close().await;
                }
                if !pool.fill(&home) {
                    return;
                }
            }
        });
    }

    fn stale(&self, home: usize) -> Vec<Connection> {
        let now = Instant::now();
        let mut state = self.state();
        let mut spare = state.open.saturating_sub(self.limits.min);
        let Some(idle) = state.idle.get_mut(&home) else { return vec![] };
        let (mut stale, mut keep) = (vec![], vec![]);
        for mut c in idle.drain(..) {
            if c.expires <= now || (spare > 0 && now.duration_since(c.idle_since) >= self.limits.idle_timeout) {
                spare = spare.saturating_sub(1);
                stale.push(c);
            } else {
                c.release_buffers();
                keep.push(c);
            }
        }
        *idle = keep;
        stale
    }

    /// Makes up for connections of the least number that have ended; false when the pool is closed.
    fn fill(self: &Arc<Self>, home: &Arc<Home>) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        while state.open < self.limits.min {
            self.open_one(&mut state, home);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{STEPS, share};

    #[test]
    fn lifetimes_are_spread_evenly() {
        let mut shares: Vec<_> = (0..STEPS).map(share).collect();
        shares.sort_by(f64::total_cmp);
        assert!((shares[0] - 0.95).abs() < 1e-9 && (shares[20] - 1.05).abs() < 1e-9);
        // In half an hour ±5 % a second is a 180th: of ten connections no two may meet in it.
        assert!(shares.windows(2).all(|w| w[1] - w[0] > 0.004), "{shares:?}");
    }
}
