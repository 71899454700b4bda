use std::fmt;

/// PostgreSQL cuts longer names off silently (NAMEDATALEN - 1), so they are refused.
const MAX_BYTES: usize = 63;

/// An identifier PostgreSQL can hold: 1 to 63 bytes, no NUL. Everything else is allowed, because it is always quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks `text`.
    ///
    /// # Errors
    /// A message that names the identifier when it is empty, too long or contains NUL.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an identifier must not be empty".into());
        }
        if text.contains('\0') {
            return Err(format!("the identifier {text:?} contains NUL"));
        }
        if text.len() > MAX_BYTES {
            return Err(format!("the identifier {text:?} has {} bytes, PostgreSQL keeps {MAX_BYTES}", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The bare text, not quoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name with an optional schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Printed only when given, so that `search_path` keeps working.
    pub schema: Option<Name>,
    /// The name itself.
    pub name: Name,
}

/// The spelling of a type, checked to be nothing but a type: words, quoted names, a modifier, array brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName(String);

/// Types PostgreSQL spells with more than one word; every other type is one word or quoted.
const PHRASES: &[&str] = &[
    "double precision",
    "character varying",
    "bit varying",
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
    "interval year",
    "interval month",
    "interval day",
    "interval hour",
    "interval minute",
    "interval second",
    "interval year to month",
    "interval day to hour",
    "interval day to minute",
    "interval day to second",
    "interval hour to minute",
    "interval hour to second",
    "interval minute to second",
];

impl TypeName {
    /// Checks `text`.
    ///
    /// # Errors
    /// A message that shows the text when it is not the spelling of one type.
    pub fn new(text: &str) -> Result<Self, String> {
        if is_type(text) { Ok(Self(text.to_owned())) } else { Err(format!("{text:?} is not the name of a type")) }
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `name [.name] [(mods)] [words] [[]…]`, where the words may only complete a phrase of the list above.
fn is_type(text: &str) -> bool {
    let mut rest = text.trim_end();
    while let Some(head) = rest.strip_suffix(']') {
        let head = head.trim_end_matches(|c: char| c.is_ascii_digit());
        let Some(head) = head.strip_suffix('[') else { return false };
        rest = head;
    }
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    let mut mods = false;
    let mut schema = false;
    loop {
        rest = rest.trim_start_matches(' ');
        let Some(first) = rest.chars().next() else { break };
        if first == '"' {
            let Some(end) = quoted_end(rest) else { return false };
            words.push(String::new());
            quoted = true;
            rest = &rest[end..];
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            words.push(rest[..end].to_lowercase());
            rest = &rest[end..];
        } else if first == '(' && !mods && !words.is_empty() {
            let Some(end) = rest.find(')') else { return false };
            let inner = &rest[1..end];
            if inner.is_empty() || !inner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ',' | ' ' | '-')) {
                return false;
            }
            mods = true;
            rest = &rest[end + 1..];
            continue;
        } else {
            return false;
        }
        if let Some(tail) = rest.strip_prefix('.') {
            // A schema in front: what follows must be the name itself.
            if mods
                || schema
                || words.len() != 1
                || !tail.starts_with(|c: char| c == '"' || c.is_alphabetic() || c == '_')
            {
                return false;
            }
            words.clear();
            quoted = true;
            schema = true;
            rest = tail;
        }
    }
    match words.len() {
        0 => false,
        1 => true,
        _ => !quoted && PHRASES.contains(&words.join(" ").as_str()),
    }
}

/// The byte after the closing quote of the quoted name at the start of `text`.
fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            0 => return None,
            b'"' if bytes.get(at + 1) == Some(&b'"') => at += 2,
            b'"' => return (at > 1).then_some(at + 1),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Name, TypeName};

    #[test]
    fn types_are_types_and_nothing_else() {
        for good in [
            "bigint",
            "numeric(12,2)",
            "text[]",
            "int4[3][]",
            "double precision",
            "timestamp(3) with time zone",
            "character varying(20)",
            "\"my type\"",
            "public.\"Mood\"",
            "\"a\"\"b\".c[]",
            "geometry(Point, 4326)",
            "interval day to second(3)",
            "_int4",
        ] {
            assert!(TypeName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "text; drop table x",
            "text union select",
            "text)",
            "int(1)(2)",
            "\"open",
            "a.b.c",
            "text -- x",
            "'x'",
            "int]",
            "(3)",
            "int()",
            "double \"precision\"",
        ] {
            assert!(TypeName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_refused_only_for_what_postgresql_cannot_hold() {
        assert!(Name::new("order; drop table \"x\" --").is_ok());
        assert!(Name::new(&"é".repeat(31)).is_ok());
        assert!(Name::new(&"é".repeat(32)).is_err());
        assert!(Name::new("a\0b").is_err());
        assert!(Name::new("").is_err());
    }
}
