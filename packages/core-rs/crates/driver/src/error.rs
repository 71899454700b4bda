//! What can go wrong between a caller and the server.
use crate::multirange;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use std::fmt;
use std::sync::Arc;

/// Every field of an ErrorResponse that a caller can use (PostgreSQL manual, "Error and Notice Message Fields").
#[derive(Debug, Clone, Default)]
pub struct ServerError {
    /// Five characters (PostgreSQL manual, appendix A).
    pub sqlstate: String,
    /// Primary message.
    pub message: String,
    /// `ERROR`, `FATAL` or `PANIC`.
    pub severity: String,
    /// Secondary message.
    pub detail: Option<String>,
    /// Advice.
    pub hint: Option<String>,
    /// Character in the statement, from 1.
    pub position: Option<usize>,
    /// Call stack of procedural languages.
    pub context: Option<String>,
    /// Schema of the object concerned.
    pub schema: Option<String>,
    /// Table of the object concerned.
    pub table: Option<String>,
    /// Column concerned.
    pub column: Option<String>,
    /// Constraint concerned.
    pub constraint: Option<String>,
    /// Data type concerned.
    pub data_type: Option<String>,
}

impl ServerError {
    fn read(e: &PgDatabaseError) -> Self {
        let own = |s: Option<&str>| s.map(str::to_owned);
        Self {
            sqlstate: e.code().to_owned(),
            message: e.message().to_owned(),
            severity: format!("{:?}", e.severity()).to_uppercase(),
            detail: own(e.detail()),
            hint: own(e.hint()),
            position: match e.position() {
                Some(PgErrorPosition::Original(n)) => Some(n),
                Some(PgErrorPosition::Internal { position, .. }) => Some(position),
                None => None,
            },
            context: own(e.r#where()),
            schema: own(e.schema()),
            table: own(e.table()),
            column: own(e.column()),
            constraint: own(e.constraint()),
            data_type: own(e.data_type()),
        }
    }

    /// Whether the session ended with this error: FATAL and PANIC, of which 57P01 to 57P03 are the usual ones.
    pub fn is_fatal(&self) -> bool {
        self.severity != "ERROR"
    }
}

/// The reason why an operation has no result.
#[derive(Debug, Clone)]
pub enum Error {
    /// The server refused the statement.
    Server(Arc<ServerError>),
    /// The connection ended. `sent`: the statement may have been executed.
    Lost {
        /// What was seen of it.
        message: String,
        /// Whether the statement had left.
        sent: bool,
        /// The server's reason, when it gave one (57P01 …).
        server: Option<Arc<ServerError>>,
    },
    /// No connection could be made.
    Connect {
        /// Host, socket folder or list of hosts.
        host: String,
        /// Port.
        port: u16,
        /// Where it failed: `connect`, `TLS`, `authentication`, `start-up`, `target_session_attrs`, `deadline`.
        step: &'static str,
        /// The server's code, when it came so far.
        sqlstate: Option<String>,
        /// The reason.
        message: String,
    },
    /// No connection became free in time.
    PoolTimeout {
        /// Connections open.
        size: usize,
        /// Connections idle.
        idle: usize,
        /// Callers waiting.
        waiting: usize,
        /// Seconds waited.
        seconds: f64,
        /// What the longest holder does and since when, if known.
        oldest: Option<String>,
    },
    /// The database object was closed.
    PoolClosed,
    /// The statement took longer than allowed; it was cancelled on the server.
    QueryTimeout(f64),
    /// The caller gave up; nobody reads this.
    Abandoned,
    /// The parameters do not fit; the caller knows why.
    Refused,
    /// The transaction has ended.
    TransactionClosed,
    /// An earlier statement of the transaction failed.
    TransactionAborted(Option<Arc<ServerError>>),
    /// COMMIT was asked for, and the transaction was rolled back.
    RolledBack(Option<Arc<ServerError>>),
    /// The connection ended after COMMIT was sent and before its answer.
    CommitUnknown(String),
    /// The settings contradict each other.
    Configuration(String),
    /// The answer does not follow the protocol; the connection was closed.
    Protocol(String),
    /// The statement has a parameter or column of a type that sqlx cannot describe, or of a multirange type that it was
    /// not told about yet (the module `multirange`); nothing was executed.
    Undescribed,
}

impl Error {
    /// Reads sqlx's error; `sent` says whether the statement may have reached the server.
    pub fn from_sqlx(e: sqlx::Error, sent: bool) -> Self {
        match e {
            sqlx::Error::Database(d) => match d.try_downcast::<PgDatabaseError>() {
                Ok(pg) => {
                    let server = Arc::new(ServerError::read(&pg));
                    if server.is_fatal() {
                        return Self::Lost { message: server.message.clone(), sent, server: Some(server) };
                    }
                    Self::Server(server)
                }
                Err(other) => Self::Protocol(other.to_string()),
            },
            sqlx::Error::Io(io) => Self::Lost { message: io.to_string(), sent, server: None },
            sqlx::Error::Protocol(m) => Self::Protocol(m),
            other if multirange::is_unknown(&other) => Self::Undescribed,
            other => Self::Protocol(other.to_string()),
        }
    }

