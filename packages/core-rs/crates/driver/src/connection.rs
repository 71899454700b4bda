//! One connection and the statements that run on it.
pub mod arguments;
pub mod connect;
pub mod copy;
mod described;
pub mod effect;
pub(crate) mod panic_guard;
pub(crate) mod patience;
pub(crate) mod permit;
mod prepared;
pub mod reply;
mod second_attempt;
pub(crate) mod socket;
mod spelled_values;
pub(crate) mod taught_types;
pub mod text;
mod text_columns;

use crate::connection::arguments::{Arguments, LARGE};
use crate::connection::connect::Fresh;
use crate::connection::copy::{CopyIn, CopyOut};
use crate::connection::effect::Defines;
use crate::connection::permit::Permit;
use crate::connection::reply::{Reply, Typed};
use crate::connection::second_attempt::Second;
use crate::connection::text::Text;
use crate::error::Error;
use crate::event_loop::fork;
use futures_util::StreamExt;
use prepared::Texts;
use sqlx::postgres::{PgConnection, PgStatement};
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor, Row, Statement};
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Rows per slice: after each slice other work of the event loop gets its turn, and the rows are decoded while they are
/// still in the cache.
const SLICE: usize = 256;

/// What to do on a connection.
pub enum Work {
    /// One statement by the extended protocol.
    Query {
        /// Its text.
        text: Arc<Text>,
        /// Its parameters, encoded to these types; `None`: ask the server for them, then the caller for the values.
        args: Option<(Arguments, Arc<[Typed]>)>,
        /// What is remembered of the text is not to be trusted.
        afresh: bool,
    },
    /// One or more statements by the simple protocol, without parameters.
    Simple(Arc<str>),
    /// COPY … FROM STDIN.
    CopyIn(Arc<str>, Arc<CopyIn>),
    /// COPY … TO STDOUT.
    CopyOut(Arc<str>, Arc<CopyOut>),
    /// Only the types of a statement's parameters; it is not run.
    Describe(Arc<str>),
    /// Nothing but a round trip.
    Ping,
}

/// Known to the pool while the connection lives.
#[derive(Debug)]
pub struct Meta {
    /// The server process; 0 where each transaction may have another.
    pub pid: i32,
    /// Descriptor of the socket, where known.
    pub fd: Option<RawFd>,
    /// A statement runs now.
    pub busy: AtomicBool,
    /// Since when it is in use; `None` while it is idle.
    pub taken: Mutex<Option<Instant>>,
    /// How long connecting took: the measure of what may be asked of this server in a hurry.
    pub connecting: Duration,
}

/// A connection; dropping it closes the socket and frees its place in the pool.
pub struct Connection {
    pg: ManuallyDrop<PgConnection>,
    /// Shared with the pool.
    pub meta: Arc<Meta>,
    /// The home whose reactor knows the socket.
    pub home: usize,
    /// When it was last given back.
    pub idle_since: Instant,
    /// Not to be used after this.
    pub expires: Instant,
    /// The pool's epoch when it was made.
    pub epoch: u64,
    /// The conversation is out of step: the connection must be closed.
    pub broken: bool,
    /// A transaction may have been left open by a script.
    pub suspect: bool,
    /// Session state may have been changed.
    pub dirty: bool,
    /// What statements may have defined that are not committed yet.
    pub defines: Defines,
    /// The application's on_connect has seen this session as it is.
    pub greeted: bool,
    /// SQL that makes the session what it is, for after RESET ALL.
    again: String,
    /// No prepared statement may outlive its transaction: the next one may have another session of the server.
    pub pooled: bool,
    texts: Box<Texts>,
    /// Counts statements, to release the buffers now and then.
    statements: u8,
    born: u32,
    _permit: Permit,
}

impl Connection {
    pub(crate) fn new(fresh: Fresh, permit: Permit, home: usize, expires: Instant, epoch: u64) -> Self {
        let now = Instant::now();
        let (busy, taken) = (AtomicBool::new(false), Mutex::new(None));
        let connecting = fresh.connecting;
        let meta = Arc::new(Meta { pid: fresh.pid, fd: fresh.fd, busy, taken, connecting });
        Self {
            pg: ManuallyDrop::new(fresh.pg),
            meta,
            home,
            idle_since: now,
            expires,
            epoch,
            dirty: false,
            defines: Defines::Nothing,
            greeted: false,
            pooled: fresh.pooled,
            again: fresh.again,
            broken: false,
            suspect: false,
            texts: Box::default(),
            statements: 0,
            born: fork::count(),
            _permit: permit,
        }
    }

