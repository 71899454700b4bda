use super::{Decoder, Result, len};
use crate::expr::{Expr, Part};
use crate::name::{Name, TypeName};
use crate::statement::{
    Bound, Cte, Extras, Frame, Join, JoinOn, Locking, SortKey, Source, Statement, Window, WindowSpec,
};
use crate::tags::{ExprTag, ExtraTag, SourceTag};
use crate::tree::{Leaf, Tree};

impl Decoder {
    /// A list of columns: expressions, labels, and runs of plain columns.
    pub(super) fn columns<T: Tree>(&mut self, node: &T, index: usize) -> Result<Vec<Expr>> {
        let mut columns = Vec::new();
        self.list(node, index, |d, child| {
            let tag = if len(child) > 0 { d.tag(child)? } else { String::new() };
            match ExprTag::parse(&tag) {
                Some(ExprTag::Cols) => {
                    let qualifier = d.maybe(child, 1, Self::name)?;
                    for name in d.each(child, 2, Self::name)? {
                        columns.push(Expr::Column { qualifier: qualifier.clone(), name });
                    }
                }
                Some(ExprTag::Label) => {
                    let expr = Box::new(d.at(child, 1, Self::expr)?);
                    columns.push(Expr::Label { expr, name: d.at(child, 2, Self::name)? });
                }
                _ => columns.push(d.expr(child)?),
            }
            Ok(())
        })?;
        Ok(columns)
    }

    /// `("asc" | "desc", expr, "first" | "last" | None)`, or an expression.
    pub(super) fn sort_key<T: Tree>(&mut self, node: &T) -> Result<SortKey> {
        let tag = if len(node) > 0 { self.tag(node)? } else { String::new() };
        if tag != "asc" && tag != "desc" {
            return Ok(SortKey { expr: self.expr(node)?, descending: None, nulls_first: None });
        }
        self.width(node, 3)?;
        let expr = self.at(node, 1, Self::expr)?;
        let nulls = self.maybe(node, 2, |d, child| d.word(child, &["first", "last"]))?;
        Ok(SortKey { expr, descending: Some(tag == "desc"), nulls_first: nulls.map(|word| word == "first") })
    }

    pub(super) fn source<T: Tree>(&mut self, node: &T) -> Result<Source> {
        self.deeper(|d| d.any_source(node))
    }

    fn any_source<T: Tree>(&mut self, node: &T) -> Result<Source> {
        let tag = self.tag(node)?;
        let Some(known) = SourceTag::parse(&tag) else {
            return self.fail(format!("{tag:?} is not the tag of a source"));
        };
        match known {
            SourceTag::Table => self.table(node),
            SourceTag::Subquery => {
                self.width(node, 5)?;
                Ok(Source::Subquery {
                    statement: self.at(node, 1, Self::query)?,
                    alias: self.at(node, 2, Self::name)?,
                    lateral: self.maybe(node, 3, |d, child| d.word(child, &["lateral"]))?.is_some(),
                    columns: self.list(node, 4, Self::name)?,
                })
            }
            SourceTag::Values => Ok(Source::Values {
                rows: self.rows(node, 1)?,
                alias: self.at(node, 2, Self::name)?,
                columns: self.list(node, 3, Self::name)?,
            }),
            SourceTag::Func | SourceTag::RowsFrom => self.func(node, known == SourceTag::RowsFrom),
            SourceTag::Sample => Ok(Source::Sample {
                source: Box::new(self.at(node, 1, Self::source)?),
                method: self.at(node, 2, Self::name)?,
                args: self.list(node, 3, Self::expr)?,
                repeatable: self.maybe(node, 4, Self::expr)?,
            }),
            SourceTag::Only => Ok(Source::Only(Box::new(self.at(node, 1, Self::source)?))),
            SourceTag::Raw => {
                // The alias comes first, so that the parts can run on as everywhere else.
                let alias = self.maybe(node, 1, Self::name)?;
                Ok(Source::Raw { parts: self.parts(node, 2)?, alias })
            }
        }
    }

