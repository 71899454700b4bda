//! Every tag, once. The decoder matches on these enums, so a tag without a branch does not compile; the contract tests
//! walk `ALL`, so a tag without an entry in ir.md or without a corpus case fails.

macro_rules! tags {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is its tag; ir.md has the entry")]
        pub enum $name { $($variant,)* }

        impl $name {
            /// Every tag of this family.
            pub const ALL: &'static [&'static str] = &[$($text,)*];

            /// The tag spelled `text`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            /// How it is spelled.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

tags! {
    /// Statements.
    StatementTag {
        Select = "select", Values = "values", Compound = "compound", Insert = "insert", Update = "update",
        Delete = "delete", Merge = "merge", Raw = "raw", Truncate = "truncate", Explain = "explain", Copy = "copy",
        CreateTable = "create_table", AlterTable = "alter_table", CreateIndex = "create_index", Drop = "drop",
        Rename = "rename", SetSchema = "set_schema", CreateEnum = "create_enum", AddEnumValue = "add_enum_value",
        RenameEnumValue = "rename_enum_value", CreateSequence = "create_sequence", AlterSequence = "alter_sequence",
        Comment = "comment", CreateExtension = "create_extension", CreateSchema = "create_schema",
        CreateView = "create_view", CreateDomain = "create_domain", Script = "script",
        Styled = "styled",
    }
}

tags! {
    /// Sources of a FROM clause.
    SourceTag {
        Table = "table", Subquery = "subquery", Values = "values", Func = "func", Sample = "sample", Only = "only",
        RowsFrom = "rows_from", Raw = "raw",
    }
}

tags! {
    /// Expressions that are not binary operators.
    ExprTag {
        Param = "$", Same = "same", Ordinal = "ordinal", Col = "col", Cols = "cols", Star = "star", Null = "null",
        True = "true", False = "false", Default = "default", Lit = "lit", And = "and", Or = "or", Not = "not",
        Neg = "neg", Pos = "pos", BitNot = "bitnot", Op = "op", Is = "is", Between = "between", In = "in", NotIn = "not in",
        Any = "any", All = "all", Query = "query", Exists = "exists", ArrayQuery = "array_query", Array = "array",
        Row = "row", List = "list", Case = "case", Cast = "cast", Collate = "collate", Extract = "extract",
        Subscript = "[]", Slice = "[:]", Field = ".", Call = "call", Agg = "agg", Over = "over", Named = "named",
        Variadic = "variadic", Raw = "raw", Rollup = "rollup", Cube = "cube", Sets = "sets", Label = "label",
    }
}

tags! {
    /// Binary operators: the tag is the operator.
    Operator {
        Eq = "=", Ne = "<>", Lt = "<", Le = "<=", Gt = ">", Ge = ">=", Add = "+", Sub = "-", Mul = "*", Div = "/",
        Mod = "%", Pow = "^", Concat = "||", Like = "like", NotLike = "not like", Ilike = "ilike",
        NotIlike = "not ilike", Similar = "similar to", NotSimilar = "not similar to", Regex = "~",
        Iregex = "~*", NotRegex = "!~", NotIregex = "!~*", Distinct = "distinct", NotDistinct = "not distinct",
        AtTimeZone = "at time zone", Contains = "@>", Contained = "<@", Overlap = "&&", Json = "->", JsonText = "->>",
        JsonPath = "#>", JsonPathText = "#>>", HasKey = "?", HasAny = "?|", HasAll = "?&", PathExists = "@?",
        PathMatch = "@@", DeletePath = "#-", BitAnd = "&", BitOr = "|", BitXor = "#", ShiftLeft = "<<",
        ShiftRight = ">>", NotRightOf = "&<", NotLeftOf = "&>", Adjacent = "-|-", StartsWith = "^@",
        Overlaps = "overlaps",
    }
}

tags! {
    /// Rare clauses of a statement: the pairs of its last element.
    ExtraTag {
        Ctes = "ctes", Distinct = "distinct", DistinctOn = "distinct_on", From = "from", Group = "group",
        Having = "having", Joins = "joins", Locking = "locking", Overriding = "overriding", Tag = "tag", Ties = "ties",
        Using = "using", Windows = "windows",
    }
}

tags! {
    /// Actions of ALTER TABLE.
    ActionTag {
        AddColumn = "add_column", DropColumn = "drop_column", RenameColumn = "rename_column", SetType = "set_type",
        SetDefault = "set_default", DropDefault = "drop_default", SetNotNull = "set_not_null",
        DropNotNull = "drop_not_null", AddIdentity = "add_identity", DropIdentity = "drop_identity",
        DropExpression = "drop_expression", AddConstraint = "add_constraint", DropConstraint = "drop_constraint",
        RenameConstraint = "rename_constraint", ValidateConstraint = "validate_constraint",
        AddUsingIndex = "add_using_index", Sql = "sql",
    }
}

tags! {
    /// What stands between the parentheses of CREATE TABLE.
    ElementTag {
        Column = "column", ColumnSql = "column_sql", PrimaryKey = "primary_key", Unique = "unique", Check = "check",
        ForeignKey = "foreign_key", Exclude = "exclude", Sql = "sql",
    }
}
