//! Connections are replaced when what they know of the database no longer holds.
use crate::connection::effect::Defines;
use crate::pool::Pool;
use crate::types;
use std::sync::atomic::Ordering::AcqRel;

impl Pool {
    /// What is known of the database's functions is read again after a definition, and connections that may have met its
    /// types are replaced: they never ask again what one consists of.
    pub(crate) fn defined(&self, defines: Defines) {
        if defines > Defines::Nothing {
            self.session.forget();
        }
        if defines == Defines::Types && types::has_own() {
            self.expire();
        }
    }

    /// Replaces every connection before its next use.
    pub fn expire(&self) {
        self.epoch.fetch_add(1, AcqRel);
        let idle = std::mem::take(&mut self.state().idle);
        drop(idle);
    }
}
