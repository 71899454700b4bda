//! Which statements may leave a session changed by what functions and triggers of the database do.
//!
//! The text of a statement does not show that a function it calls runs `set_config()`, takes an advisory lock or makes a
//! temporary table. The catalog does: once per database, again after DDL that went through this pool and every few
//! minutes, the pool reads which functions contain such words, and which functions, tables, views and types lead to them.
//! A statement that names none of these leaves the session as it was (ADR 0014).
use crate::config::Reset;
use crate::connection::Connection;
use crate::connection::effect::Effect;
use crate::error::Error;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long what was read of the catalog is believed: other programs may create functions.
const BELIEVED: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Known {
    /// Functions, tables, views and types that lead to a function which may change the session.
    names: HashSet<String>,
    /// Such a function is reached without being named: by an operator or a cast.
    everything: bool,
}

/// What is known of the functions of a database.
pub struct Session {
    /// When a connection is reset.
    pub reset: Reset,
    known: Mutex<Arc<Known>>,
    /// When that was read, in milliseconds since `made`, from 1; 0: nothing is known.
    read: AtomicU64,
    made: Instant,
    /// Changes with every change of `known`.
    version: AtomicU32,
    reading: AtomicBool,
}

impl Session {
    pub(crate) fn new(reset: Reset) -> Self {
        Self {
            reset,
            known: Mutex::default(),
            read: AtomicU64::new(0),
            made: Instant::now(),
            version: AtomicU32::new(1),
            reading: AtomicBool::new(false),
        }
    }

    fn known(&self) -> Arc<Known> {
        self.known.lock().expect("what is known of functions").clone()
    }

    /// Changes whenever the answer of [`Self::may_change`] may.
    pub fn version(&self) -> u32 {
        self.version.load(Acquire)
    }

    /// Whether a statement that names these objects may change the session; true while nothing is known.
    pub fn may_change(&self, mut names: impl Iterator<Item = String>) -> bool {
        if self.reset != Reset::Auto {
            return false;
        }
        let known = self.known();
        self.read.load(Acquire) == 0
            || known.everything
            || (!known.names.is_empty() && names.any(|n| known.names.contains(&n)))
    }

    /// Whether nothing is known yet, so that [`Self::may_change`] would say yes to everything.
    pub fn is_unknown(&self) -> bool {
        self.reset == Reset::Auto && self.read.load(Acquire) == 0
    }

    /// Whether a statement may change the session, now that it has a connection.
    pub(crate) fn makes_dirty(&self, effect: &Effect) -> bool {
        effect.dirty || effect.undecided.as_ref().is_some_and(|names| self.may_change(names.iter().cloned()))
    }

    /// Functions may have changed: nothing is known until the catalog has been read again.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().expect("what is known of functions");
        *known = Arc::default();
        self.read.store(0, Release);
        self.version.fetch_add(1, AcqRel);
    }

    /// Whether anything is to be done with a connection before its next user.
    pub(crate) fn has_work(&self, connection: &Connection) -> bool {
        match self.reset {
            Reset::Auto => connection.dirty,
            Reset::Always => true,
            Reset::Never => connection.suspect,
        }
    }

    /// Makes a connection ready for its next user.
    ///
    /// # Errors
    /// Those of the connection, which is then not to be used again.
    pub(crate) async fn clean(&self, connection: &mut Connection) -> Result<(), Error> {
        if self.reset == Reset::Never {
            return connection.end_transaction().await;
        }
        connection.reset().await
    }

    /// Milliseconds since the pool was made, from 1.
    fn age(&self) -> u64 {
        self.made.elapsed().as_millis() as u64 + 1
    }

    /// Whether the catalog is to be read before the next statement.
    pub(crate) fn is_due(&self) -> bool {
        let read = self.read.load(Acquire);
        self.reset == Reset::Auto && (read == 0 || self.age() > read + BELIEVED.as_millis() as u64)
    }

    /// Reads the catalog through `connection`, when that is due and no other task reads it.
    ///
    /// # Errors
    /// Those of the connection. A server that refuses the question leaves everything unknown.
    pub(crate) async fn refresh(&self, connection: &mut Connection) -> Result<(), Error> {
        if connection.pooled || connection.meta.pid == 0 || !self.is_due() || self.reading.swap(true, AcqRel) {
            return Ok(());
        }
        let version = self.version();
        let read = connection.texts(QUESTION).await;
        self.reading.store(false, Release);
        let names = match read {
            Ok(names) => names,
            // A server that is like PostgreSQL, but has not all of its catalog: every statement counts.
            Err(Error::Server(_)) => vec![EVERYTHING.to_owned()],
            Err(e) => return Err(e),
        };
        let mut known = self.known.lock().expect("what is known of functions");
        if self.version() == version {
            let everything = names.iter().any(|n| n == EVERYTHING);
            *known = Arc::new(Known { names: names.into_iter().collect(), everything });
            self.read.store(self.age(), Release);
            self.version.fetch_add(1, AcqRel);
        }
        Ok(())
    }
}

/// Stands for all names. No object is called so by accident, and by intent it costs speed alone.
const EVERYTHING: &str = "*";

/// The names of all objects that lead to a function which may change a session.
///
/// A function may when its language is not one whose source can be read, or when its source holds one of the words by
/// which a session is changed, or runs SQL that is made at run time. `UPDATE … SET` and `SET LOCAL` do not count. From
/// there: functions whose source names it, tables by triggers, defaults, constraints, policies, indexes, views by their
/// queries, the parents of foreign keys and partitions, domains and the tables that have columns of them.
const QUESTION: &str = include_str!("session.sql");