    /// Does `work`. The result is also the statement's; what arrives goes to `reply`.
    ///
    /// # Errors
    /// Those of the statement, or of the connection.
    pub(crate) async fn perform(&mut self, work: Work, reply: &Reply, in_transaction: bool) -> Result<(), Error> {
        match work {
            // Without parameters it needs no transaction around it to meet one session.
            Work::Query { text, args: Some((_, types)), .. } if self.pooled && text.commits && types.is_empty() => {
                self.simple(text.sql.clone(), reply).await
            }
            Work::Query { text, args, afresh } => {
                let done = if self.pooled {
                    self.query_pooled(&text, args, reply, in_transaction).await
                } else {
                    self.query(&text, args, afresh, reply, in_transaction).await
                };
                done.map_err(|e| if self.is_replaced(&text) { e.unplaced() } else { e })
            }
            Work::Simple(sql) => self.simple(sql, reply).await,
            Work::CopyIn(sql, source) => source.run(&mut self.pg, &sql, reply).await,
            Work::CopyOut(sql, sink) => {
                let result = sink.run(&mut self.pg, &sql, reply).await;
                // sqlx does not read the end of a COPY that was refused at its start; the next statement would.
                self.broken = result.is_err() && !sink.has_started();
                result
            }
            Work::Describe(sql) => {
                let asked = self.parameters(&sql, in_transaction).await?;
                reply.with(|a| a.described = Some(asked));
                Ok(())
            }
            Work::Ping => self.ping().await,
        }
    }

    /// The types of a statement's parameters.
    async fn parameters(&mut self, sql: &Arc<str>, in_transaction: bool) -> Result<Arc<[Typed]>, Error> {
        if !self.pooled {
            return Ok(self.describe(sql).await?.0);
        }
        let is_alone = !in_transaction;
        if is_alone {
            self.script("BEGIN").await?;
        }
        let asked = self.describe(sql).await;
        if asked.is_ok() {
            self.script("DEALLOCATE ALL").await?;
        }
        if is_alone && asked.as_ref().err().is_none_or(Error::leaves_connection) {
            self.script("ROLLBACK").await?;
        }
        Ok(asked?.0)
    }

    /// Parse and Bind travel apart, so they need a transaction to meet one session; the statement has no name there, but
    /// for the moment in which its parameters are asked for.
    async fn query_pooled(
        &mut self,
        text: &Text,
        args: Option<(Arguments, Arc<[Typed]>)>,
        reply: &Reply,
        in_transaction: bool,
    ) -> Result<(), Error> {
        if in_transaction {
            return self.unnamed(text, args, reply).await;
        }
        self.script("BEGIN").await?;
        let takes_nothing = args.as_ref().is_some_and(|(args, _)| args.is_empty());
        let result = self.unnamed(text, args, reply).await;
        match result {
            Ok(()) => self.script("COMMIT").await.map(|_| ()),
            Err(e) => {
                if e.leaves_connection() {
                    self.script("ROLLBACK").await?;
                }
                // VACUUM and its like refuse a transaction; without parameters they need none.
                match &e {
                    Error::Server(s) if takes_nothing && s.refuses_transaction() => {
                        self.simple(text.sql.clone(), reply).await
                    }
                    _ => Err(e),
                }
            }
        }
    }

    async fn unnamed(
        &mut self,
        text: &Text,
        args: Option<(Arguments, Arc<[Typed]>)>,
        reply: &Reply,
    ) -> Result<(), Error> {
        if self.meet_cursor(text).await? {
            self.script("DEALLOCATE ALL").await?;
        }
        let (args, types) = match args {
            Some(args) if self.has_met(text) => args,
            given => {
                let (asked, _) = self.describe_readable(text, reply).await?;
                self.script("DEALLOCATE ALL").await?;
                match given {
                    Some(args) => args,
                    None => (reply.ask(asked.clone()).await?, asked),
                }
            }
        };
        let (sql, second) = (self.readable(text), Second::of(&args, types));
        match self.fetch(text, &sql, args, false, None, reply).await {
            Err(Error::Undescribed) => {
                taught_types::teach(&mut self.pg, &sql).await?;
                let args = second.arguments(reply).await?;
                self.fetch(text, &sql, args, false, None, reply).await
            }
            other => other,
        }
    }

    async fn fetch(
        &mut self,
        text: &Text,
        sql: &Arc<str>,
        args: Arguments,
        persistent: bool,
        kept: Option<PgStatement>,
        reply: &Reply,
    ) -> Result<(), Error> {
        if reply.describes.load(Relaxed) {
            let columns = self.columns(text, sql, kept.as_ref()).await?;
            reply.with(|a| a.columns = Some(columns));
        }
        let is_large = args.is_large();
        let args = self.in_binary(args, persistent).await?;
        let mut stream = match &kept {
            Some(statement) => self.pg.fetch_many(statement.query_with(args)),
            None => self.pg.fetch_many(sqlx::query_with(AssertSqlSafe(sql.clone()), args).persistent(persistent)),
        };
        let (mut rows, mut affected) = (Vec::new(), 0);
        let end = loop {
            match stream.next().await {
                Some(Ok(Either::Right(row))) => {
                    // sqlx panics where a row has fewer columns than were announced: here that costs the connection.
                    if let Some(last) = row.len().checked_sub(1) {
                        let _ = row.try_get_raw(last);
                    }
                    rows.push(row);
                    if rows.len() >= SLICE {
                        reply.with(|a| a.rows.append(&mut rows));
                        aside().await;
                    }
                }
                Some(Ok(Either::Left(done))) => affected += done.rows_affected(),
                Some(Err(e)) => break Err(Error::from_sqlx(e, true)),
                None => break Ok(()),
            }
        };
        drop(stream);
        self.statements = self.statements.wrapping_add(1);
        if is_large || self.statements == 0 {
            self.release_buffers();
        }
        reply.with(|a| {
            if a.rows.is_empty() {
                a.rows = rows;
            } else {
                a.rows.append(&mut rows);
            }
            a.affected = affected;
        });
        end
    }

