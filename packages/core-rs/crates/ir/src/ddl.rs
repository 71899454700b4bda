use crate::expr::Expr;
use crate::name::{Name, Path, TypeName};
use crate::statement::{SortKey, Statement};

/// A statement that changes a schema. It takes no parameters.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Ddl {
    CreateTable(CreateTable),
    AlterTable {
        table: Path,
        actions: Vec<Action>,
        options: Vec<&'static str>,
    },
    CreateIndex(CreateIndex),
    Drop {
        kind: &'static str,
        names: Vec<Path>,
        options: Vec<&'static str>,
    },
    Rename {
        kind: &'static str,
        path: Path,
        to: Name,
    },
    SetSchema {
        kind: &'static str,
        path: Path,
        to: Name,
    },
    CreateEnum {
        path: Path,
        values: Vec<String>,
    },
    AddEnumValue {
        path: Path,
        value: String,
        place: Option<(&'static str, String)>,
        options: Vec<&'static str>,
    },
    RenameEnumValue {
        path: Path,
        from: String,
        to: String,
    },
    CreateSequence {
        path: Path,
        options: Vec<&'static str>,
        settings: Vec<Setting>,
    },
    AlterSequence {
        path: Path,
        settings: Vec<Setting>,
    },
    Comment {
        kind: &'static str,
        path: Path,
        of: Option<Name>,
        text: Option<String>,
    },
    CreateExtension {
        name: Name,
        schema: Option<Name>,
        version: Option<String>,
        options: Vec<&'static str>,
    },
    CreateSchema {
        name: Name,
        options: Vec<&'static str>,
    },
    CreateView {
        path: Path,
        columns: Vec<Name>,
        statement: Box<Statement>,
        options: Vec<&'static str>,
    },
    CreateDomain {
        path: Path,
        base: TypeName,
        default: Option<Expr>,
        not_null: bool,
        checks: Vec<(Option<Name>, Expr)>,
    },
}

/// `("create_table", path, elements, options, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct CreateTable {
    pub path: Path,
    pub elements: Vec<Element>,
    pub options: Vec<&'static str>,
    pub partition_by: Option<(&'static str, Vec<Expr>)>,
    pub inherits: Vec<Path>,
    pub with: Vec<(Name, Literal)>,
    pub tablespace: Option<Name>,
}

pub use crate::expr::Literal;

/// What stands between the parentheses of CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Element {
    Column(Column),
    ColumnSql { name: Name, definition: String },
    Constraint(Constraint),
    Sql(String),
}

/// `("column", name, type, option…)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct Column {
    pub name: Name,
    pub type_name: TypeName,
    pub options: Vec<ColumnOption>,
}

/// What follows the type of a column.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub enum ColumnOption {
    NotNull,
    Null,
    Default(Expr),
    Identity { always: bool, settings: Vec<Setting> },
    Generated { expr: Expr, stored: bool },
    Collate(Path),
    PrimaryKey,
    Unique,
    Check { name: Option<Name>, expr: Expr },
    References(Box<References>),
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Its name; PostgreSQL makes one up when there is none.
    pub name: Option<Name>,
    /// What it demands.
    pub kind: ConstraintKind,
    /// `deferrable`, `initially deferred`, `not valid`, `nulls not distinct`, `no inherit`.
    pub options: Vec<&'static str>,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub enum ConstraintKind {
    PrimaryKey { columns: Vec<Name>, include: Vec<Name> },
    Unique { columns: Vec<Name>, include: Vec<Name> },
    Check(Expr),
    ForeignKey { columns: Vec<Name>, references: References },
    Exclude { method: Name, elements: Vec<(IndexElement, String)>, filter: Option<Expr> },
}

/// The other end of a foreign key.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct References {
    pub table: Path,
    pub columns: Vec<Name>,
    pub on_delete: Option<&'static str>,
    pub on_update: Option<&'static str>,
}

/// `("create_index", name, path, elements, options, extras)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct CreateIndex {
    pub name: Option<Name>,
    pub table: Path,
    pub elements: Vec<IndexElement>,
    pub options: Vec<&'static str>,
    pub method: Option<Name>,
    pub include: Vec<Name>,
    pub filter: Option<Expr>,
    pub with: Vec<(Name, Literal)>,
}

/// One column or expression of an index: `(sort key, operator class, collation)`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub struct IndexElement {
    pub key: SortKey,
    pub opclass: Option<Path>,
    pub collation: Option<Path>,
}

/// A setting of a sequence.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the clauses")]
pub enum Setting {
    As(TypeName),
    Number(&'static str, i64),
    Flag(&'static str),
    OwnedBy(Option<(Path, Name)>),
}

/// One action of ALTER TABLE.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the tag of the same name; ir.md has the entry")]
pub enum Action {
    AddColumn { column: Element, options: Vec<&'static str> },
    DropColumn { name: Name, options: Vec<&'static str> },
    RenameColumn { name: Name, to: Name },
    SetType { name: Name, to: TypeName, using: Option<Expr>, collation: Option<Path> },
    SetDefault { name: Name, value: Expr },
    DropDefault(Name),
    SetNotNull(Name),
    DropNotNull(Name),
    AddIdentity { name: Name, always: bool },
    DropIdentity { name: Name, options: Vec<&'static str> },
    DropExpression(Name),
    AddConstraint(Element),
    DropConstraint { name: Name, options: Vec<&'static str> },
    RenameConstraint { name: Name, to: Name },
    ValidateConstraint(Name),
    AddUsingIndex { name: Name, kind: &'static str, index: Name },
    Sql(String),
}
