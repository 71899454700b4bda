//! Walking the parser's tree.

use crate::name::Name;
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

/// The first child of a kind.
pub fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|n| n.kind() == kind)
}

/// The children of a kind.
pub fn children(node: &SyntaxNode, kind: K) -> impl Iterator<Item = SyntaxNode> {
    node.children().filter(move |n| n.kind() == kind)
}

/// Whether there is a child of a kind.
pub fn has(node: &SyntaxNode, kind: K) -> bool {
    child(node, kind).is_some()
}

/// Whether a keyword stands directly in the node.
pub fn has_word(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|e| e.kind() == kind)
}

/// The text without comments, spaces made one.
pub fn text(node: &SyntaxNode) -> String {
    let mut found = String::new();
    for token in node.descendants_with_tokens().filter_map(|e| e.into_token()) {
        match token.kind() {
            K::COMMENT => {}
            K::WHITESPACE => {
                if !found.ends_with(' ') {
                    found.push(' ');
                }
            }
            _ => found.push_str(token.text()),
        }
    }
    found.trim().to_owned()
}

/// The text in lower case.
pub fn words(node: &SyntaxNode) -> String {
    text(node).to_lowercase()
}

/// The value of a string literal; other text as it is.
pub fn strings(node: &SyntaxNode) -> String {
    let text = text(node);
    match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text,
    }
}

/// The name in a child of a kind.
pub fn named(node: &SyntaxNode, kind: K) -> Name {
    Name::read(&child(node, kind).map(|n| text(&n)).unwrap_or_default())
}

/// Where it begins, behind its comments.
pub fn offset(node: &SyntaxNode) -> usize {
    let first = node
        .descendants_with_tokens()
        .filter_map(|e| e.into_token())
        .find(|t| !matches!(t.kind(), K::COMMENT | K::WHITESPACE));
    first.map_or_else(|| node.text_range().start(), |t| t.text_range().start()).into()
}
