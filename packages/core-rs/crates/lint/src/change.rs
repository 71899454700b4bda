//! What a statement does, in the words of the rules: the syntax tree is read once and forgotten.

use crate::name::Name;
use crate::types::Type;

/// A column as a statement defines it.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub name: String,
    pub ty: Type,
    pub not_null: bool,
    pub default: Option<Expr>,
    pub identity: bool,
    pub generated: Option<Expr>,
    /// A generated column that is stored.
    pub stored: bool,
    pub constraints: Vec<Constraint>,
    /// Byte offset in the statement.
    pub at: usize,
}

/// An expression: its text, the functions that it calls, and whether it is more than a constant.
#[derive(Clone, Debug, Default)]
pub struct Expr {
    pub text: String,
    pub functions: Vec<String>,
    pub columns: Vec<String>,
}

/// What a constraint demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Check,
    NotNull,
    Unique,
    Primary,
    Exclude,
    Foreign { table: Name, columns: Vec<String> },
}

/// A constraint of a table or column.
#[derive(Clone, Debug)]
pub struct Constraint {
    pub name: Option<String>,
    pub kind: Kind,
    pub columns: Vec<String>,
    pub not_valid: bool,
    pub using_index: Option<Name>,
    pub text: String,
    pub at: usize,
}

/// One action of ALTER TABLE.
#[derive(Clone, Debug)]
pub enum Action {
    AddColumn {
        column: Box<Column>,
        if_not_exists: bool,
    },
    DropColumn {
        name: String,
        cascade: bool,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    SetType {
        column: String,
        ty: Type,
        using: Option<String>,
    },
    SetNotNull(String),
    DropNotNull(String),
    SetDefault,
    DropDefault,
    AddIdentity,
    Add(Constraint),
    DropConstraint {
        name: String,
        cascade: bool,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    Validate(String),
    RenameTable(String),
    SetSchema(String),
    Attach(Name),
    Detach {
        child: Name,
        concurrently: bool,
    },
    /// SET TABLESPACE, LOGGED, UNLOGGED, ACCESS METHOD: the table is rewritten.
    Rewrite(&'static str),
    /// ENABLE and DISABLE TRIGGER.
    Trigger,
    /// Storage parameters, statistics: no session is blocked.
    Settings,
    Other,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    pub name: Option<Name>,
    pub table: Name,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub only: bool,
    pub method: String,
    /// Plain columns; None for expressions.
    pub columns: Vec<Option<String>>,
    pub plain: bool,
    pub partial: bool,
}

/// A new table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: Name,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub partitioned: bool,
    pub partition_of: Option<Name>,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    /// AS SELECT, LIKE, INHERITS: there are columns that the script does not show.
    pub open: bool,
}

/// Kinds of things that are dropped or renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    Table,
    View,
    MaterializedView,
    Sequence,
    Type,
    Schema,
    Index,
    Function,
    Trigger,
    Database,
    Owned,
    Other,
}

impl Object {
    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Object::Table => "table",
            Object::View => "view",
            Object::MaterializedView => "materialized view",
            Object::Sequence => "sequence",
            Object::Type => "type",
            Object::Schema => "schema",
            Object::Index => "index",
            Object::Function => "function",
            Object::Trigger => "trigger",
            Object::Database => "database",
            Object::Owned => "everything that a role owns",
            Object::Other => "object",
        }
    }
}

/// What one statement does.
#[derive(Clone, Debug)]
pub enum Change {
    CreateTable(Table),
    AlterTable {
        table: Name,
        actions: Vec<(Action, usize)>,
    },
    CreateIndex(Index),
    DropIndex {
        names: Vec<Name>,
        concurrently: bool,
        cascade: bool,
    },
    Drop {
        object: Object,
        names: Vec<Name>,
        on: Option<Name>,
        cascade: bool,
    },
    Rename {
        object: Object,
        name: Name,
        to: String,
    },
    Reindex {
        what: &'static str,
        name: Option<Name>,
        concurrently: bool,
    },
    Refresh {
        view: Name,
        concurrently: bool,
        no_data: bool,
    },
    VacuumFull(Option<Name>),
    Cluster(Option<Name>),
    CreateEnum {
        name: Name,
        values: Vec<String>,
    },
    AddValue {
        name: Name,
        value: String,
        placed: bool,
    },
    RenameValue {
        name: Name,
        from: String,
        to: String,
    },
    CreateDomain {
        name: Name,
        checked: bool,
    },
    AlterDomain {
        name: Name,
        adds: bool,
        not_valid: bool,
    },
    CreateView {
        name: Name,
        materialized: bool,
        text: String,
        tables: Vec<Name>,
        no_data: bool,
    },
    CreateFunction {
        name: Name,
        volatile: bool,
    },
    CreateTrigger {
        table: Name,
    },
    Policy {
        table: Name,
        text: String,
    },
    /// On a table, a view or a part of one.
    Comment(Name),
    Truncate {
        tables: Vec<Name>,
        cascade: bool,
    },
    Update {
        table: Name,
        keys: Option<Vec<String>>,
    },
    Delete {
        table: Name,
        keys: Option<Vec<String>>,
    },
    Insert {
        table: Name,
        select: bool,
    },
    Select {
        set_config: Vec<(String, bool)>,
    },
    Lock {
        tables: Vec<Name>,
        mode: String,
    },
    Set {
        name: String,
        value: String,
        local: bool,
    },
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Do {
        inner: Vec<(Change, usize, String)>,
        dynamic: Vec<usize>,
        error: Option<String>,
        commits: bool,
    },
    Call,
    /// Nothing that a rule asks for.
    Other(String),
    /// The parser did not understand it.
    Unknown(String),
}
