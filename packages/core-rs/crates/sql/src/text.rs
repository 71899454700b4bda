//! Text of a caller, read by its tokens: its first keyword, its names, and its placeholders replaced by literals.
use crate::ident;
use crate::token::{Token, TokenKind, tokens};
use std::fmt::Write;

/// The first keyword of a text in lower case; comments, semicolons and opening parentheses before it are skipped.
#[must_use]
pub fn first_word(sql: &str) -> String {
    tokens(sql)
        .filter(|t| !t.kind.is_trivia())
        .find(|t| !matches!(t.text, "(" | ";"))
        .filter(|t| t.kind == TokenKind::Word)
        .map_or_else(String::new, |t| t.text.to_lowercase())
}

/// The byte at which the first `COPY` between server and client starts, if the text holds one: it needs a dialogue that
/// the simple protocol of a script does not have. COPY to and from files and programs of the server does not.
#[must_use]
pub fn client_copy(sql: &str) -> Option<usize> {
    let (mut is_start, mut depth, mut copy) = (true, 0_usize, None);
    for token in tokens(sql).filter(|t| !t.kind.is_trivia()) {
        match token.kind {
            TokenKind::Semicolon => {
                (is_start, depth, copy) = (true, 0, None);
                continue;
            }
            TokenKind::Symbol if token.text == "(" => depth += 1,
            TokenKind::Symbol if token.text == ")" => depth = depth.saturating_sub(1),
            TokenKind::Word if is_start && token.text.eq_ignore_ascii_case("copy") => copy = Some(token.start),
            TokenKind::Word
                if depth == 0
                    && copy.is_some()
                    && ["stdin", "stdout"].iter().any(|end| token.text.eq_ignore_ascii_case(end)) =>
            {
                return copy;
            }
            _ => {}
        }
        is_start = false;
    }
    None
}

/// Whether a query, and not one of its subqueries, locks the rows that it returns: `FOR UPDATE` and its kin.
#[must_use]
pub fn locks_rows(sql: &str) -> bool {
    let (mut depth, mut after_for) = (0_usize, false);
    for token in tokens(sql).filter(|t| !t.kind.is_trivia()) {
        match token.kind {
            TokenKind::Symbol if token.text == "(" => depth += 1,
            TokenKind::Symbol if token.text == ")" => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 => {
                let is = |word: &str| token.text.eq_ignore_ascii_case(word);
                if after_for && ["update", "share", "no", "key"].iter().any(|word| is(word)) {
                    return true;
                }
                after_for = is("for");
                continue;
            }
            _ => {}
        }
        after_for = false;
    }
    false
}

/// `('text'::type)`: a literal that stands for one operand wherever it is put, of the given type; NULL without a text.
///
/// `type_name` is SQL, as `format_type()` writes it.
pub fn typed_literal(out: &mut String, text: Option<&str>, type_name: &str) {
    out.push('(');
    match text {
        Some(text) => ident::literal(out, text),
        None => out.push_str("NULL"),
    }
    let _ = write!(out, "::{type_name})");
}

/// Why a text cannot be used as one query inside another statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAQuery {
    /// There is nothing in it.
    Empty,
    /// It holds a second statement, which starts at this byte.
    Several(usize),
    /// A string, quoted identifier or comment starts at this byte and does not end.
    Unterminated(usize),
    /// A parenthesis at this byte has no partner.
    Unbalanced(usize),
    /// `$n` has no value.
    Missing(usize),
    /// It uses so many placeholders, of so many values.
    Unused(usize, usize),
}

/// One query of a caller's text, without what ends it.
///
/// # Errors
/// When the text is not exactly one query: what follows would then mean something else.
pub fn one_query(sql: &str) -> Result<&str, NotAQuery> {
    let (mut end, mut over) = (0, false);
    let mut open = vec![];
    for token in tokens(sql).filter(|t| !t.kind.is_trivia()) {
        match token.kind {
            TokenKind::Unterminated => return Err(NotAQuery::Unterminated(token.start)),
            TokenKind::Semicolon => {
                over = end > 0;
                continue;
            }
            _ if over => return Err(NotAQuery::Several(token.start)),
            TokenKind::Symbol if token.text == "(" => open.push(token.start),
            TokenKind::Symbol if token.text == ")" => {
                open.pop().ok_or(NotAQuery::Unbalanced(token.start))?;
            }
            _ => {}
        }
        end = token.start + token.text.len();
    }
    match open.pop() {
        Some(at) => Err(NotAQuery::Unbalanced(at)),
        None if end == 0 => Err(NotAQuery::Empty),
        None => Ok(&sql[..end]),
    }
}

/// Where the query of `DECLARE … CURSOR … FOR query` is in its text.
#[must_use]
pub fn cursor_query(sql: &str) -> Option<std::ops::Range<usize>> {
    let mut words = tokens(sql).filter(|t| t.kind == TokenKind::Word);
    words.find(|t| t.text.eq_ignore_ascii_case("cursor"))?;
    let start = words.find(|t| t.text.eq_ignore_ascii_case("for")).map(|t| t.start + t.text.len())?;
    let query = one_query(&sql[start..]).ok()?;
    Some(start..start + query.len())
}

