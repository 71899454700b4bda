use super::{Decoder, Result};
use crate::statement::{Compound, Copy, Select, Statement, Tail, Values};
use crate::tags::ExtraTag;
use crate::tree::Tree;

/// The set operations.
const SETS: &[&str] = &["union", "union all", "intersect", "intersect all", "except", "except all"];

impl Decoder {
    pub(super) fn select<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 8)?;
        Ok(Statement::Select(Box::new(Select {
            source: self.maybe(node, 1, Self::source)?,
            columns: self.columns(node, 2)?,
            filter: self.list(node, 3, Self::expr)?,
            tail: self.tail(node, 4)?,
            extras: self.extras(
                node,
                7,
                &[
                    ExtraTag::Ctes,
                    ExtraTag::Distinct,
                    ExtraTag::DistinctOn,
                    ExtraTag::Group,
                    ExtraTag::Having,
                    ExtraTag::Joins,
                    ExtraTag::Locking,
                    ExtraTag::Tag,
                    ExtraTag::Ties,
                    ExtraTag::Windows,
                ],
            )?,
        })))
    }

    pub(super) fn values<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 6)?;
        Ok(Statement::Values(Box::new(Values {
            rows: self.rows(node, 1)?,
            tail: self.tail(node, 2)?,
            extras: self.extras(node, 5, &[ExtraTag::Ctes, ExtraTag::Tag, ExtraTag::Ties])?,
        })))
    }

    pub(super) fn compound<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 7)?;
        let op = self.at(node, 1, |d, child| d.word(child, SETS))?;
        let parts = self.list(node, 2, |d, child| d.query(child).map(|part| *part))?;
        if parts.len() < 2 {
            return self.fail("a set operation needs at least two queries");
        }
        Ok(Statement::Compound(Box::new(Compound {
            op,
            parts,
            tail: self.tail(node, 3)?,
            extras: self.extras(node, 6, &[ExtraTag::Ctes, ExtraTag::Tag, ExtraTag::Ties])?,
        })))
    }

    /// ORDER BY, LIMIT and OFFSET at `index` and the two places after it.
    fn tail<T: Tree>(&mut self, node: &T, index: usize) -> Result<Tail> {
        Ok(Tail {
            order: self.list(node, index, Self::sort_key)?,
            limit: self.maybe(node, index + 1, Self::expr)?,
            offset: self.maybe(node, index + 2, Self::expr)?,
        })
    }

    /// `("explain", options, statement)`.
    pub(super) fn explain<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 3)?;
        let options = self.list(node, 1, |d, child| {
            let text = d.text(child)?;
            if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ') && !text.trim().is_empty() {
                Ok(text)
            } else {
                d.fail(format!("{text:?} is not an option of EXPLAIN"))
            }
        })?;
        Ok(Statement::Explain { options, statement: Box::new(self.at(node, 2, Self::statement)?) })
    }

    /// `("copy", "in" | "out", table | statement, columns, format)`.
    pub(super) fn copy<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 5)?;
        let into = self.at(node, 1, |d, child| d.word(child, &["in", "out"]))? == "in";
        let outer = std::mem::replace(&mut self.literals, true);
        let (table, query) = self.at(node, 2, |d, child| {
            if d.tag(child)? == "table" {
                Ok((Some(d.table(child)?), None))
            } else {
                Ok((None, Some(d.statement(child)?)))
            }
        })?;
        self.literals = outer;
        if into && table.is_none() {
            return self.fail("only a table can be copied into");
        }
        Ok(Statement::Copy(Box::new(Copy {
            into,
            table,
            query,
            columns: self.list(node, 3, Self::name)?,
            format: self.at(node, 4, |d, child| d.word(child, &["binary", "csv", "text"]))?,
        })))
    }
}
