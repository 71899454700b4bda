//! SQL text in tokens, as PostgreSQL's own lexer reads it (PostgreSQL manual, "Lexical Structure"; its `scan.l`).
//!
//! The one reader of SQL text in the project: whatever looks for placeholders, statement ends or keywords asks it, so that
//! no two of them disagree about what is inside a string or a comment. It assumes `standard_conforming_strings = on`,
//! which every connection of the driver has.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// White space.
    Space,
    /// `-- …` up to the end of the line, without it.
    LineComment,
    /// `/* … */`, which may hold others.
    BlockComment,
    /// `'…'`, `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`, with the parts that continue it on later lines.
    String,
    /// `$tag$…$tag$`.
    DollarString,
    /// `"…"` and `U&"…"`.
    QuotedIdentifier,
    /// A keyword or an identifier without quotes.
    Word,
    /// `$1`.
    Parameter,
    /// `1`, `1.5`, `1e10`, `0xff`.
    Number,
    /// `;`.
    Semicolon,
    /// Any other character: an operator's, a parenthesis, a comma.
    Symbol,
    /// A string, quoted identifier, dollar quote or comment that does not end.
    Unterminated,
}

impl TokenKind {
    /// The name by which Python knows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::LineComment => "line_comment",
            Self::BlockComment => "block_comment",
            Self::String => "string",
            Self::DollarString => "dollar_string",
            Self::QuotedIdentifier => "quoted_identifier",
            Self::Word => "word",
            Self::Parameter => "parameter",
            Self::Number => "number",
            Self::Semicolon => "semicolon",
            Self::Symbol => "symbol",
            Self::Unterminated => "unterminated",
        }
    }

    /// Whether the server skips it: white space and comments.
    #[must_use]
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Space | Self::LineComment | Self::BlockComment)
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its characters.
    pub text: &'a str,
    /// The byte at which it starts.
    pub start: usize,
}

impl Token<'_> {
    /// The name that a word or quoted identifier stands for: a word in lower case, quotes removed. `None` for other tokens,
    /// and for `U&"…"`, whose escapes are not resolved.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_lowercase()),
            TokenKind::QuotedIdentifier if self.text.starts_with('"') => {
                Some(self.text[1..self.text.len() - 1].replace("\"\"", "\""))
            }
            _ => None,
        }
    }
}

/// The tokens of a text. Their texts, one after another, are the whole text.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

/// The tokens of `text`.
#[must_use]
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let (kind, end) = token_at(self.text.as_bytes(), start)?;
        self.at = end;
        Some(Token { kind, text: &self.text[start..end], start })
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_newline(b: u8) -> bool {
    matches!(b, b'\n' | b'\r')
}

fn starts_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn continues_word(b: u8) -> bool {
    starts_word(b) || b.is_ascii_digit() || b == b'$'
}

fn run(text: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    text[at..].iter().position(|&b| !belongs(b)).map_or(text.len(), |n| at + n)
}

fn token_at(text: &[u8], at: usize) -> Option<(TokenKind, usize)> {
    use TokenKind::*;
    let next = text.get(at + 1).copied();
    let ended = |end: Option<usize>, kind| end.map_or((Unterminated, text.len()), |end| (kind, end));
    Some(match (*text.get(at)?, next) {
        (b, _) if is_space(b) => (Space, run(text, at, is_space)),
        (b'-', Some(b'-')) => (LineComment, run(text, at, |b| !is_newline(b))),
        (b'/', Some(b'*')) => ended(comment_end(text, at), BlockComment),
        (b'\'', _) => ended(string_end(text, at, false), String),
        (b'e' | b'E', Some(b'\'')) => ended(string_end(text, at + 1, true), String),
        (b'b' | b'B' | b'x' | b'X', Some(b'\'')) => ended(bits_end(text, at + 1), String),
        (b'n' | b'N', Some(b'\'')) => ended(string_end(text, at + 1, false), String),
        (b'u' | b'U', Some(b'&')) if text.get(at + 2) == Some(&b'\'') => ended(string_end(text, at + 2, false), String),
        (b'u' | b'U', Some(b'&')) if text.get(at + 2) == Some(&b'"') => {
            ended(quoted_end(text, at + 2, b'"'), QuotedIdentifier)
        }
        (b'"', _) => ended(quoted_end(text, at, b'"'), QuotedIdentifier),
        (b'$', Some(d)) if d.is_ascii_digit() => (Parameter, run(text, at + 1, |b| b.is_ascii_digit())),
        (b'$', _) => match dollar_tag(text, at) {
            Some(body) => ended(dollar_end(text, at, body), DollarString),
            None => (Symbol, at + 1),
        },
        (b, _) if starts_word(b) => (Word, run(text, at, continues_word)),
        (b, _) if b.is_ascii_digit() => (Number, number_end(text, at)),
        (b'.', Some(d)) if d.is_ascii_digit() => (Number, number_end(text, at)),
        (b';', _) => (Semicolon, at + 1),
        _ => (Symbol, at + 1),
    })
}

fn comment_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
            (b'*', b'/') => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The end of what opens with `quote` at `at`; a doubled quote stands for one.
fn quoted_end(text: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at = run(text, at, |b| b != quote);
        match (text.get(at), text.get(at + 1)) {
            (Some(_), Some(&q)) if q == quote => at += 2,
            (Some(_), _) => return Some(at + 1),
            (None, _) => return None,
        }
    }
}

