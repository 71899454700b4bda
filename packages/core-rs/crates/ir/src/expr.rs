use crate::name::{Name, Path, TypeName};
use crate::statement::{SortKey, Statement, Window};
use crate::tags::Operator;

/// An expression. Fields are named after what PostgreSQL's manual calls them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Expr {
    Param {
        slot: usize,
        cast: Option<TypeName>,
    },
    Ordinal(i64),
    Column {
        qualifier: Option<Name>,
        name: Name,
    },
    Star(Option<Name>),
    Constant(Constant),
    Literal {
        value: Literal,
        cast: Option<TypeName>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Unary {
        sign: Sign,
        operand: Box<Expr>,
    },
    Binary {
        op: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
        escape: Option<Box<Expr>>,
    },
    /// An operator the contract does not know: checked to be made of operator characters.
    Custom {
        op: String,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Is {
        operand: Box<Expr>,
        what: &'static str,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
        symmetric: bool,
    },
    In {
        operand: Box<Expr>,
        among: Box<Expr>,
        negated: bool,
    },
    Quantified {
        all: bool,
        operand: Box<Expr>,
    },
    Query(Box<Statement>),
    Exists(Box<Statement>),
    ArrayQuery(Box<Statement>),
    Array(Vec<Expr>),
    Row(Vec<Expr>),
    List(Vec<Expr>),
    Case {
        operand: Option<Box<Expr>>,
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        to: TypeName,
    },
    Collate {
        operand: Box<Expr>,
        collation: Path,
    },
    Extract {
        field: String,
        source: Box<Expr>,
    },
    Subscript {
        operand: Box<Expr>,
        index: Box<Expr>,
    },
    Slice {
        operand: Box<Expr>,
        low: Option<Box<Expr>>,
        high: Option<Box<Expr>>,
    },
    Field {
        operand: Box<Expr>,
        name: Name,
    },
    Call(Box<Call>),
    Over {
        call: Box<Expr>,
        window: Window,
    },
    Named {
        name: Name,
        value: Box<Expr>,
    },
    Variadic(Box<Expr>),
    Raw(Vec<Part>),
    Grouping {
        kind: Grouping,
        items: Vec<Expr>,
    },
    Label {
        expr: Box<Expr>,
        name: Name,
    },
}

/// Constants that are part of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after their keyword")]
pub enum Constant {
    Null,
    True,
    False,
    Default,
}

/// A value of a DDL statement, which takes no parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Printed as digits.
    Int(i64),
    /// Printed between quotes by the one literal writer.
    Text(String),
}

/// Prefix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after their sign")]
pub enum Sign {
    Minus,
    Plus,
    BitNot,
}

/// Grouping elements of GROUP BY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after their keyword")]
pub enum Grouping {
    Rollup,
    Cube,
    Sets,
}

/// A function call with everything an aggregate may carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Schema and name of the function.
    pub name: Path,
    /// Arguments in order.
    pub args: Vec<Expr>,
    /// DISTINCT in front of the arguments.
    pub distinct: bool,
    /// ORDER BY behind the arguments.
    pub order: Vec<SortKey>,
    /// FILTER (WHERE …).
    pub filter: Option<Expr>,
    /// WITHIN GROUP (ORDER BY …).
    pub within: Vec<SortKey>,
}

/// A piece of raw SQL.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Trusted text, printed as it is.
    Text(String),
    /// A node between two texts.
    Node(Expr),
}
