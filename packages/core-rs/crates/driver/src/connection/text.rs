//! A statement's text, and what is known of it without the server.
use std::ops::Range;
use std::sync::Arc;

/// A statement's text.
#[derive(Debug, Clone)]
pub struct Text {
    /// The text itself.
    pub sql: Arc<str>,
    /// A number that stands for the text.
    pub key: u64,
    /// It may end transactions of its own: CALL and DO.
    pub commits: bool,
    /// The server may keep it prepared; FETCH has the columns of its cursor, whatever its text.
    pub is_kept: bool,
    /// Where its query is: that of a cursor, or one on the catalog, some of whose columns have no binary form.
    pub query: Option<Range<usize>>,
}

impl Text {
    /// The query of a cursor, which is described separately, because DECLARE has no columns.
    pub(super) fn cursor_query(&self) -> Option<&str> {
        self.query.clone().filter(|q| q.start > 0).map(|q| &self.sql[q])
    }

    /// The text with another query.
    pub(super) fn with_query(&self, query: &str) -> Arc<str> {
        let start = self.query.as_ref().map_or(0, |q| q.start);
        format!("{} {query}", &self.sql[..start]).into()
    }
}
