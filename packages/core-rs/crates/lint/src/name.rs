//! Names of tables, types and indexes, as PostgreSQL folds them.

use std::fmt;

/// A name with its schema, where one is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The schema; `public` counts as none, because most migrations mean the same table by both.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl Name {
    /// Reads `schema.name`, quoted or not.
    ///
    /// ```
    /// let name = data_bridge_lint::Name::read(r#"Public."My""Table""#);
    /// assert_eq!((name.schema, name.name.as_str()), (None, "My\"Table"));
    /// ```
    pub fn read(text: &str) -> Name {
        let mut parts = parts(text);
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop().filter(|s| s != "public");
        Name { schema, name }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The identifiers of a dotted path.
pub fn parts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut part = String::new();
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(c) = chars.next() {
                    if c != '"' {
                        part.push(c);
                    } else if chars.peek() == Some(&'"') {
                        part.push('"');
                        chars.next();
                    } else {
                        break;
                    }
                }
            }
            '.' => found.push(std::mem::take(&mut part)),
            c if c.is_whitespace() => {}
            c => part.extend(c.to_lowercase()),
        }
    }
    found.push(part);
    found
}

/// One identifier.
pub fn one(text: &str) -> String {
    parts(text).pop().unwrap_or_default()
}