    /// `("table", schema, name, alias)`.
    pub(super) fn table<T: Tree>(&mut self, node: &T) -> Result<Source> {
        let tag = self.tag(node)?;
        if tag != "table" {
            return self.fail(format!("expected a table, got {tag:?}"));
        }
        self.width(node, 4)?;
        let schema = self.maybe(node, 1, Self::name)?;
        let name = self.at(node, 2, Self::name)?;
        Ok(Source::Table { path: crate::name::Path { schema, name }, alias: self.maybe(node, 3, Self::name)? })
    }

    fn func<T: Tree>(&mut self, node: &T, rows_from: bool) -> Result<Source> {
        let calls = if rows_from { self.list(node, 1, Self::expr)? } else { vec![self.at(node, 1, Self::expr)?] };
        if calls.is_empty() {
            return self.fail("expected at least one function");
        }
        let alias = self.at(node, 2, Self::name)?;
        let columns = self.list(node, 3, |d, child| -> Result<(Name, Option<TypeName>)> {
            match child.look() {
                Leaf::Node(_) => Ok((d.at(child, 0, Self::name)?, d.maybe(child, 1, Self::type_name)?)),
                _ => Ok((d.name(child)?, None)),
            }
        })?;
        let options = self.words(node, 4, &["lateral", "ordinality"])?;
        Ok(Source::Func {
            calls,
            alias,
            columns,
            rows_from,
            lateral: options.contains(&"lateral"),
            ordinality: options.contains(&"ordinality"),
        })
    }

    pub(super) fn rows<T: Tree>(&mut self, node: &T, index: usize) -> Result<Vec<Vec<Expr>>> {
        let rows = self.list(node, index, |d, row| d.each(row, 0, Self::expr))?;
        let Some(first) = rows.first() else { return self.fail("expected at least one row") };
        if first.is_empty() || rows.iter().any(|row| row.len() != first.len()) {
            return self.fail("the rows must have one width, at least 1");
        }
        Ok(rows)
    }

    pub(super) fn window<T: Tree>(&mut self, node: &T) -> Result<Window> {
        match node.look() {
            Leaf::Str(_) => Ok(Window::Named(self.name(node)?)),
            _ => Ok(Window::Spec(Box::new(self.window_spec(node)?))),
        }
    }

    fn window_spec<T: Tree>(&mut self, node: &T) -> Result<WindowSpec> {
        let tag = self.tag(node)?;
        if tag != "window" {
            return self.fail(format!("expected a window, got {tag:?}"));
        }
        self.width(node, 5)?;
        Ok(WindowSpec {
            base: self.maybe(node, 1, Self::name)?,
            partition: self.list(node, 2, Self::expr)?,
            order: self.list(node, 3, Self::sort_key)?,
            frame: self.maybe(node, 4, Self::frame)?,
        })
    }

    fn frame<T: Tree>(&mut self, node: &T) -> Result<Frame> {
        Ok(Frame {
            unit: self.at(node, 0, |d, child| d.word(child, &["rows", "range", "groups"]))?,
            start: self.at(node, 1, Self::bound)?,
            end: self.maybe(node, 2, Self::bound)?,
            exclude: self.maybe(node, 3, |d, child| d.word(child, &["current row", "group", "ties", "no others"]))?,
        })
    }

    fn bound<T: Tree>(&mut self, node: &T) -> Result<Bound> {
        if let Leaf::Str(_) = node.look() {
            return Ok(match self.word(node, &["unbounded preceding", "unbounded following", "current row"])? {
                "unbounded preceding" => Bound::UnboundedPreceding,
                "unbounded following" => Bound::UnboundedFollowing,
                _ => Bound::CurrentRow,
            });
        }
        let side = self.at(node, 0, |d, child| d.word(child, &["preceding", "following"]))?;
        let distance = self.at(node, 1, Self::expr)?;
        Ok(if side == "preceding" { Bound::Preceding(distance) } else { Bound::Following(distance) })
    }

