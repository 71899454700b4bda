//! Making a connection: hosts in order, a deadline for all of it, retries where the server asks for patience.
use crate::config::{Config, Host, Secret, Target, Tls};
use crate::error::{Error, ServerError};
use crate::event_loop::executor::Home;
use crate::{connection::panic_guard, connection::socket};
use futures_util::future::{Either, select};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use std::future::{Future, poll_fn};
use std::os::fd::RawFd;
use std::pin::pin;
use std::time::{Duration, Instant};

/// A connection that was just made.
pub struct Fresh {
    /// sqlx's half.
    pub pg: PgConnection,
    /// The server process; 0 where each transaction may have another.
    pub pid: i32,
    /// The descriptor of its socket, where it could be found.
    pub fd: Option<RawFd>,
    /// No prepared statement may outlive its transaction.
    pub pooled: bool,
    /// SQL that makes the session what it is, for after RESET ALL.
    pub again: String,
    /// How long it took with the host that was chosen.
    pub connecting: Duration,
}

pub(crate) const DEADLINE: &str = "deadline";

/// What sqlx needs to connect to `host`.
///
/// # Errors
/// [`Error::Connect`] at the step `password`, when the application was asked for it and had none.
pub(crate) async fn options(config: &Config, host: &Host) -> Result<PgConnectOptions, Error> {
    let password = config.password(host).await.map_err(|why| refused(host, "password", why))?;
    let mut o = PgConnectOptions::new_without_pgpass()
        .host(&host.0)
        .port(host.1)
        .username(&config.user)
        .statement_cache_capacity(config.statement_cache)
        .ssl_mode(match config.tls {
            Tls::Disable => PgSslMode::Disable,
            Tls::Prefer => PgSslMode::Prefer,
            Tls::Require => PgSslMode::Require,
            Tls::VerifyFull => PgSslMode::VerifyFull,
        })
        .disable_statement_logging();
    if host.0.starts_with('/') {
        // As libpq: nothing is encrypted inside a machine.
        o = o.socket(&host.0).ssl_mode(PgSslMode::Disable);
    }
    if let Some(Secret(password)) = &password {
        o = o.password(password);
    }
    o = o.database(config.database.as_deref().unwrap_or(&config.user));
    if let Some(path) = &config.root_certificate {
        o = o.ssl_root_cert(path);
    }
    if let Some(path) = &config.certificate {
        o = o.ssl_client_cert(path);
    }
    if let Some(path) = &config.key {
        o = o.ssl_client_key(path);
    }
    if let Some(name) = &config.application_name {
        o = o.application_name(name);
    }
    if !config.settings.is_empty() {
        o = o.options(config.settings.iter());
    }
    Ok(o)
}

/// The step at which connecting failed, from what sqlx lets through.
pub(crate) fn failed(host: &Host, e: sqlx::Error) -> Error {
    let (step, sqlstate, message) = match Error::from_sqlx(e, false) {
        Error::Server(s) | Error::Lost { server: Some(s), .. } => {
            (step_of(&s), Some(s.sqlstate.clone()), s.message.clone())
        }
        Error::Lost { message, .. } | Error::Protocol(message) if is_about_tls(&message) => {
            ("TLS", None, advised(message))
        }
        Error::Lost { message, .. } => ("connect", None, message),
        other => ("start-up", None, other.to_string()),
    };
    Error::Connect { host: host.0.clone(), port: host.1, step, sqlstate, message }
}

/// With what to do about it, where rustls refuses what OpenSSL takes.
fn advised(message: String) -> String {
    if !message.contains("CaUsedAsEndEntity") {
        return message;
    }
    format!(
        "{message}: the server shows the certificate of an authority; make a self-signed one with \
         basicConstraints=critical,CA:FALSE, or sign the server's by the authority"
    )
}

/// rustls gives its reasons as text of an I/O error.
fn is_about_tls(message: &str) -> bool {
    ["TLS", "certificate", "handshake"].iter().any(|word| message.contains(word))
}

fn step_of(s: &ServerError) -> &'static str {
    if s.sqlstate.starts_with("28") { "authentication" } else { "start-up" }
}

/// Whether the server said that it will be there soon: starting up (57P03) or full (53300).
fn is_patience_asked(e: &Error) -> bool {
    matches!(e.sqlstate(), Some("57P03" | "53300"))
}

fn is_deadline(e: &Error) -> bool {
    matches!(e, Error::Connect { step: DEADLINE, .. })
}

/// Questions whose answers come late. One that comes while its question is being sent tells nothing, and on a busy machine
/// that is common: the server is woken by the question and takes the processor.
const LATE: [&str; 3] = [
    "SELECT 1 FROM pg_catalog.pg_sleep(0.002)",
    "SELECT 1 FROM pg_catalog.pg_sleep(0.01)",
    "SELECT 1 FROM pg_catalog.pg_sleep(0.05)",
];

