use super::{Decoder, Result, len};
use crate::statement::{
    Assignment, Conflict, ConflictTarget, Delete, Insert, Merge, MergeAction, MergeWhen, Rows, Statement, Update,
};
use crate::tags::ExtraTag;
use crate::tree::{Leaf, Tree};

/// A statement with more parameters cannot be sent: the protocol counts them in 16 bits.
const MAX_PARAMS: usize = 65_535;

impl Decoder {
    pub(super) fn insert<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 7)?;
        let table = self.at(node, 1, Self::table)?;
        let columns = self.list(node, 2, Self::name)?;
        let rows = self.insert_rows(node, columns.len())?;
        Ok(Statement::Insert(Box::new(Insert {
            table,
            columns,
            rows,
            conflict: self.maybe(node, 4, Self::conflict)?,
            returning: self.columns(node, 5)?,
            extras: self.extras(node, 6, &[ExtraTag::Ctes, ExtraTag::Overriding, ExtraTag::Tag])?,
        })))
    }

    /// None: defaults · "$": one row of parameters · ("rows", n) · ("values", row…) · ("unnest", type…) · ("query", s).
    fn insert_rows<T: Tree>(&mut self, node: &T, width: usize) -> Result<Rows> {
        let rows = self.maybe(node, 3, |d, child| {
            if child.look() == Leaf::Str("$") {
                return d.param_rows(1, width);
            }
            let tag = d.tag(child)?;
            match tag.as_str() {
                "rows" => {
                    let count = d.at(child, 1, Self::int)?;
                    match usize::try_from(count) {
                        Ok(count) if count > 0 => d.param_rows(count, width),
                        _ => d.fail("expected at least one row"),
                    }
                }
                "values" => {
                    let rows = d.each(child, 1, |d, row| d.each(row, 0, Self::expr))?;
                    if rows.is_empty() || rows.iter().any(|row| row.len() != width) {
                        return d.fail(format!("every row must have the width of the columns, {width}"));
                    }
                    Ok(Rows::Values(rows))
                }
                "unnest" => {
                    let types = d.each(child, 1, |d, item| Ok((d.slot()?, d.type_name(item)?)))?;
                    if types.is_empty() || types.len() != width {
                        return d.fail(format!("expected one type per column, {width}"));
                    }
                    Ok(Rows::Unnest(types))
                }
                "query" => Ok(Rows::Query(d.at(child, 1, Self::query)?)),
                _ => d.fail(format!("{tag:?} is not the tag of rows")),
            }
        })?;
        Ok(rows.unwrap_or(Rows::Defaults))
    }

    fn param_rows(&mut self, count: usize, width: usize) -> Result<Rows> {
        if self.literals {
            return self.fail("a statement of this kind takes no parameters");
        }
        let first = self.slots;
        match count.checked_mul(width) {
            Some(0) => self.fail("expected at least one column"),
            Some(cells) if cells + first <= MAX_PARAMS => {
                self.slots += cells;
                Ok(Rows::Params { first, count, width })
            }
            _ => self.fail(format!("more than {MAX_PARAMS} parameters: use the unnest form")),
        }
    }

    /// `("conflict", target, "nothing" | ("update", assignments, where))`.
    fn conflict<T: Tree>(&mut self, node: &T) -> Result<Conflict> {
        let tag = self.tag(node)?;
        if tag != "conflict" {
            return self.fail(format!("expected a conflict, got {tag:?}"));
        }
        self.width(node, 3)?;
        let target = self.maybe(node, 1, |d, child| {
            let tag = d.tag(child)?;
            match tag.as_str() {
                "columns" => Ok(ConflictTarget::Columns(d.list(child, 1, Self::expr)?, d.list(child, 2, Self::expr)?)),
                "constraint" => Ok(ConflictTarget::Constraint(d.at(child, 1, Self::name)?)),
                _ => d.fail(format!("{tag:?} is not the target of a conflict")),
            }
        })?;
        let update = self.at(node, 2, |d, child| match child.look() {
            Leaf::Str(_) => d.word(child, &["nothing"]).map(|_| None),
            _ => {
                d.at(child, 0, |d, tag| d.word(tag, &["update"]))?;
                Ok(Some((d.assignments(child, 1)?, d.list(child, 2, Self::expr)?)))
            }
        })?;
        if update.is_some() && target.is_none() {
            return self.fail("ON CONFLICT DO UPDATE needs a target");
        }
        Ok(Conflict { target, update })
    }

    /// `(name, expr)`, `((name, …), row)` or `(name, expr, (subscript, …))`.
    pub(super) fn assignments<T: Tree>(&mut self, node: &T, index: usize) -> Result<Vec<Assignment>> {
        let assignments = self.list(node, index, |d, child| {
            d.width(child, 3)?;
            let columns = d.at(child, 0, |d, names| match names.look() {
                Leaf::Node(1..) => d.each(names, 0, Self::name),
                _ => d.name(names).map(|name| vec![name]),
            })?;
            // The value comes first: parameters are numbered in tuple order, not in the order of the text.
            let value = d.at(child, 1, Self::expr)?;
            Ok(Assignment { columns, path: d.list(child, 2, Self::expr)?, value })
        })?;
        if assignments.is_empty() { self.fail("expected at least one assignment") } else { Ok(assignments) }
    }

    pub(super) fn update<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 6)?;
        Ok(Statement::Update(Box::new(Update {
            table: self.at(node, 1, Self::table)?,
            assignments: self.assignments(node, 2)?,
            filter: self.list(node, 3, Self::expr)?,
            returning: self.columns(node, 4)?,
            extras: self.extras(node, 5, &[ExtraTag::Ctes, ExtraTag::From, ExtraTag::Joins, ExtraTag::Tag])?,
        })))
    }

    pub(super) fn delete<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 5)?;
        Ok(Statement::Delete(Box::new(Delete {
            table: self.at(node, 1, Self::table)?,
            filter: self.list(node, 2, Self::expr)?,
            returning: self.columns(node, 3)?,
            extras: self.extras(node, 4, &[ExtraTag::Ctes, ExtraTag::Using, ExtraTag::Joins, ExtraTag::Tag])?,
        })))
    }

    pub(super) fn merge<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 7)?;
        let table = self.at(node, 1, Self::table)?;
        let source = self.at(node, 2, Self::source)?;
        let on = self.list(node, 3, Self::expr)?;
        let whens = self.list(node, 4, Self::merge_when)?;
        if on.is_empty() || whens.is_empty() {
            return self.fail("a merge needs a condition and at least one when");
        }
        Ok(Statement::Merge(Box::new(Merge {
            table,
            source,
            on,
            whens,
            returning: self.columns(node, 5)?,
            extras: self.extras(node, 6, &[ExtraTag::Ctes, ExtraTag::Tag])?,
        })))
    }

    fn merge_when<T: Tree>(&mut self, node: &T) -> Result<MergeWhen> {
        let kind = self.at(node, 0, |d, child| d.word(child, &["matched", "not matched", "not matched by source"]))?;
        let condition = self.maybe(node, 1, Self::expr)?;
        let action = self.at(node, 2, |d, child| {
            if let Leaf::Str(_) = child.look() {
                return Ok(match d.word(child, &["nothing", "delete"])? {
                    "delete" => MergeAction::Delete,
                    _ => MergeAction::Nothing,
                });
            }
            match d.at(child, 0, |d, tag| d.word(tag, &["update", "insert"]))? {
                "update" => Ok(MergeAction::Update(d.assignments(child, 1)?)),
                _ => {
                    let columns = d.list(child, 1, Self::name)?;
                    let values = d.maybe(child, 2, |d, row| d.each(row, 0, Self::expr))?;
                    if values
                        .as_ref()
                        .is_some_and(|row| row.is_empty() || (!columns.is_empty() && row.len() != columns.len()))
                    {
                        return d.fail("one value per column");
                    }
                    Ok(MergeAction::Insert { columns, values })
                }
            }
        })?;
        let insert = matches!(action, MergeAction::Insert { .. });
        let write = matches!(action, MergeAction::Update(_) | MergeAction::Delete);
        if (insert && kind != "not matched") || (write && kind == "not matched") {
            return self.fail(format!("this action is not possible when {kind}"));
        }
        Ok(MergeWhen { kind, condition, action })
    }

    /// `("truncate", tables, "restart" | "continue" | None, "cascade" | None)`.
    pub(super) fn truncate<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        self.width(node, 4)?;
        if len(node) > 1 && len(&node.child(1)) == 0 {
            return self.fail("expected at least one table");
        }
        Ok(Statement::Truncate {
            tables: self.list(node, 1, Self::table)?,
            restart: self.maybe(node, 2, |d, child| d.word(child, &["restart", "continue"]))?.map(|w| w == "restart"),
            cascade: self.maybe(node, 3, |d, child| d.word(child, &["cascade"]))?.is_some(),
        })
    }
}
