//! A place in a pool, as its connection knows it.

/// Frees its place when it is dropped. A connection beside the pool has none.
pub struct Permit(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Permit {
    /// A place that `free` gives back.
    pub(crate) fn new(free: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(free)))
    }

    /// For a connection that counts against no limit.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(free) = self.0.take() {
            free();
        }
    }
}
