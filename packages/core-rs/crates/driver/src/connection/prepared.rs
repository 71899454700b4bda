//! Statements that a connection has prepared, and the types of parameters for which it did.
use super::Connection;
use crate::connection::arguments::Arguments;
use crate::connection::reply::{Described, Reply, Typed};
use crate::connection::second_attempt::Second;
use crate::connection::text::Text;
use crate::connection::{taught_types, text_columns};
use crate::error::Error;
use crate::types;
use sqlx::postgres::PgStatement;
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor, SqlSafeStr, Statement};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Texts of which a connection remembers the types of their parameters.
pub(super) const KNOWN: usize = 4096;

/// What a connection remembers of the texts that it was sent.
#[derive(Default)]
pub(super) struct Texts {
    /// For which types of parameters each was prepared here.
    types: HashMap<u64, Arc<[Typed]>>,
    /// Those that stand for texts whose columns are not readable as they are.
    readable: HashMap<u64, Arc<str>>,
    /// Those that make cursors whose types this connection has met.
    cursors: HashSet<u64>,
    /// The statements that make the binary form of a text, by the OIDs of their types.
    pub(super) spelled: HashMap<u32, String>,
    /// The columns of those whose caller asked for them.
    pub(super) columns: HashMap<u64, Arc<[Described]>>,
}

impl Texts {
    fn meet(&mut self, cursor: u64) {
        if self.cursors.len() >= KNOWN {
            self.cursors.clear();
        }
        self.cursors.insert(cursor);
    }
}

impl Connection {
    pub(super) async fn query(
        &mut self,
        text: &Text,
        args: Option<(Arguments, Arc<[Typed]>)>,
        afresh: bool,
        reply: &Reply,
        in_transaction: bool,
    ) -> Result<(), Error> {
        let mut kept = None;
        let remembered = args.is_some();
        if afresh {
            self.forget_statements().await?;
        }
        self.meet_cursor(text).await?;
        let used = args.as_ref().map_or_else(|| Arc::new([]) as Arc<[Typed]>, |(_, types)| types.clone());
        let (mut args, types) = match args {
            // No prepared statement of such a text is kept, which might be one for other types.
            Some((args, types)) if !text.is_kept || self.agrees(text.key, &types) => (args, types),
            Some((args, types)) => {
                if self.texts.types.contains_key(&text.key) && !self.agrees(text.key, &types) {
                    self.forget_statements().await?;
                }
                // The first time here: the server is asked to prepare it anyway, so it may as well say for which types.
                let (asked, statement) = self.describe_readable(text, reply).await?;
                kept = Some(statement);
                if self.agrees(text.key, &types) { (args, types) } else { (reply.ask(asked.clone()).await?, asked) }
            }
            None => {
                let (asked, statement) = self.describe_readable(text, reply).await?;
                kept = Some(statement);
                (reply.ask(asked.clone()).await?, asked)
            }
        };
        let sql = self.readable(text);
        let mut second = Second::of(&args, types);
        let (mut replanned, mut retyped, mut taught) = (in_transaction, in_transaction, false);
        loop {
            let result = self.fetch(text, &sql, args, text.is_kept, kept.take(), reply).await;
            match result {
                Err(Error::Server(e)) if e.is_stale_plan() => {
                    self.forget_statements().await?;
                    if replanned {
                        // Its transaction is lost, but the next one must not meet the same plan.
                        return Err(Error::Server(e));
                    }
                    replanned = true;
                    args = second.arguments(reply).await?;
                }
                // A statement runs once: it is sent again only when its parameters have other types than it was sent with,
                // so that the server cannot have come further than to look at them.
                Err(Error::Server(e)) if remembered && e.may_be_stale_types() => {
                    self.forget_statements().await?;
                    if retyped {
                        reply.with(|a| a.stale = true);
                        return Err(Error::Server(e));
                    }
                    retyped = true;
                    let Ok((asked, statement)) = self.describe(&sql).await else {
                        return Err(Error::Server(e));
                    };
                    let is_same = used.iter().map(|t| t.oid).eq(asked.iter().map(|t| t.oid));
                    self.texts.types.insert(text.key, asked.clone());
                    if is_same {
                        return Err(Error::Server(e));
                    }
                    kept = Some(statement);
                    args = reply.ask(asked.clone()).await?;
                    second = Second::of(&args, asked);
                }
                Err(Error::Undescribed) if !taught => {
                    taught = true;
                    taught_types::teach(&mut self.pg, &sql).await?;
                    args = second.arguments(reply).await?;
                }
                Err(Error::Undescribed) => return Err(self.undescribed(&sql).await),
                other => return other,
            }
        }
    }

