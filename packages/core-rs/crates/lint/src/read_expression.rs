//! Expressions, as far as rules ask for what is in them.
use crate::change::Expr;
use crate::name::one;
use crate::tree::text;
use squawk_syntax::SyntaxKind as K;
use squawk_syntax::SyntaxNode;

/// An expression in the words of the rules.
pub fn expression(node: &SyntaxNode) -> Expr {
    let mut expr = Expr { text: text(node), ..Expr::default() };
    for n in node.descendants() {
        match n.kind() {
            K::CALL_EXPR => {
                if let Some(function) = n.first_child() {
                    expr.functions.push(one(&text(&function)));
                }
            }
            K::NAME_REF => expr.columns.push(one(&text(&n))),
            _ => {}
        }
    }
    expr
}