    /// Sends text by the simple protocol; counts the affected rows and drops those that come.
    pub(crate) async fn simple(&mut self, sql: Arc<str>, reply: &Reply) -> Result<(), Error> {
        let affected = self.script(&sql).await?;
        reply.with(|a| a.affected = affected);
        Ok(())
    }

    pub(crate) async fn script(&mut self, sql: &str) -> Result<u64, Error> {
        let mut stream = self.pg.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
        let mut affected = 0;
        while let Some(item) = stream.next().await {
            if let Either::Left(done) = item.map_err(|e| Error::from_sqlx(e, true))? {
                affected += done.rows_affected();
            }
        }
        drop(stream);
        if sql.len() >= LARGE {
            self.release_buffers();
        }
        Ok(affected)
    }

    /// sqlx keeps the room of the largest message for as long as the connection lives; a long answer is not seen here, so
    /// that this is called now and then, too.
    pub(crate) fn release_buffers(&mut self) {
        self.pg.shrink_buffers();
    }

    /// The first column of every row of a query, as text.
    pub(crate) async fn texts(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        let rows = self.pg.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
        let rows = rows.map_err(|e| Error::from_sqlx(e, true))?;
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
    }

    /// One round trip that changes nothing.
    ///
    /// # Errors
    /// When the connection is no longer usable.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.pg.ping().await.map_err(|e| Error::from_sqlx(e, false))
    }

    /// After a cancel whose answer has come: the next answer must be clean; one late 57014 is swallowed.
    pub(crate) async fn is_clean_after_cancel(&mut self) -> bool {
        for _ in 0..2 {
            match self.script("SELECT 1").await {
                Ok(_) => return true,
                // The cancelled statement has failed its transaction, which is no harm to the connection; a signal that
                // comes late is forgotten by the server when it refuses this.
                Err(Error::Server(e)) if e.sqlstate == "25P02" => return true,
                Err(Error::Server(e)) if e.sqlstate == "57014" => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Undoes what a session can keep: settings, temporary tables, cursors, advisory locks, LISTENs, prepared names.
    pub(crate) async fn reset(&mut self) -> Result<(), Error> {
        const BEFORE: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;";
        const AFTER: &str = "SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
             SELECT 'DEALLOCATE ' || pg_catalog.quote_ident(name) FROM pg_catalog.pg_prepared_statements WHERE from_sql; \
             SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql";
        self.end_transaction().await?;
        let reset = AssertSqlSafe(format!("{BEFORE}{}{AFTER}", self.again));
        let rows = self.pg.fetch_all(sqlx::raw_sql(reset)).await.map_err(|e| Error::from_sqlx(e, true))?;
        // What PREPARE made; the library's own prepared statements stay. pg_advisory_unlock_all() gives a row of no text.
        let names: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        let (kept, named) = names.split_last().map_or((None, &names[..]), |(kept, named)| (Some(kept), named));
        for deallocate in named.iter().filter(|text| !text.is_empty()) {
            self.script(deallocate).await?;
        }
        if kept != Some(&self.pg.cached_statements_size().to_string()) {
            self.forget_statements().await?; // a statement ran DEALLOCATE ALL
        }
        self.dirty = false;
        self.greeted = false;
        Ok(())
    }

    /// Rolls back what a script may have left open.
    pub(crate) async fn end_transaction(&mut self) -> Result<(), Error> {
        // Only then: outside a transaction the server would log a warning each time.
        if std::mem::take(&mut self.suspect) { self.script("ROLLBACK").await.map(|_| ()) } else { Ok(()) }
    }

    /// Asks the server to cancel what these processes do.
    pub(crate) async fn cancel_processes(&mut self, pids: &[i32]) -> Result<(), Error> {
        let list = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let sql = format!("SELECT pg_catalog.pg_cancel_backend(p) FROM unnest(ARRAY[{list}]::int4[]) p");
        self.script(&sql).await.map(|_| ())
    }

    /// Says goodbye and closes.
    pub async fn close(mut self) {
        let pg = (self.born == fork::count()).then(|| {
            // SAFETY: taken once; `drop` below sees `born` changed and leaves the place alone.
            unsafe { ManuallyDrop::take(&mut self.pg) }
        });
        self.born = u32::MAX;
        if let Some(pg) = pg {
            let _ = pg.close().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.born == fork::count() {
            // SAFETY: not taken before, and never touched again.
            unsafe { ManuallyDrop::drop(&mut self.pg) };
        }
    }
}

/// Lets other tasks have a turn.
async fn aside() {
    let mut again = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut again) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
