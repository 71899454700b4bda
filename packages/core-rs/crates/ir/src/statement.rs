use crate::ddl::Ddl;
use crate::expr::{Expr, Part};
use crate::name::{Name, Path};
use crate::tags::StatementTag;

/// Everything that can be compiled.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Statement {
    Select(Box<Select>),
    Values(Box<Values>),
    Compound(Box<Compound>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
    Raw(Vec<Part>),
    Truncate {
        tables: Vec<Source>,
        restart: Option<bool>,
        cascade: bool,
    },
    Explain {
        options: Vec<String>,
        statement: Box<Statement>,
    },
    Copy(Box<Copy>),
    Ddl(Box<Ddl>),
    Script(Vec<Statement>),
    /// For other eyes than the server's: placeholder style (`format`, …) and layout.
    Styled {
        style: Option<&'static str>,
        pretty: bool,
        statement: Box<Statement>,
    },
}

impl Statement {
    /// The tag this statement was decoded from, for every kind but DDL (which has many).
    #[must_use]
    pub fn tag(&self) -> Option<StatementTag> {
        Some(match self {
            Self::Select(_) => StatementTag::Select,
            Self::Values(_) => StatementTag::Values,
            Self::Compound(_) => StatementTag::Compound,
            Self::Insert(_) => StatementTag::Insert,
            Self::Update(_) => StatementTag::Update,
            Self::Delete(_) => StatementTag::Delete,
            Self::Merge(_) => StatementTag::Merge,
            Self::Raw(_) => StatementTag::Raw,
            Self::Truncate { .. } => StatementTag::Truncate,
            Self::Explain { .. } => StatementTag::Explain,
            Self::Copy(_) => StatementTag::Copy,
            Self::Script(_) => StatementTag::Script,
            Self::Styled { .. } => StatementTag::Styled,
            Self::Ddl(_) => return None,
        })
    }
}

/// `("select", source, columns, where, order, limit, offset, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Select {
    pub source: Option<Source>,
    pub columns: Vec<Expr>,
    pub filter: Vec<Expr>,
    pub tail: Tail,
    pub extras: Extras,
}

/// ORDER BY, LIMIT and OFFSET.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Tail {
    pub order: Vec<SortKey>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
}

/// `("values", rows, order, limit, offset, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Values {
    pub rows: Vec<Vec<Expr>>,
    pub tail: Tail,
    pub extras: Extras,
}

/// `("compound", operator, statements, order, limit, offset, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Compound {
    pub op: &'static str,
    pub parts: Vec<Statement>,
    pub tail: Tail,
    pub extras: Extras,
}

/// `("insert", table, columns, rows, conflict, returning, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Insert {
    pub table: Source,
    pub columns: Vec<Name>,
    pub rows: Rows,
    pub conflict: Option<Conflict>,
    pub returning: Vec<Expr>,
    pub extras: Extras,
}

/// What an INSERT inserts.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// DEFAULT VALUES.
    Defaults,
    /// `count` rows of one parameter per column, numbered from `first`.
    Params {
        /// The slot of the first parameter.
        first: usize,
        /// How many rows.
        count: usize,
        /// How many columns.
        width: usize,
    },
    /// Rows of expressions.
    Values(Vec<Vec<Expr>>),
    /// One array parameter per column: `(slot, element type)`.
    Unnest(Vec<(usize, crate::name::TypeName)>),
    /// INSERT … SELECT.
    Query(Box<Statement>),
}

/// ON CONFLICT.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// What counts as a conflict; none: any.
    pub target: Option<ConflictTarget>,
    /// What is set instead; none: DO NOTHING.
    pub update: Option<(Vec<Assignment>, Vec<Expr>)>,
}

/// The index that an ON CONFLICT names.
#[derive(Debug, Clone, PartialEq)]
pub enum ConflictTarget {
    /// Columns or expressions, and the predicate of a partial index.
    Columns(Vec<Expr>, Vec<Expr>),
    /// ON CONSTRAINT name.
    Constraint(Name),
}

/// `column = expression`, or several columns from one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The columns; several are written in parentheses.
    pub columns: Vec<Name>,
    /// Subscripts of an array or json column, as in `tags[1] = …`.
    pub path: Vec<Expr>,
    /// The new value.
    pub value: Expr,
}

/// `("update", table, assignments, where, returning, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Update {
    pub table: Source,
    pub assignments: Vec<Assignment>,
    pub filter: Vec<Expr>,
    pub returning: Vec<Expr>,
    pub extras: Extras,
}