    /// Describes a text, or the one in its place whose columns are readable, and remembers both.
    pub(super) async fn describe_readable(
        &mut self,
        text: &Text,
        reply: &Reply,
    ) -> Result<(Arc<[Typed]>, PgStatement), Error> {
        if self.texts.types.len() >= KNOWN {
            self.forget_statements().await?;
        }
        let (mut asked, mut statement) = self.describe(&self.readable(text)).await?;
        if text.cursor_query().is_none()
            && let Some(query) = text.query.clone()
            && let Some(query) = text_columns::readable(&text.sql[query], statement.columns())
        {
            let sql = text.with_query(&query);
            (asked, statement) = self.describe(&sql).await?;
            self.texts.readable.insert(text.key, sql);
        }
        // If the caller knew the types, another connection would send its text without a description.
        let unlearned = self.is_replaced(text);
        reply.with(|a| a.unlearned = unlearned);
        self.texts.types.insert(text.key, asked.clone());
        Ok((asked, statement))
    }

    /// Lets sqlx learn the types that a cursor returns. FETCH is not described by a name, and where sqlx does not know a
    /// type it asks the server between preparation and execution, which loses a statement without a name. False when it has
    /// learned them before.
    pub(super) async fn meet_cursor(&mut self, text: &Text) -> Result<bool, Error> {
        let Some(query) = text.cursor_query().filter(|_| !self.texts.cursors.contains(&text.key)) else {
            return Ok(false);
        };
        let before = text.sql[..text.sql.len() - query.len()].chars().count();
        let (_, statement) = self.describe(&query.into()).await.map_err(|e| e.moved(before))?;
        if let Some(query) = text_columns::readable(query, statement.columns()) {
            self.texts.readable.insert(text.key, text.with_query(&query));
        }
        self.texts.meet(text.key);
        Ok(true)
    }

    /// The text that is sent in place of this one.
    pub(super) fn readable(&self, text: &Text) -> Arc<str> {
        self.texts.readable.get(&text.key).unwrap_or(&text.sql).clone()
    }

    /// Whether another text is sent in place of this one.
    pub(super) fn is_replaced(&self, text: &Text) -> bool {
        self.texts.readable.contains_key(&text.key)
    }

    /// Whether sqlx knows the types of a statement: from its own description, or from that of its cursor.
    pub(super) fn has_met(&self, text: &Text) -> bool {
        !text.is_kept || self.texts.types.contains_key(&text.key)
    }

    /// sqlx finds prepared statements by their texts alone, and would send values of one type to a statement that was
    /// prepared for another: the server takes the bytes for what they are not. So no text keeps two lists of types here.
    fn agrees(&self, key: u64, types: &Arc<[Typed]>) -> bool {
        types.is_empty()
            || self
                .texts
                .types
                .get(&key)
                .is_some_and(|k| Arc::ptr_eq(k, types) || k.iter().map(|t| t.oid).eq(types.iter().map(|t| t.oid)))
    }

    pub(super) async fn forget_statements(&mut self) -> Result<(), Error> {
        self.texts.types.clear();
        self.texts.readable.clear();
        self.texts.spelled.clear();
        self.texts.columns.clear();
        self.pg.clear_cached_statements().await.map_err(|e| Error::from_sqlx(e, false))
    }

    /// There was nothing to be taught: no name of this text stays on the server.
    async fn undescribed(&mut self, sql: &str) -> Error {
        taught_types::forget(&mut self.pg, sql)
            .await
            .map_or_else(|e| Error::from_sqlx(e, false), |()| Error::Undescribed)
    }

    /// Prepares `sql` under a name of sqlx's and gives the types of its parameters.
    pub(super) async fn describe(&mut self, sql: &Arc<str>) -> Result<(Arc<[Typed]>, PgStatement), Error> {
        let text = || AssertSqlSafe(sql.clone()).into_sql_str();
        let statement = match self.pg.prepare_with(text(), &[]).await.map_err(|e| Error::from_sqlx(e, false)) {
            Err(Error::Undescribed) => {
                taught_types::teach(&mut self.pg, sql).await?;
                match self.pg.prepare_with(text(), &[]).await.map_err(|e| Error::from_sqlx(e, false)) {
                    Err(Error::Undescribed) => Err(self.undescribed(sql).await),
                    other => other,
                }
            }
            other => other,
        }?;
        let asked = match statement.parameters() {
            Some(Either::Left(types)) => types.iter().map(types::resolve).collect(),
            _ => Arc::new([]) as Arc<[Typed]>,
        };
        Ok((asked, statement))
    }
}
