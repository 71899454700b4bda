use super::{Decoder, Result, describe, len};
use crate::expr::{Call, Constant, Expr, Grouping, Literal, Part, Sign};
use crate::statement::Statement;
use crate::tags::{ExprTag, Operator};
use crate::tree::{Leaf, Tree};

/// What may follow IS.
const IS: &[&str] = &[
    "null",
    "not null",
    "true",
    "not true",
    "false",
    "not false",
    "unknown",
    "not unknown",
    "json",
    "not json",
    "json object",
    "json array",
    "json scalar",
    "document",
    "not document",
    "normalized",
    "not normalized",
];

impl Decoder {
    pub(super) fn expr<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        if let Leaf::Str(text) = node.look() {
            return if text == "$" {
                self.param(None)
            } else {
                self.fail(format!("the string {text:?} is not an expression"))
            };
        }
        self.deeper(|d| d.node(node))
    }

    fn boxed<T: Tree>(&mut self, node: &T) -> Result<Box<Expr>> {
        self.expr(node).map(Box::new)
    }

    fn param(&mut self, cast: Option<crate::name::TypeName>) -> Result<Expr> {
        let slot = self.slot()?;
        Ok(Expr::Param { slot, cast })
    }

    pub(super) fn slot(&mut self) -> Result<usize> {
        if self.literals {
            return self.fail("a statement of this kind takes no parameters");
        }
        self.slots += 1;
        Ok(self.slots - 1)
    }

    fn node<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        let tag = self.tag(node)?;
        let Some(known) = ExprTag::parse(&tag) else {
            return match Operator::parse(&tag) {
                Some(op) => self.binary(op, node),
                None => self.fail(format!("{tag:?} is not the tag of an expression")),
            };
        };
        match known {
            ExprTag::Param => {
                self.width(node, 2)?;
                let cast = self.maybe(node, 1, Self::type_name)?;
                self.param(cast)
            }
            ExprTag::Same => self.same(node),
            ExprTag::Ordinal => {
                let position = self.at(node, 1, Self::int)?;
                if position < 1 { self.fail("an ordinal counts from 1") } else { Ok(Expr::Ordinal(position)) }
            }
            ExprTag::Col => {
                self.width(node, 3)?;
                Ok(Expr::Column { qualifier: self.maybe(node, 1, Self::name)?, name: self.at(node, 2, Self::name)? })
            }
            ExprTag::Cols => self.fail("\"cols\" stands only in a list of columns"),
            ExprTag::Label => self.fail("\"label\" stands only in a list of columns"),
            ExprTag::Star => Ok(Expr::Star(self.maybe(node, 1, Self::name)?)),
            ExprTag::Null => Ok(Expr::Constant(Constant::Null)),
            ExprTag::True => Ok(Expr::Constant(Constant::True)),
            ExprTag::False => Ok(Expr::Constant(Constant::False)),
            ExprTag::Default => Ok(Expr::Constant(Constant::Default)),
            ExprTag::Lit => self.literal(node),
            ExprTag::And => Ok(Expr::And(self.several(node, 1)?)),
            ExprTag::Or => Ok(Expr::Or(self.several(node, 1)?)),
            ExprTag::Not => Ok(Expr::Not(self.at(node, 1, Self::boxed)?)),
            ExprTag::Neg => self.unary(Sign::Minus, node),
            ExprTag::Pos => self.unary(Sign::Plus, node),
            ExprTag::BitNot => self.unary(Sign::BitNot, node),
            ExprTag::Op => self.custom(node),
            ExprTag::Is => Ok(Expr::Is {
                operand: self.at(node, 1, Self::boxed)?,
                what: self.at(node, 2, |d, child| d.word(child, IS))?,
            }),
            ExprTag::Between => self.between(node),
            ExprTag::In | ExprTag::NotIn => Ok(Expr::In {
                operand: self.at(node, 1, Self::boxed)?,
                among: self.at(node, 2, Self::boxed)?,
                negated: known == ExprTag::NotIn,
            }),
            ExprTag::Any | ExprTag::All => {
                Ok(Expr::Quantified { all: known == ExprTag::All, operand: self.at(node, 1, Self::boxed)? })
            }
            ExprTag::Query => Ok(Expr::Query(self.at(node, 1, Self::query)?)),
            ExprTag::Exists => Ok(Expr::Exists(self.at(node, 1, Self::query)?)),
            ExprTag::ArrayQuery => Ok(Expr::ArrayQuery(self.at(node, 1, Self::query)?)),
            ExprTag::Array => Ok(Expr::Array(self.each(node, 1, Self::expr)?)),
            ExprTag::Row => Ok(Expr::Row(self.each(node, 1, Self::expr)?)),
            ExprTag::List => Ok(Expr::List(self.several(node, 1)?)),
            ExprTag::Case => self.case(node),
            ExprTag::Cast => {
                Ok(Expr::Cast { operand: self.at(node, 1, Self::boxed)?, to: self.at(node, 2, Self::type_name)? })
            }
            ExprTag::Collate => {
                Ok(Expr::Collate { operand: self.at(node, 1, Self::boxed)?, collation: self.at(node, 2, Self::path)? })
            }
            ExprTag::Extract => {
                Ok(Expr::Extract { field: self.at(node, 1, Self::plain_word)?, source: self.at(node, 2, Self::boxed)? })
            }
            ExprTag::Subscript => {
                Ok(Expr::Subscript { operand: self.at(node, 1, Self::boxed)?, index: self.at(node, 2, Self::boxed)? })
            }
            ExprTag::Slice => Ok(Expr::Slice {
                operand: self.at(node, 1, Self::boxed)?,
                low: self.maybe(node, 2, Self::boxed)?,
                high: self.maybe(node, 3, Self::boxed)?,
            }),
            ExprTag::Field => {
                Ok(Expr::Field { operand: self.at(node, 1, Self::boxed)?, name: self.at(node, 2, Self::name)? })
            }
            ExprTag::Call => {
                let name = self.at(node, 1, Self::path)?;
                let args = self.each(node, 2, Self::expr)?;
                Ok(Expr::Call(Box::new(Call {
                    name,
                    args,
                    distinct: false,
                    order: vec![],
                    filter: None,
                    within: vec![],
                })))
            }
            ExprTag::Agg => self.aggregate(node),
            ExprTag::Over => {
                Ok(Expr::Over { call: self.at(node, 1, Self::boxed)?, window: self.at(node, 2, Self::window)? })
            }
            ExprTag::Named => {
                Ok(Expr::Named { name: self.at(node, 1, Self::name)?, value: self.at(node, 2, Self::boxed)? })
            }
            ExprTag::Variadic => Ok(Expr::Variadic(self.at(node, 1, Self::boxed)?)),
            ExprTag::Raw => Ok(Expr::Raw(self.parts(node, 1)?)),
            ExprTag::Rollup => Ok(Expr::Grouping { kind: Grouping::Rollup, items: self.several(node, 1)? }),
            ExprTag::Cube => Ok(Expr::Grouping { kind: Grouping::Cube, items: self.several(node, 1)? }),
            ExprTag::Sets => Ok(Expr::Grouping { kind: Grouping::Sets, items: self.several(node, 1)? }),
        }
    }

    /// At least one child.
    fn several<T: Tree>(&mut self, node: &T, start: usize) -> Result<Vec<Expr>> {
        if len(node) <= start {
            return self.fail("expected at least one element");
        }
        self.each(node, start, Self::expr)
    }

    fn same<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        let back = self.at(node, 1, Self::int)?;
        let cast = self.maybe(node, 2, Self::type_name)?;
        match usize::try_from(back).ok().map(|back| self.base + back) {
            Some(slot) if slot < self.slots => Ok(Expr::Param { slot, cast }),
            _ => self.fail(format!("(\"same\", {back}) names a parameter that has not come yet")),
        }
    }

    fn literal<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        if !self.literals {
            return self.fail("a literal stands only in DDL; values of other statements are parameters");
        }
        let value = self.at(node, 1, |d, child| match child.look() {
            Leaf::Int(number) => Ok(Literal::Int(number)),
            Leaf::Str(_) => d.text(child).map(Literal::Text),
            _ => d.fail(format!("expected a string or an int, got {}", describe(child))),
        })?;
        Ok(Expr::Literal { value, cast: self.maybe(node, 2, Self::type_name)? })
    }

    fn unary<T: Tree>(&mut self, sign: Sign, node: &T) -> Result<Expr> {
        Ok(Expr::Unary { sign, operand: self.at(node, 1, Self::boxed)? })
    }

    fn binary<T: Tree>(&mut self, op: Operator, node: &T) -> Result<Expr> {
        self.width(node, 4)?;
        let left = self.at(node, 1, Self::boxed)?;
        let right = self.at(node, 2, Self::boxed)?;
        let escape = self.maybe(node, 3, Self::boxed)?;
        let escapable = matches!(
            op,
            Operator::Like
                | Operator::NotLike
                | Operator::Ilike
                | Operator::NotIlike
                | Operator::Similar
                | Operator::NotSimilar
        );
        if escape.is_some() && !escapable {
            return self.fail(format!("{:?} takes two operands", op.text()));
        }
        Ok(Expr::Binary { op, left, right, escape })
    }

    fn custom<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        self.width(node, 4)?;
        let op = self.at(node, 1, |d, child| {
            let text = d.text(child)?;
            let allowed = !text.is_empty() && text.len() < 64 && text.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c));
            if allowed && !text.contains("--") && !text.contains("/*") {
                Ok(text)
            } else {
                d.fail(format!("{text:?} is not an operator"))
            }
        })?;
        Ok(Expr::Custom { op, left: self.at(node, 2, Self::boxed)?, right: self.at(node, 3, Self::boxed)? })
    }

    fn between<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        let operand = self.at(node, 1, Self::boxed)?;
        let low = self.at(node, 2, Self::boxed)?;
        let high = self.at(node, 3, Self::boxed)?;
        let mode = self.maybe(node, 4, |d, child| d.word(child, &["not", "symmetric", "not symmetric"]))?.unwrap_or("");
        Ok(Expr::Between {
            operand,
            low,
            high,
            negated: mode.starts_with("not"),
            symmetric: mode.ends_with("symmetric"),
        })
    }

    fn case<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        let operand = self.maybe(node, 1, Self::boxed)?;
        let whens = self.list(node, 2, |d, child| Ok((d.at(child, 0, Self::expr)?, d.at(child, 1, Self::expr)?)))?;
        if whens.is_empty() {
            return self.fail("a case needs at least one when");
        }
        Ok(Expr::Case { operand, whens, otherwise: self.maybe(node, 3, Self::boxed)? })
    }

    /// `("agg", name, args, distinct, order, filter, within)`.
    fn aggregate<T: Tree>(&mut self, node: &T) -> Result<Expr> {
        self.width(node, 7)?;
        Ok(Expr::Call(Box::new(Call {
            name: self.at(node, 1, Self::path)?,
            args: self.list(node, 2, Self::expr)?,
            distinct: self.maybe(node, 3, |d, child| d.word(child, &["distinct"]))?.is_some(),
            order: self.list(node, 4, Self::sort_key)?,
            filter: self.maybe(node, 5, Self::expr)?,
            within: self.list(node, 6, Self::sort_key)?,
        })))
    }

    pub(super) fn plain_word<T: Tree>(&mut self, node: &T) -> Result<String> {
        let text = self.text(node)?;
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            Ok(text)
        } else {
            self.fail(format!("{text:?} is not a plain word"))
        }
    }

    /// Text and nodes in turn, text first.
    pub(super) fn parts<T: Tree>(&mut self, node: &T, start: usize) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        for index in start..len(node) {
            let text = (index - start).is_multiple_of(2);
            parts.push(self.at(node, index, |d, child| {
                if text { d.text(child).map(Part::Text) } else { d.expr(child).map(Part::Node) }
            })?);
        }
        Ok(parts)
    }

    /// A statement that gives rows.
    pub(super) fn query<T: Tree>(&mut self, node: &T) -> Result<Box<Statement>> {
        match self.statement(node)? {
            query @ (Statement::Select(_) | Statement::Values(_) | Statement::Compound(_) | Statement::Raw(_)) => {
                Ok(Box::new(query))
            }
            _ => self.fail("expected a query: select, values, compound or raw"),
        }
    }
}
