//! Where and how to connect.
use crate::error::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A text that no `Debug` and no message shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// Where a password comes from that changes, as the tokens of cloud providers do.
pub trait PasswordSource: Send + Sync {
    /// Asks for the password of the connection that is being made.
    fn ask(&self, answer: Answer);
}

/// Where the password goes, or the reason why there is none. Dropping it ends the attempt to connect.
pub struct Answer(oneshot::Sender<Result<Secret, String>>);

impl Answer {
    /// Tells it to the connection, if that still waits.
    pub fn give(self, password: Result<Secret, String>) {
        let _ = self.0.send(password);
    }
}

/// How a connection proves who it is.
#[derive(Clone)]
pub enum Passwords {
    /// By one password for each host, which may be none.
    Known(Vec<Option<Secret>>),
    /// By a password that is asked for each time.
    Asked(Arc<dyn PasswordSource>),
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// How much TLS is asked for (libpq's `sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Disable,
    /// If the server offers it.
    Prefer,
    /// Always, whichever server answers.
    Require,
    /// Always, with a certificate that a known authority signed for this host.
    VerifyFull,
}

/// Which server of several is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The first that answers.
    Any,
    /// One that accepts writes in a new session.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is.
    Standby,
}

/// One server: host name, address or folder of a unix socket, and port.
pub type Host = (String, u16);

/// Everything that a connection needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tried in order.
    pub hosts: Vec<Host>,
    /// Role.
    pub user: String,
    /// Its passwords.
    pub passwords: Passwords,
    /// Database; `None` is the one named like the role.
    pub database: Option<String>,
    /// TLS.
    pub tls: Tls,
    /// PEM file with the authorities to trust.
    pub root_certificate: Option<String>,
    /// PEM file with the client's certificate.
    pub certificate: Option<String>,
    /// PEM file with the client's key.
    pub key: Option<String>,
    /// Shown in `pg_stat_activity`.
    pub application_name: Option<String>,
    /// Set for every session, as by `PGOPTIONS`.
    pub settings: BTreeMap<String, String>,
    /// SQL for every session, after it has begun and after it was reset; each statement ends with a semicolon.
    pub setup: String,
    /// Which server is wanted.
    pub target: Target,
    /// For name look-up, TCP, TLS, authentication and all retries together.
    pub connect_timeout: Duration,
    /// Named prepared statements per connection; 0 uses none.
    pub statement_cache: usize,
}

impl Config {
    /// The password for a host.
    ///
    /// # Errors
    /// The reason why the application has none.
    pub(crate) async fn password(&self, host: &Host) -> Result<Option<Secret>, String> {
        match &self.passwords {
            Passwords::Known(all) => {
                let at = self.hosts.iter().position(|h| h == host);
                Ok(at.and_then(|at| all.get(at)).cloned().flatten())
            }
            Passwords::Asked(source) => {
                let (sender, receiver) = oneshot::channel();
                source.ask(Answer(sender));
                receiver
                    .await
                    .unwrap_or_else(|_| Err("the function of password= was not run to its end".into()))
                    .map(Some)
            }
        }
    }
}

impl Tls {
    /// Reads libpq's word.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a word that is unknown or promises what sqlx does not keep.
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "disable" => Ok(Self::Disable),
            "prefer" | "allow" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            "verify-ca" => Err(Error::Configuration(
                "ssl='verify-ca' is refused: the given root certificate would be trusted beside all public authorities, so a certificate of any of their customers \
                 would pass; use ssl='verify-full', which also checks the host name"
                    .into(),
            )),
            other => Err(Error::Configuration(format!("ssl={other:?} is not one of disable, prefer, require, verify-full"))),
        }
    }
}

impl Target {
    /// Reads libpq's word.
    ///
    /// # Errors
    /// [`Error::Configuration`] for an unknown word.
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "any" => Ok(Self::Any),
            "read-write" => Ok(Self::ReadWrite),
            "read-only" => Ok(Self::ReadOnly),
            "primary" => Ok(Self::Primary),
            "standby" => Ok(Self::Standby),
            other => Err(Error::Configuration(format!(
                "target_session_attrs={other:?} is not one of any, read-write, read-only, primary, standby"
            ))),
        }
    }

    /// The question to the server and the answer that suits; `None` where every server does.
    pub(crate) fn question(self) -> Option<(&'static str, bool)> {
        match self {
            Self::Any => None,
            Self::ReadWrite => Some(("SELECT current_setting('transaction_read_only')::bool", false)),
            Self::ReadOnly => Some(("SELECT current_setting('transaction_read_only')::bool", true)),
            Self::Primary => Some(("SELECT pg_is_in_recovery()", false)),
            Self::Standby => Some(("SELECT pg_is_in_recovery()", true)),
        }
    }
}

/// When a connection is reset before its next user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reset {
    /// After a statement that may have changed the session.
    #[default]
    Auto,
    /// After every use.
    Always,
    /// Never: the application keeps its sessions clean.
    Never,
}

impl Reset {
    /// Reads the option's word.
    ///
    /// # Errors
    /// [`Error::Configuration`] for an unknown word.
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(Error::Configuration(format!("session_reset={other:?} is not one of auto, always, never"))),
        }
    }
}

/// Limits of a pool.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections that are kept even when idle.
    pub min: usize,
    /// Connections at the same time, over all threads and loops of the process.
    pub max: usize,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// Idle connections above `min` are closed after this.
    pub idle_timeout: Duration,
    /// Connections are replaced after this, ±5 %.
    pub max_lifetime: Duration,
    /// When a connection is reset before its next user.
    pub session_reset: Reset,
    /// Whether the connection for cancelling is made with the pool and kept, instead of when it is needed.
    pub control: bool,
}