/// A row, and through which of these descriptors it came: the one that had news before it was read and has none after.
async fn heard_through(
    pg: &mut PgConnection,
    question: impl Into<String>,
    candidates: &[RawFd],
) -> Result<(PgRow, Option<RawFd>), sqlx::Error> {
    let mut ours = None;
    let mut answer = pin!(sqlx::raw_sql(AssertSqlSafe(question.into())).fetch_one(pg));
    let row = poll_fn(|cx| {
        let ready = candidates.iter().copied().filter(|&fd| socket::has_news(fd)).collect::<Vec<_>>();
        let polled = answer.as_mut().poll(cx);
        if polled.is_ready() {
            let mut read = ready.into_iter().filter(|&fd| !socket::has_news(fd));
            ours = read.next().filter(|_| read.next().is_none());
        }
        polled
    })
    .await?;
    Ok((row, ours))
}

/// Whether transactions have sessions of their own behind this connection: a pooler that keeps prepared statements for
/// its clients (PgBouncer's `max_prepared_statements`) gives them other names than ours.
async fn has_many_sessions(pg: &mut PgConnection) -> Result<bool, sqlx::Error> {
    const QUESTION: &str = "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements \
         WHERE name LIKE 'sqlx\\_s\\_%' AND statement LIKE '%/* whose session */%') /* whose session */";
    let answer = match sqlx::query(QUESTION).fetch_one(&mut *pg).await {
        Ok(row) => row.try_get(0)?,
        // It was prepared in another session than it should have run in.
        Err(sqlx::Error::Database(e)) if matches!(e.code().as_deref(), Some("26000" | "42P05")) => true,
        Err(e) => return Err(e),
    };
    pg.clear_cached_statements().await?;
    Ok(answer)
}

/// The setting by which the server looks, while a statement runs, whether its client is still there (PostgreSQL manual,
/// "Client Connection Defaults"): a statement that could not be cancelled ends when its connection is closed.
const WATCH: &str = "client_connection_check_interval";

/// Sets it, where it is not set and the server's system supports it; gives text when it did.
fn watch() -> String {
    format!(
        "CASE WHEN pg_catalog.current_setting('{WATCH}', true) = '0' AND pg_catalog.version() ~ 'linux' \
         THEN pg_catalog.set_config('{WATCH}', '1s', false) END"
    )
}

/// Sets it again after RESET ALL.
const WATCH_AGAIN: &str = "SELECT FROM pg_catalog.set_config('client_connection_check_interval', '1s', false);";

async fn one(config: &Config, host: &Host) -> Result<Fresh, Error> {
    let started = Instant::now();
    let options = options(config, host).await?;
    let mut pg = PgConnection::connect_with(&options).await.map_err(|e| failed(host, e))?;
    // By the simple protocol: through a pooler a statement that is prepared first may meet two servers.
    let is_unix = host.0.starts_with('/');
    let candidates = match is_unix {
        true => socket::connected_to(&format!("/.s.PGSQL.{}", host.1)),
        false => socket::connected_to_port(host.1),
    };
    let may_watch = config.statement_cache > 0 && !config.settings.contains_key(WATCH);
    let ports = candidates.iter().filter_map(|&fd| socket::local_port(fd)).map(|p| p.to_string()).collect::<Vec<_>>();
    // Only on a direct connection: a pooler's session outlives its client, and the setting would stay in it.
    let watched = match may_watch && !ports.is_empty() {
        true => format!("CASE WHEN pg_catalog.inet_client_port() IN ({}) THEN {} END", ports.join(","), watch()),
        false => "NULL".to_owned(),
    };
    let question = format!("SELECT pg_catalog.pg_backend_pid(), pg_catalog.inet_client_port(), {watched} IS NOT NULL");
    let (row, heard) = heard_through(&mut pg, question, &candidates).await.map_err(|e| failed(host, e))?;
    let pooled = config.statement_cache == 0;
    let mut pid: i32 = if pooled { 0 } else { row.try_get(0).map_err(|e| failed(host, e))? };
    let port: Option<i32> = row.try_get(1).map_err(|e| failed(host, e))?;
    let mut is_watched: bool = row.try_get(2).unwrap_or(false);
    // The port tells it exactly; a unix socket has none, and through a proxy the server has seen another.
    let has_port = |fd: &RawFd| port.is_some() && socket::local_port(*fd).map(i32::from) == port;
    let seen = candidates.iter().copied().find(has_port);
    let mut fd = match candidates[..] {
        [only] => Some(only),
        _ => seen.or(heard),
    };
    for question in LATE {
        if candidates.is_empty() || fd.is_some() {
            break;
        }
        fd = heard_through(&mut pg, question, &candidates).await.map_err(|e| failed(host, e))?.1;
    }
    if let Some(fd) = fd.filter(|_| !is_unix) {
        socket::tune(fd);
    }
    // A pooler may stand between; then a server process is ours only while our session has it.
    if seen.is_none() && !pooled && has_many_sessions(&mut pg).await.map_err(|e| failed(host, e))? {
        pid = 0;
    } else if is_unix && may_watch {
        let question = format!("SELECT {} IS NOT NULL", watch());
        let row = sqlx::raw_sql(AssertSqlSafe(question)).fetch_one(&mut pg).await.map_err(|e| failed(host, e))?;
        is_watched = row.try_get(0).map_err(|e| failed(host, e))?;
    }
    if !config.setup.is_empty() && !pooled {
        pg.execute(sqlx::raw_sql(AssertSqlSafe(config.setup.clone()))).await.map_err(|e| failed(host, e))?;
    }
    if let Some((question, suits)) = config.target.question() {
        let row = sqlx::raw_sql(question).fetch_one(&mut pg).await.map_err(|e| failed(host, e))?;
        let answer: bool = row.try_get(0).map_err(|e| failed(host, e))?;
        if answer != suits {
            let _ = pg.close().await;
            return Err(unsuited(host, config.target));
        }
    }
    let again = format!("{}{}", if is_watched { WATCH_AGAIN } else { "" }, config.setup);
    Ok(Fresh { pg, pid, fd, pooled, again, connecting: started.elapsed() })
}

