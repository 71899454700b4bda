//! What a parameter of a compiled statement is compared with, for messages.
use crate::token::{Token, TokenKind, tokens};

/// Words between a column and a parameter that it is compared with.
const BETWEEN: [&str; 14] = [
    "any",
    "all",
    "in",
    "not",
    "like",
    "ilike",
    "between",
    "symmetric",
    "similar",
    "to",
    "is",
    "distinct",
    "from",
    "array",
];

/// The column that the statement compares with parameter `number` (from 1), or sets to it: `users.age`, or `age` where no
/// table stands before it. `None` where a parameter stands for something else, such as a row to insert.
#[must_use]
pub fn compared_column(sql: &str, number: usize) -> Option<String> {
    let all: Vec<Token<'_>> = tokens(sql).filter(|t| !t.kind.is_trivia()).collect();
    let sign = format!("${number}");
    let mut at = all.iter().position(|t| t.kind == TokenKind::Parameter && t.text == sign)?;
    let mut is_compared = false;
    while at > 0 {
        at -= 1;
        let token = &all[at];
        match token.kind {
            TokenKind::QuotedIdentifier => break,
            TokenKind::Parameter => {}
            TokenKind::Symbol if matches!(token.text, ")" | "]" | ".") => return None,
            TokenKind::Symbol => is_compared |= !matches!(token.text, "(" | "," | "[" | ":" | "::"),
            TokenKind::Word => {
                let word = token.text.to_lowercase();
                // Of BETWEEN $1 AND $2; any other AND is between two conditions.
                let is_within = word == "and" && at > 1 && all[at - 2].text.eq_ignore_ascii_case("between");
                if !is_within && !BETWEEN.contains(&&*word) {
                    return None;
                }
                is_compared = true;
            }
            _ => return None,
        }
    }
    let name = all.get(at)?.name()?;
    if !is_compared || all[at].kind != TokenKind::QuotedIdentifier {
        return None;
    }
    let table = match at.checked_sub(2).map(|before| (&all[before], &all[before + 1])) {
        Some((table, dot)) if dot.text == "." => table.name(),
        _ => None,
    };
    Some(table.map_or(name.clone(), |table| format!("{table}.{name}")))
}

#[cfg(test)]
mod tests {
    use super::compared_column;

    #[test]
    fn columns_of_parameters() {
        let select = r#"SELECT "id" FROM "t" WHERE "t"."age" = $1 AND "name" LIKE $2 AND ("a" BETWEEN $3 AND $4) AND "b" IN ($5, $6)
            AND "c" = ANY($7) AND $8 = "d" AND lower($9) = 'x' AND "f"("x", $10) AND "tags" @> $11 LIMIT $12"#;
        let found: Vec<_> = (1..=13).map(|n| compared_column(select, n)).collect();
        let names = ["t.age", "name", "a", "a", "b", "b", "c"].map(|n| Some(n.to_owned()));
        assert_eq!(found[..7], names);
        assert_eq!(found[7..10], [None, None, None]);
        assert_eq!(found[10..], [Some("tags".to_owned()), None, None]);
        let update = r#"UPDATE "t" SET "a""b" = $1, "c" = $2 + 1 WHERE "id" = $10"#;
        assert_eq!(compared_column(update, 1).as_deref(), Some("a\"b"));
        assert_eq!(compared_column(update, 2).as_deref(), Some("c"));
        assert_eq!(compared_column(update, 10).as_deref(), Some("id"));
        assert_eq!(compared_column(r#"INSERT INTO "t" ("a", "b") VALUES ($1, $2)"#, 2), None);
    }
}
