//! What can go wrong between a caller and the server.
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
    /// The function of the server's source that raised it.
    pub routine: Option<String>,
    /// Whether it was raised for a query inside the statement, such as one of a function's body.
    pub is_inner: bool,
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
                // A position in a text that the caller has never seen.
                Some(PgErrorPosition::Internal { .. }) | None => None,
            },
            is_inner: matches!(e.position(), Some(PgErrorPosition::Internal { .. })),
            routine: own(e.routine()),
            context: own(e.r#where()),
            schema: own(e.schema()),
            table: own(e.table()),
            column: own(e.column()),
            constraint: own(e.constraint()),
            data_type: own(e.data_type()),
        }
    }

    /// Whether the server raised it for the statement's own text: no function, trigger or procedure was at work.
    fn is_own(&self) -> bool {
        self.context.is_none() && !self.is_inner
    }

    fn is_from(&self, routines: &[&str]) -> bool {
        self.routine.as_deref().is_some_and(|r| routines.contains(&r))
    }

    /// Whether the prepared statement cannot be used as it was prepared: it is gone, or its result has other columns now.
    /// The server says so before it executes anything.
    pub(crate) fn is_stale_plan(&self) -> bool {
        match &*self.sqlstate {
            "26000" => self.is_own() && self.is_from(&["exec_bind_message", "exec_describe_statement_message"]),
            "0A000" => self.is_own() && self.is_from(&["RevalidateCachedQuery"]),
            _ => false,
        }
    }

    /// Whether the server, before it executed anything, found no use for the types for which the statement was prepared:
    /// either its text was analysed again (then the error has a position in it), or a type of a parameter does not exist
    /// any more.
    pub(crate) fn may_be_stale_types(&self) -> bool {
        match &*self.sqlstate {
            "42804" | "42846" | "42883" | "42704" => self.is_own() && self.position.is_some(),
            // Its context names the parameter. Only Bind and binary COPY ask for such a function.
            "XX000" => self.is_from(&["getTypeBinaryInputInfo", "getTypeInputInfo"]),
            _ => false,
        }
    }

    /// Whether the statement refuses to run inside a transaction block; it says so before it does anything.
    pub(crate) fn refuses_transaction(&self) -> bool {
        self.sqlstate == "25001" && self.is_own() && self.is_from(&["PreventInTransactionBlock"])
    }

    /// Whether the session ended with this error: FATAL and PANIC, of which 57P01 to 57P03 are the usual ones.
    pub fn is_fatal(&self) -> bool {
        self.severity != "ERROR"
    }
}

/// How far a statement had come when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It waited for a connection and was not sent.
    Waiting,
    /// The server has cancelled it.
    Cancelled,
    /// It ended before the server could cancel it.
    Completed,
    /// It is not known: the statement may still run.
    Running,
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
        /// Why the server took no more connections, if it refused one.
        refusal: Option<String>,
    },
    /// The database object was closed.
    PoolClosed,
    /// The statement took longer than these seconds.
    QueryTimeout(f64, Reached),
    /// The caller gave up; the error is not read.
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
            other if is_undescribed(&other) => Self::Undescribed,
            other => Self::Protocol(other.to_string()),
        }
    }

    /// The same error in a text that begins with so many more characters.
    pub(crate) fn moved(mut self, characters: usize) -> Self {
        if let Self::Server(e) = &mut self {
            let e = Arc::make_mut(e);
            e.position = e.position.map(|at| at + characters);
        }
        self
    }

    /// The same error without a position, which would be one in a text that the caller has not written.
    pub(crate) fn unplaced(mut self) -> Self {
        if let Self::Server(e) = &mut self {
            Arc::make_mut(e).position = None;
        }
        self
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
            Self::PoolTimeout { size, idle, waiting, seconds, oldest, refusal } => {
                write!(f, "no connection became free in {seconds:.1} s: {size} open, {idle} idle, {waiting} waiting")?;
                if let Some(o) = oldest {
                    write!(f, "; held longest: {o}")?;
                }
                refusal.as_ref().map_or(Ok(()), |why| write!(f, "; more were refused: {why}"))
            }
            Self::PoolClosed => f.write_str("the database was closed"),
            Self::QueryTimeout(seconds, reached) => {
                let seconds = (seconds * 1e6).round() / 1e6;
                match reached {
                    Reached::Waiting => write!(f, "the statement could not start within {seconds} s; it was not sent"),
                    Reached::Cancelled => write!(f, "the statement took longer than {seconds} s and was cancelled"),
                    Reached::Completed => write!(
                        f,
                        "the statement took longer than {seconds} s; it was completed before the server could cancel it"
                    ),
                    Reached::Running => write!(
                        f,
                        "the statement took longer than {seconds} s; it was not cancelled in time and may still run on the server"
                    ),
                }
            }
            Self::Abandoned => f.write_str("the operation was cancelled"),
            Self::Refused => f.write_str("the parameters do not fit the statement"),
            Self::TransactionClosed => f.write_str("the transaction has ended"),
            Self::TransactionAborted(_) => {
                f.write_str("an earlier statement of this transaction failed; roll back to a savepoint or end it")
            }
            Self::RolledBack(_) => f.write_str(
                "the transaction was rolled back instead of committed, because a statement of it had failed",
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

/// Whether this is sqlx's word for a multirange that it was not told about (109 is m), or for a type whose category it has
/// no word for: those of the server's own use, and own types that were given one.
fn is_undescribed(e: &sqlx::Error) -> bool {
    matches!(e, sqlx::Error::ColumnDecode { index, source }
        if index.contains("typcategory") || (index.contains("typtype") && source.to_string().ends_with("109")))
}

impl std::error::Error for Error {}