/// `("delete", table, where, returning, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Delete {
    pub table: Source,
    pub filter: Vec<Expr>,
    pub returning: Vec<Expr>,
    pub extras: Extras,
}

/// `("merge", table, source, on, whens, returning, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Merge {
    pub table: Source,
    pub source: Source,
    pub on: Vec<Expr>,
    pub whens: Vec<MergeWhen>,
    pub returning: Vec<Expr>,
    pub extras: Extras,
}

/// One WHEN of a MERGE.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct MergeWhen {
    pub kind: &'static str,
    pub condition: Option<Expr>,
    pub action: MergeAction,
}

/// What a WHEN of a MERGE does.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub enum MergeAction {
    Nothing,
    Delete,
    Update(Vec<Assignment>),
    Insert { columns: Vec<Name>, values: Option<Vec<Expr>> },
}

/// `("copy", "in" | "out", table | statement, columns, format)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Copy {
    pub into: bool,
    pub table: Option<Source>,
    pub query: Option<Statement>,
    pub columns: Vec<Name>,
    pub format: &'static str,
}

/// A source of FROM, or the table of a statement.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Source {
    Table {
        path: Path,
        alias: Option<Name>,
    },
    Subquery {
        statement: Box<Statement>,
        alias: Name,
        lateral: bool,
        columns: Vec<Name>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
        alias: Name,
        columns: Vec<Name>,
    },
    Func {
        calls: Vec<Expr>,
        alias: Name,
        columns: Vec<(Name, Option<crate::name::TypeName>)>,
        rows_from: bool,
        lateral: bool,
        ordinality: bool,
    },
    Sample {
        source: Box<Source>,
        method: Name,
        args: Vec<Expr>,
        repeatable: Option<Expr>,
    },
    Only(Box<Source>),
    Raw {
        parts: Vec<Part>,
        alias: Option<Name>,
    },
}

/// `(kind, source, on)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// `inner`, `left`, `right`, `full`, `cross` or `,`.
    pub kind: &'static str,
    /// What is joined.
    pub source: Source,
    /// The condition.
    pub on: JoinOn,
}

/// The condition of a join.
#[derive(Debug, Clone, PartialEq)]
pub enum JoinOn {
    /// Nothing: CROSS JOIN or a comma.
    Nothing,
    /// ON, conditions joined by AND.
    On(Vec<Expr>),
    /// USING (columns).
    Using(Vec<Name>),
    /// NATURAL.
    Natural,
}

/// One key of an ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// What is sorted by.
    pub expr: Expr,
    /// `Some(true)` is DESC, `Some(false)` a written ASC.
    pub descending: Option<bool>,
    /// `Some(true)` is NULLS FIRST.
    pub nulls_first: Option<bool>,
}

/// A window: a name, or a definition.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// OVER name.
    Named(Name),
    /// OVER (…).
    Spec(Box<WindowSpec>),
}

/// `("window", base, partition, order, frame)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct WindowSpec {
    pub base: Option<Name>,
    pub partition: Vec<Expr>,
    pub order: Vec<SortKey>,
    pub frame: Option<Frame>,
}

/// `("rows" | "range" | "groups", start, end, exclude)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Frame {
    pub unit: &'static str,
    pub start: Bound,
    pub end: Option<Bound>,
    pub exclude: Option<&'static str>,
}

/// One end of a frame.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the keywords")]
pub enum Bound {
    UnboundedPreceding,
    UnboundedFollowing,
    CurrentRow,
    Preceding(Expr),
    Following(Expr),
}

/// A common table expression.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Cte {
    pub name: Name,
    pub columns: Vec<Name>,
    pub statement: Statement,
    pub materialized: Option<bool>,
    pub suffix: Vec<Part>,
}

/// FOR UPDATE and its kin.
#[derive(Debug, Clone, PartialEq)]
pub struct Locking {
    /// `update`, `no key update`, `share` or `key share`.
    pub strength: &'static str,
    /// OF these tables.
    pub of: Vec<Name>,
    /// `nowait` or `skip locked`.
    pub wait: Option<&'static str>,
}

/// The rare clauses of a statement.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Extras {
    pub ctes: Vec<Cte>,
    pub recursive: bool,
    pub distinct: bool,
    pub distinct_on: Vec<Expr>,
    pub from: Vec<Source>,
    pub group: Vec<Expr>,
    pub group_distinct: bool,
    pub having: Vec<Expr>,
    pub joins: Vec<Join>,
    pub locking: Vec<Locking>,
    pub overriding: Option<&'static str>,
    pub tag: Option<String>,
    pub ties: bool,
    pub windows: Vec<(Name, WindowSpec)>,
}
