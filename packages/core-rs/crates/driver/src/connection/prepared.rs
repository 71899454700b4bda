//! Statements that a connection has prepared, and the types of parameters for which it did.
use super::Connection;
use crate::connection::arguments::{Arguments, Second};
use crate::connection::multirange;
use crate::connection::reply::{Reply, Typed};
use crate::error::Error;
use crate::types;
use sqlx::postgres::PgStatement;
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor, SqlSafeStr, Statement};
use std::sync::Arc;

/// Texts of which a connection remembers the types of their parameters.
const KNOWN: usize = 4096;

/// A statement's text.
pub(super) struct Text {
    pub(super) sql: Arc<str>,
    pub(super) key: u64,
    pub(super) persistent: bool,
}

impl Connection {
    pub(super) async fn query(
        &mut self,
        text: Text,
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
        let used = args.as_ref().map_or_else(|| Arc::new([]) as Arc<[Typed]>, |(_, types)| types.clone());
        let (mut args, types) = match args {
            Some((args, types)) if self.agrees(text.key, &types) => (args, types),
            Some((args, types)) => {
                if self.known.contains_key(&text.key) || self.known.len() >= KNOWN {
                    self.forget_statements().await?;
                }
                // The first time here: the server is asked to prepare it anyway, so it may as well say for which types.
                let (asked, statement) = self.describe(&text.sql).await?;
                self.known.insert(text.key, asked.clone());
                kept = Some(statement);
                if self.agrees(text.key, &types) { (args, types) } else { (reply.ask(asked.clone()).await?, asked) }
            }
            None => self.asked(&text, &mut kept, reply).await?,
        };
        let mut second = Second::of(&args, types);
        let (mut replanned, mut retyped, mut taught) = (in_transaction, in_transaction, false);
        loop {
            let result = self.fetch(&text.sql, args, text.persistent, kept.take(), reply).await;
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
                    let Ok((asked, statement)) = self.describe(&text.sql).await else {
                        return Err(Error::Server(e));
                    };
                    let is_same = used.iter().map(|t| t.oid).eq(asked.iter().map(|t| t.oid));
                    self.known.insert(text.key, asked.clone());
                    if is_same {
                        return Err(Error::Server(e));
                    }
                    kept = Some(statement);
                    args = reply.ask(asked.clone()).await?;
                    second = Second::of(&args, asked);
                }
                Err(Error::Undescribed) if !taught => {
                    taught = true;
                    multirange::teach(&mut self.pg, &text.sql).await?;
                    args = second.arguments(reply).await?;
                }
                Err(Error::Undescribed) => return Err(self.undescribed(&text.sql).await),
                other => return other,
            }
        }
    }

    /// The parameters, encoded to the types that the server gives.
    async fn asked(
        &mut self,
        text: &Text,
        kept: &mut Option<PgStatement>,
        reply: &Reply,
    ) -> Result<(Arguments, Arc<[Typed]>), Error> {
        let (asked, statement) = self.describe(&text.sql).await?;
        self.known.insert(text.key, asked.clone());
        *kept = Some(statement);
        Ok((reply.ask(asked.clone()).await?, asked))
    }

    /// sqlx finds prepared statements by their texts alone, and would send values of one type to a statement that was
    /// prepared for another: the server takes the bytes for what they are not. So no text keeps two lists of types here.
    fn agrees(&self, key: u64, types: &Arc<[Typed]>) -> bool {
        types.is_empty()
            || self
                .known
                .get(&key)
                .is_some_and(|k| Arc::ptr_eq(k, types) || k.iter().map(|t| t.oid).eq(types.iter().map(|t| t.oid)))
    }

    pub(super) async fn forget_statements(&mut self) -> Result<(), Error> {
        self.known.clear();
        self.pg.clear_cached_statements().await.map_err(|e| Error::from_sqlx(e, false))
    }

    /// There was nothing to be taught: no name of this text stays on the server.
    async fn undescribed(&mut self, sql: &str) -> Error {
        multirange::forget(&mut self.pg, sql).await.map_or_else(|e| Error::from_sqlx(e, false), |()| Error::Undescribed)
    }

    /// Prepares `sql` under a name of sqlx's and gives the types of its parameters.
    pub(super) async fn describe(&mut self, sql: &Arc<str>) -> Result<(Arc<[Typed]>, PgStatement), Error> {
        let text = || AssertSqlSafe(sql.clone()).into_sql_str();
        let statement = match self.pg.prepare_with(text(), &[]).await.map_err(|e| Error::from_sqlx(e, false)) {
            Err(Error::Undescribed) => {
                multirange::teach(&mut self.pg, sql).await?;
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