/// The number of a placeholder; 0 for one that is too large.
fn number(token: Token<'_>) -> usize {
    token.text[1..].parse().unwrap_or(0)
}

/// One query with its placeholders replaced by literals: the values as texts, each with the type that the server gave.
///
/// # Errors
/// Those of [`one_query`], and placeholders without values or values without placeholders.
pub fn with_literals(sql: &str, values: &[(Option<String>, String)]) -> Result<String, NotAQuery> {
    let sql = one_query(sql)?;
    let mut out = String::with_capacity(sql.len() + values.len() * 16);
    let mut used = vec![false; values.len()];
    for token in tokens(sql) {
        match token.kind {
            TokenKind::Parameter => {
                let n = number(token);
                let (text, type_name) = n.checked_sub(1).and_then(|i| values.get(i)).ok_or(NotAQuery::Missing(n))?;
                used[n - 1] = true;
                typed_literal(&mut out, text.as_deref(), type_name);
            }
            _ => out.push_str(token.text),
        }
    }
    match used.iter().filter(|u| **u).count() {
        n if n == values.len() => Ok(out),
        n => Err(NotAQuery::Unused(n, values.len())),
    }
}

/// How many parameters a text takes: the highest `$n` in it.
#[must_use]
pub fn placeholders(sql: &str) -> usize {
    tokens(sql).filter(|t| t.kind == TokenKind::Parameter).map(number).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_client() {
        for (sql, at) in [
            ("COPY t FROM STDIN", Some(0)),
            ("select 1; -- copy a from stdin;\ncopy t to stdout with (format csv)", Some(32)),
            ("COPY (SELECT stdin FROM t) TO '/tmp/x'", None),
            ("COPY t FROM PROGRAM 'cat stdin'", None),
            ("SELECT 'copy t from stdin'; SELECT copy, stdin FROM t", None),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", None),
        ] {
            assert_eq!(client_copy(sql), at, "{sql}");
        }
    }

    #[test]
    fn first_words() {
        for (sql, word) in [
            ("select 1", "select"),
            ("/* a /* b */ c */ BEGIN", "begin"),
            ("-- x\r\nCommit", "commit"),
            ("-- x\rBEGIN", "begin"),
            (";;( (SET a = 1", "set"),
            ("'begin'", ""),
            ("\"begin\"", ""),
            ("", ""),
        ] {
            assert_eq!(first_word(sql), word, "{sql}");
        }
    }

    #[test]
    fn one_query_only() {
        assert_eq!(one_query("select ';' ; -- x"), Ok("select ';'"));
        assert_eq!(one_query(" ; "), Err(NotAQuery::Empty));
        assert_eq!(one_query("select 1; select 2"), Err(NotAQuery::Several(10)));
        assert_eq!(one_query("select 1) to stdout --"), Err(NotAQuery::Unbalanced(8)));
        assert_eq!(one_query("select (1"), Err(NotAQuery::Unbalanced(7)));
        assert_eq!(one_query("select 'a"), Err(NotAQuery::Unterminated(7)));
    }

    #[test]
    fn queries_of_cursors() {
        let query = |sql| cursor_query(sql).map(|q| &sql[q]);
        assert_eq!(
            query("DECLARE \"for\" NO SCROLL CURSOR FOR SELECT 1 FOR UPDATE; -- x"),
            Some(" SELECT 1 FOR UPDATE")
        );
        assert_eq!(query("declare c cursor with hold for(table a)"), Some("(table a)"));
        for none in ["DECLARE c CURSOR", "DECLARE c CURSOR FOR", "DECLARE c CURSOR FOR SELECT 1; SELECT 2", "SELECT 1"]
        {
            assert_eq!(query(none), None, "{none}");
        }
    }

    #[test]
    fn literals_stay_operands() {
        let int = |text: &str| (Some(text.to_owned()), "integer".to_owned());
        let text = |text: &str| (Some(text.to_owned()), "text".to_owned());
        let query = "SELECT 10 -$1, $2 -- $3";
        assert_eq!(
            with_literals(query, &[int("-5"), text("\n, pw FROM secret) TO STDOUT --")]).as_deref(),
            Ok("SELECT 10 -('-5'::integer), ('\n, pw FROM secret) TO STDOUT --'::text)")
        );
        assert_eq!(
            with_literals("SELECT E'it\\'s $1', $a$ $$ $1 $$ $a$, $1", &[(None, "a.\"B\"".into())]).as_deref(),
            Ok("SELECT E'it\\'s $1', $a$ $$ $1 $$ $a$, (NULL::a.\"B\")")
        );
        assert_eq!(with_literals("SELECT $1", &[text("a'\\'b")]).as_deref(), Ok("SELECT ( E'a''\\\\''b'::text)"));
        assert_eq!(with_literals("SELECT $2", &[text("a")]), Err(NotAQuery::Missing(2)));
        assert_eq!(with_literals("SELECT 1", &[text("a")]), Err(NotAQuery::Unused(0, 1)));
        assert_eq!(placeholders("select $2, '$3', $1"), 2);
    }
}
