//! What the words of a text say about its effect on the session.
use data_bridge_driver::connection::effect::{Defines, Effect};
use data_bridge_sql::token::{TokenKind, tokens};

/// What a text, by its words, may do besides its work.
pub fn effect(sql: &str, kind: &str) -> Effect {
    let has = |wanted: &[&str]| names(sql).any(|n| wanted.iter().any(|w| n.starts_with(w)));
    let is_temporary = || names(sql).any(|n| n == "temp" || n == "temporary" || n.starts_with("pg_temp"));
    let defines = match kind {
        "alter" | "drop" | "ddl" if changes_types(sql) => Defines::Types,
        "create" | "alter" | "drop" | "do" | "call" | "import" | "ddl" => Defines::Objects,
        _ => Defines::Nothing,
    };
    let dirty = match kind {
        "set" | "reset" | "prepare" | "deallocate" | "discard" | "load" | "do" | "call" | "execute" => true,
        "declare" => names(sql).any(|n| n == "hold"),
        // A column may be called so: only where a table is made.
        "create" | "ddl" => is_temporary(),
        _ => names(sql).any(|n| n == "into") && is_temporary(),
    };
    Effect { dirty: dirty || has(CHANGERS), defines, undecided: None }
}

/// What a script may do besides its work.
pub fn script_effect(sql: &str) -> Effect {
    let defines =
        if names(sql).any(|n| matches!(&*n, "alter" | "type" | "domain")) { Defines::Types } else { Defines::Objects };
    Effect { dirty: true, defines, undecided: None }
}

/// Whether a statement may end a type, or give a table, view or type other columns or attributes. Tables are dropped too
/// often for that, temporary ones above all.
fn changes_types(sql: &str) -> bool {
    let mut words = names(sql);
    let first = words.next();
    words.next().is_some_and(|n| match &*n {
        "type" | "domain" | "extension" => true,
        "table" | "view" | "materialized" | "foreign" => first.is_some_and(|first| first == "alter"),
        _ => false,
    })
}

/// Functions of the server that change a session, or run SQL that they are given; their names start so.
const CHANGERS: &[&str] = &["set_config", "pg_advisory_lock", "pg_try_advisory_lock", "query_to_xml", "ts_stat", "\"*"];

/// The names in a text, without what stands in strings and comments. One that is written with escapes is `"*`.
pub fn names(sql: &str) -> impl Iterator<Item = String> {
    tokens(sql)
        .filter(|t| matches!(t.kind, TokenKind::Word | TokenKind::QuotedIdentifier))
        .map(|t| t.name().unwrap_or_else(|| "\"*".to_owned()))
}