/// The end of a string whose first quote is at `at`, and of its continuations: another quote behind white space with a line
/// end in it.
fn string_end(text: &[u8], at: usize, escapes: bool) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match text.get(at)? {
            b'\\' if escapes => at += 2,
            b'\'' if text.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => match continuation(text, at + 1) {
                Some(inside) => at = inside,
                None => return Some(at + 1),
            },
            _ => at += 1,
        }
    }
}

/// The end of a bit string: two quotes in a row are an end and a beginning there.
fn bits_end(text: &[u8], at: usize) -> Option<usize> {
    let end = run(text, at + 1, |b| b != b'\'');
    text.get(end)?;
    match continuation(text, end + 1) {
        Some(inside) => bits_end(text, inside - 1),
        None => Some(end + 1),
    }
}

fn continuation(text: &[u8], mut at: usize) -> Option<usize> {
    let mut lines = false;
    loop {
        match (*text.get(at)?, text.get(at + 1)) {
            (b, _) if is_space(b) => {
                lines |= is_newline(b);
                at += 1;
            }
            (b'-', Some(b'-')) => at = run(text, at, |b| !is_newline(b)),
            (b'\'', _) if lines => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Where the body of a dollar quote starts, if one opens at `at`.
fn dollar_tag(text: &[u8], at: usize) -> Option<usize> {
    let tag = at + 1;
    let end = match text.get(tag) {
        Some(&b) if starts_word(b) => run(text, tag, |b| starts_word(b) || b.is_ascii_digit()),
        _ => tag,
    };
    (text.get(end) == Some(&b'$')).then_some(end + 1)
}

fn dollar_end(text: &[u8], start: usize, body: usize) -> Option<usize> {
    let tag = &text[start..body];
    let mut at = body;
    loop {
        at = run(text, at, |b| b != b'$');
        if at + tag.len() > text.len() {
            return None;
        }
        if text[at..].starts_with(tag) {
            return Some(at + tag.len());
        }
        at += 1;
    }
}

fn number_end(text: &[u8], at: usize) -> usize {
    if text[at] == b'0' && matches!(text.get(at + 1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        let end = run(text, at + 2, |b| b.is_ascii_hexdigit() || b == b'_');
        // `0b'1'` is a number and a bit string.
        return if end > at + 2 { end } else { at + 1 };
    }
    let digits = |at| run(text, at, |b: u8| b.is_ascii_digit() || b == b'_');
    let mut end = digits(at);
    // `1..2` is a range of PL/pgSQL, not two numbers with a point.
    if text.get(end) == Some(&b'.') && text.get(end + 1) != Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if text.get(sign).is_some_and(u8::is_ascii_digit) {
            end = digits(sign);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::TokenKind::*;
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        tokens(text).filter(|t| t.kind != Space).map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn what_hides_a_placeholder() {
        for hidden in [
            "'$1'",
            "'it''s $1'",
            r"E'it\'s $1'",
            r"e'\\''$1'",
            "'a'\n'$1'",
            "E'a'\n  'b\\'$1'",
            "'a' -- c\n '$1'",
            "$$ $1 $$",
            "$a$ $$ $1 $$ $a$",
            "$é$ $1 $é$",
            "\"$1\"",
            "U&\"$1\"",
            "u&'$1'",
            "N'$1'",
            "-- $1",
            "-- a\u{2028}$1",
            "/* $1 */",
            "/* a /* b */ $1 */",
            "a$1",
            "é$1",
        ] {
            let found: Vec<_> = kinds(hidden).into_iter().filter(|(k, _)| *k == Parameter).collect();
            assert!(found.is_empty(), "{hidden}: {found:?}");
        }
        for shown in
            ["$1", "-$1", "--x\r$1", "'a' '$2'$1", "1+$1", "'a'/*\n*/'b'$1", "$1$2", "$ $1", "E'a\\\\'$1", "(x)$1"]
        {
            assert!(kinds(shown).contains(&(Parameter, "$1")), "{shown}: {:?}", kinds(shown));
        }
    }

    #[test]
    fn what_never_ends() {
        for text in ["'a", "E'a\\'", "\"a", "/* /* */", "$a$ $b$", "U&'", "$$ $", "E'\\"] {
            assert_eq!(tokens(text).last().map(|t| t.kind), Some(Unterminated), "{text}");
        }
    }

    #[test]
    fn numbers_words_and_names() {
        assert_eq!(kinds("1.5e3x"), [(Number, "1.5e3"), (Word, "x")]);
        assert_eq!(kinds("1..2"), [(Number, "1"), (Symbol, "."), (Number, ".2")]);
        assert_eq!(kinds("0b'1'"), [(Number, "0"), (String, "b'1'")]);
        assert_eq!(kinds("0xFFg"), [(Number, "0xFF"), (Word, "g")]);
        let names: Vec<_> = tokens("Ab \"A\"\"b\" U&\"x\" 'y'").filter_map(|t| t.name()).collect();
        assert_eq!(names, ["ab", "A\"b"]);
    }

    #[test]
    fn the_tokens_are_the_text() {
        let pieces =
            ["'", "\"", "$a$", "$", "1", "e'", "\\", "--", "\n", "/*", "*/", "x", ";", " ", "é", "U&\"", "\r", "."];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = std::string::String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            assert_eq!(tokens(&text).map(|t| t.text).collect::<std::string::String>(), text);
        }
    }
}