    /// The pairs of rare clauses; only the `allowed` ones have a meaning for the statement.
    pub(super) fn extras<T: Tree>(&mut self, node: &T, index: usize, allowed: &[ExtraTag]) -> Result<Extras> {
        let mut extras = Extras::default();
        self.list(node, index, |d, pair| {
            let tag = d.tag(pair)?;
            let Some(known) = ExtraTag::parse(&tag).filter(|known| allowed.contains(known)) else {
                return d.fail(format!("{tag:?} is not a clause of this statement"));
            };
            match known {
                ExtraTag::Ctes => {
                    extras.recursive = d.maybe(pair, 1, |d, child| d.word(child, &["recursive"]))?.is_some();
                    extras.ctes = d.each(pair, 2, Self::cte)?;
                }
                ExtraTag::Distinct => extras.distinct = true,
                ExtraTag::DistinctOn => extras.distinct_on = d.each(pair, 1, Self::expr)?,
                ExtraTag::From | ExtraTag::Using => extras.from = d.each(pair, 1, Self::source)?,
                ExtraTag::Group => {
                    extras.group_distinct = d.maybe(pair, 1, |d, child| d.word(child, &["distinct"]))?.is_some();
                    extras.group = d.each(pair, 2, Self::expr)?;
                }
                ExtraTag::Having => extras.having = d.each(pair, 1, Self::expr)?,
                ExtraTag::Joins => extras.joins = d.each(pair, 1, Self::join)?,
                ExtraTag::Locking => extras.locking = d.each(pair, 1, Self::locking)?,
                ExtraTag::Overriding => {
                    extras.overriding = Some(d.at(pair, 1, |d, child| d.word(child, &["system", "user"]))?);
                }
                ExtraTag::Tag => extras.tag = Some(d.at(pair, 1, Self::comment)?),
                ExtraTag::Ties => extras.ties = true,
                ExtraTag::Windows => {
                    extras.windows = d.each(pair, 1, |d, child| {
                        Ok((d.at(child, 0, Self::name)?, d.at(child, 1, Self::window_spec)?))
                    })?;
                }
            }
            Ok(())
        })?;
        Ok(extras)
    }

    /// The text of a comment cannot end it.
    fn comment<T: Tree>(&mut self, node: &T) -> Result<String> {
        let text = self.text(node)?;
        if text.contains("*/") || text.contains("/*") { self.fail("a tag must not contain /* or */") } else { Ok(text) }
    }

    fn cte<T: Tree>(&mut self, node: &T) -> Result<Cte> {
        let name = self.at(node, 0, Self::name)?;
        let columns = self.list(node, 1, Self::name)?;
        let statement = self.at(node, 2, |d, child| match d.statement(child)? {
            Statement::Ddl(_)
            | Statement::Truncate { .. }
            | Statement::Explain { .. }
            | Statement::Copy(_)
            | Statement::Script(_)
            | Statement::Styled { .. } => d.fail("this statement cannot stand in a WITH clause"),
            statement => Ok(statement),
        })?;
        let materialized = self.maybe(node, 3, |d, child| d.word(child, &["materialized", "not materialized"]))?;
        let suffix: Vec<Part> = self.maybe(node, 4, |d, child| d.parts(child, 0))?.unwrap_or_default();
        Ok(Cte { name, columns, statement, materialized: materialized.map(|word| word == "materialized"), suffix })
    }

    fn join<T: Tree>(&mut self, node: &T) -> Result<Join> {
        let kind = self.at(node, 0, |d, child| d.word(child, &["inner", "left", "right", "full", "cross", ","]))?;
        let source = self.at(node, 1, Self::source)?;
        let on = self.maybe(node, 2, |d, child| match child.look() {
            Leaf::Str(_) => d.word(child, &["natural"]).map(|_| JoinOn::Natural),
            Leaf::Node(1..) if child.child(0).look() == Leaf::Str("using") => {
                Ok(JoinOn::Using(d.each(child, 1, Self::name)?))
            }
            _ => Ok(JoinOn::On(d.each(child, 0, Self::expr)?)),
        })?;
        let open = matches!(kind, "cross" | ",");
        match on {
            Some(on) if !open => Ok(Join { kind, source, on }),
            None if open => Ok(Join { kind, source, on: JoinOn::Nothing }),
            _ => self.fail("every join but cross has a condition"),
        }
    }

    fn locking<T: Tree>(&mut self, node: &T) -> Result<Locking> {
        Ok(Locking {
            strength: self.at(node, 0, |d, child| d.word(child, &["update", "no key update", "share", "key share"]))?,
            of: self.list(node, 1, Self::name)?,
            wait: self.maybe(node, 2, |d, child| d.word(child, &["nowait", "skip locked"]))?,
        })
    }
}