/// A host that answers, and is not the one that is wanted.
pub(crate) fn unsuited(host: &Host, target: Target) -> Error {
    refused(host, "target_session_attrs", format!("this server is not {}", word(target)))
}

fn word(target: Target) -> &'static str {
    match target {
        Target::Any => "any",
        Target::ReadWrite => "read-write",
        Target::ReadOnly => "read-only",
        Target::Primary => "a primary",
        Target::Standby => "a standby",
    }
}

async fn attempts(config: &Config, home: &Home, until: Instant, patient: bool) -> Result<Fresh, Error> {
    let mut pause = Duration::from_millis(50);
    let mut said: Option<Error> = None;
    loop {
        let mut last = None;
        for (tried, host) in config.hosts.iter().enumerate() {
            // A host that says nothing must leave some of the time to those after it.
            let share = until.saturating_duration_since(Instant::now()) / (config.hosts.len() - tried) as u32;
            match in_time(config, host, home, share).await {
                Ok(fresh) => return Ok(fresh),
                Err(e) => last = Some(e),
            }
        }
        let e = last.unwrap_or_else(|| Error::Configuration("no host to connect to".into()));
        // A last try that had too little time says less than what the server said before.
        let e = said.take_if(|_| is_deadline(&e)).unwrap_or(e);
        if !patient || !is_patience_asked(&e) || Instant::now() + pause >= until {
            return Err(e);
        }
        said = Some(e);
        home.reactor.sleep(Instant::now() + pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// One host, which must answer within `share`.
async fn in_time(config: &Config, host: &Host, home: &Home, share: Duration) -> Result<Fresh, Error> {
    let mut attempt = pin!(one(config, host));
    let guarded = poll_fn(|cx| panic_guard::poll(attempt.as_mut(), cx));
    match select(guarded, home.reactor.sleep(Instant::now() + share)).await {
        Either::Left((Ok(result), _)) => result,
        Either::Left((Err(e), _)) => Err(refused(host, "start-up", e.to_string())),
        Either::Right(_) => Err(refused(host, DEADLINE, format!("no answer within {:.3} s", share.as_secs_f64()))),
    }
}

pub(crate) fn refused(host: &Host, step: &'static str, message: String) -> Error {
    Error::Connect { host: host.0.clone(), port: host.1, step, sqlstate: None, message }
}

/// Connects to the first host that suits, within the configured time. Dropping this closes what was begun.
///
/// # Errors
/// [`Error::Connect`] with host, port, step and code; of several hosts, the last one's.
pub async fn connect(config: &Config, home: &Home) -> Result<Fresh, Error> {
    attempts(config, home, Instant::now() + config.connect_timeout, true).await
}

/// The same without patience: it does not wait for a server that is full or starting.
///
/// # Errors
/// [`Error::Connect`].
pub async fn connect_at_once(config: &Config, home: &Home) -> Result<Fresh, Error> {
    attempts(config, home, Instant::now() + config.connect_timeout, false).await
}