    /// Whether the connection can go on after this error.
    pub fn leaves_connection(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Refused | Self::Abandoned | Self::Undescribed)
    }

    /// The server's code.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server(s) | Self::Lost { server: Some(s), .. } => Some(&s.sqlstate),
            Self::Connect { sqlstate, .. } => sqlstate.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(s) => write!(f, "{} ({})", s.message, s.sqlstate),
            Self::Lost { message, server: Some(s), .. } => {
                write!(f, "the server ended the connection: {message} ({})", s.sqlstate)
            }
            Self::Lost { message, .. } => write!(f, "the connection was lost: {message}"),
            Self::Connect { host, port, step, message, sqlstate } => {
                write!(f, "cannot connect to {host}:{port} ({step}): {message}")?;
                sqlstate.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
            }
            Self::PoolTimeout { size, idle, waiting, seconds, oldest } => {
                write!(f, "no connection became free in {seconds:.1} s: {size} open, {idle} idle, {waiting} waiting")?;
                match oldest {
                    Some(o) => write!(f, "; held longest: {o}"),
                    None => Ok(()),
                }
            }
            Self::PoolClosed => f.write_str("the database was closed"),
            Self::QueryTimeout(s) => write!(f, "the statement took longer than {s} s and was cancelled"),
            Self::Abandoned => f.write_str("the operation was cancelled"),
            Self::Refused => f.write_str("the parameters do not fit the statement"),
            Self::TransactionClosed => f.write_str("the transaction has ended"),
            Self::TransactionAborted(cause) => {
                caused(f, "an earlier statement of this transaction failed; roll back to a savepoint or end it", cause)
            }
            Self::RolledBack(cause) => caused(
                f,
                "the transaction was rolled back instead of committed, because a statement of it had failed",
                cause,
            ),
            Self::CommitUnknown(m) => write!(f, "the connection was lost during COMMIT, its outcome is unknown: {m}"),
            Self::Configuration(m) => f.write_str(m),
            Self::Undescribed => f.write_str(
                "the statement has a parameter or column of a type that cannot be described, one of the server's own use \
                 or of an own category: cast it in SQL, as in column::text or $1::text::name",
            ),
            Self::Protocol(m) => write!(f, "unexpected answer, the connection was closed: {m}"),
        }
    }
}

fn caused(f: &mut fmt::Formatter<'_>, text: &str, cause: &Option<Arc<ServerError>>) -> fmt::Result {
    f.write_str(text)?;
    match cause {
        Some(c) => write!(f, " ({}: {})", c.sqlstate, c.message),
        None => Ok(()),
    }
}

impl std::error::Error for Error {}
