use super::{Decoder, Result, describe};
use crate::ddl::{
    Action, Column, ColumnOption, Constraint, ConstraintKind, CreateIndex, CreateTable, Ddl, Element, IndexElement,
    Literal, References, Setting,
};
use crate::name::{Name, Path};
use crate::tags::{ActionTag, ElementTag, StatementTag};
use crate::tree::{Leaf, Tree};

/// What DROP, RENAME, SET SCHEMA and COMMENT speak of.
const KINDS: &[&str] = &[
    "table",
    "view",
    "materialized view",
    "index",
    "sequence",
    "type",
    "domain",
    "schema",
    "extension",
    "function",
    "procedure",
    "column",
    "constraint",
    "trigger",
    "policy",
];
/// Options of DROP.
const DROP: &[&str] = &["if exists", "cascade", "concurrently"];
const IF_NOT_EXISTS: &[&str] = &["if not exists"];
const REFERENTIAL: &[&str] = &["no action", "restrict", "cascade", "set null", "set default"];

impl Decoder {
    pub(super) fn ddl<T: Tree>(&mut self, tag: StatementTag, node: &T) -> Result<Ddl> {
        Ok(match tag {
            StatementTag::CreateTable => Ddl::CreateTable(self.create_table(node)?),
            StatementTag::AlterTable => {
                let table = self.at(node, 1, Self::path)?;
                let actions = self.list(node, 2, Self::action)?;
                self.check_actions(&actions)?;
                Ddl::AlterTable { table, actions, options: self.words(node, 3, &["if exists"])? }
            }
            StatementTag::CreateIndex => Ddl::CreateIndex(self.create_index(node)?),
            StatementTag::Drop => {
                let kind = self.at(node, 1, |d, child| d.word(child, &KINDS[..11]))?;
                let names = self.list(node, 2, Self::path)?;
                if names.is_empty() {
                    return self.fail("expected at least one name");
                }
                let options = self.words(node, 3, DROP)?;
                if options.contains(&"concurrently") && (kind != "index" || names.len() > 1) {
                    return self.fail("only one index can be dropped concurrently");
                }
                Ddl::Drop { kind, names, options }
            }
            StatementTag::Rename => Ddl::Rename {
                kind: self.at(node, 1, |d, child| d.word(child, &KINDS[..8]))?,
                path: self.at(node, 2, Self::path)?,
                to: self.at(node, 3, Self::name)?,
            },
            StatementTag::SetSchema => Ddl::SetSchema {
                kind: self.at(node, 1, |d, child| {
                    d.word(child, &["table", "view", "materialized view", "sequence", "type", "domain", "extension"])
                })?,
                path: self.at(node, 2, Self::path)?,
                to: self.at(node, 3, Self::name)?,
            },
            StatementTag::CreateEnum => {
                Ddl::CreateEnum { path: self.at(node, 1, Self::path)?, values: self.list(node, 2, Self::text)? }
            }
            StatementTag::AddEnumValue => Ddl::AddEnumValue {
                path: self.at(node, 1, Self::path)?,
                value: self.at(node, 2, Self::text)?,
                place: self.maybe(node, 3, |d, child| {
                    Ok((d.at(child, 0, |d, word| d.word(word, &["before", "after"]))?, d.at(child, 1, Self::text)?))
                })?,
                options: self.words(node, 4, IF_NOT_EXISTS)?,
            },
            StatementTag::RenameEnumValue => Ddl::RenameEnumValue {
                path: self.at(node, 1, Self::path)?,
                from: self.at(node, 2, Self::text)?,
                to: self.at(node, 3, Self::text)?,
            },
            StatementTag::CreateSequence => Ddl::CreateSequence {
                path: self.at(node, 1, Self::path)?,
                options: self.words(node, 2, IF_NOT_EXISTS)?,
                settings: self.list(node, 3, Self::setting)?,
            },
            StatementTag::AlterSequence => {
                Ddl::AlterSequence { path: self.at(node, 1, Self::path)?, settings: self.list(node, 2, Self::setting)? }
            }
            StatementTag::Comment => self.comment_on(node)?,
            StatementTag::CreateExtension => Ddl::CreateExtension {
                name: self.at(node, 1, Self::name)?,
                options: self.words(node, 2, &["if not exists", "cascade"])?,
                schema: self.maybe(node, 3, Self::name)?,
                version: self.maybe(node, 4, Self::text)?,
            },
            StatementTag::CreateSchema => {
                Ddl::CreateSchema { name: self.at(node, 1, Self::name)?, options: self.words(node, 2, IF_NOT_EXISTS)? }
            }
            StatementTag::CreateView => Ddl::CreateView {
                path: self.at(node, 1, Self::path)?,
                columns: self.list(node, 2, Self::name)?,
                statement: self.at(node, 3, Self::query)?,
                options: self.words(
                    node,
                    4,
                    &[
                        "or replace",
                        "materialized",
                        "if not exists",
                        "with no data",
                        "temporary",
                        "security barrier",
                        "security invoker",
                        "local check option",
                        "cascaded check option",
                    ],
                )?,
            },
            StatementTag::CreateDomain => Ddl::CreateDomain {
                path: self.at(node, 1, Self::path)?,
                base: self.at(node, 2, Self::type_name)?,
                default: self.maybe(node, 3, Self::expr)?,
                not_null: self.maybe(node, 4, |d, child| d.word(child, &["not null"]))?.is_some(),
                checks: self
                    .list(node, 5, |d, child| Ok((d.maybe(child, 0, Self::name)?, d.at(child, 1, Self::expr)?)))?,
            },
            _ => return self.fail(format!("{:?} is not a DDL statement", tag.text())),
        })
    }

    /// `("create_table", path, elements, options, extras)`.
    fn create_table<T: Tree>(&mut self, node: &T) -> Result<CreateTable> {
        self.width(node, 5)?;
        let mut table = CreateTable {
            path: self.at(node, 1, Self::path)?,
            elements: self.list(node, 2, Self::element)?,
            options: self.words(node, 3, &["if not exists", "temporary", "unlogged"])?,
            partition_by: None,
            inherits: Vec::new(),
            with: Vec::new(),
            tablespace: None,
        };
        self.list(node, 4, |d, pair| {
            match d.tag(pair)?.as_str() {
                "inherits" => table.inherits = d.each(pair, 1, Self::path)?,
                "partition_by" => {
                    let kind = d.at(pair, 1, |d, child| d.word(child, &["range", "list", "hash"]))?;
                    table.partition_by = Some((kind, d.each(pair, 2, Self::expr)?));
                }
                "tablespace" => table.tablespace = Some(d.at(pair, 1, Self::name)?),
                "with" => table.with = d.each(pair, 1, Self::storage)?,
                tag => return d.fail(format!("{tag:?} is not a clause of CREATE TABLE")),
            }
            Ok(())
        })?;
        Ok(table)
    }

    fn storage<T: Tree>(&mut self, node: &T) -> Result<(Name, Literal)> {
        let value = self.at(node, 1, |d, child| match child.look() {
            Leaf::Int(number) => Ok(Literal::Int(number)),
            Leaf::Str(_) => d.text(child).map(Literal::Text),
            _ => d.fail(format!("expected a string or an int, got {}", describe(child))),
        })?;
        Ok((self.at(node, 0, Self::name)?, value))
    }

    fn element<T: Tree>(&mut self, node: &T) -> Result<Element> {
        let tag = self.tag(node)?;
        let Some(known) = ElementTag::parse(&tag) else {
            return self.fail(format!("{tag:?} is not the tag of a column or constraint"));
        };
        let kind = match known {
            ElementTag::Column => {
                return Ok(Element::Column(Column {
                    name: self.at(node, 1, Self::name)?,
                    type_name: self.at(node, 2, Self::type_name)?,
                    options: self.each(node, 3, Self::column_option)?,
                }));
            }
            ElementTag::ColumnSql => {
                let name = self.at(node, 1, Self::name)?;
                return Ok(Element::ColumnSql { name, definition: self.at(node, 2, Self::text)? });
            }
            ElementTag::Sql => return Ok(Element::Sql(self.at(node, 1, Self::text)?)),
            ElementTag::PrimaryKey => {
                ConstraintKind::PrimaryKey { columns: self.names(node, 2)?, include: self.list(node, 4, Self::name)? }
            }
            ElementTag::Unique => {
                ConstraintKind::Unique { columns: self.names(node, 2)?, include: self.list(node, 4, Self::name)? }
            }
            ElementTag::Check => ConstraintKind::Check(self.at(node, 2, Self::expr)?),
            ElementTag::ForeignKey => ConstraintKind::ForeignKey {
                columns: self.names(node, 2)?,
                references: self.at(node, 4, Self::references)?,
            },
            ElementTag::Exclude => ConstraintKind::Exclude {
                method: self.at(node, 4, Self::name)?,
                elements: self.list(node, 2, |d, child| {
                    let element = d.at(child, 0, Self::index_element)?;
                    let op = d.at(child, 1, |d, op| {
                        let text = d.text(op)?;
                        let ok = !text.is_empty() && text.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c));
                        if ok && !text.contains("--") && !text.contains("/*") {
                            Ok(text)
                        } else {
                            d.fail("not an operator")
                        }
                    })?;
                    Ok((element, op))
                })?,
                filter: self.maybe(node, 5, Self::expr)?,
            },
        };
        let allowed = ["deferrable", "initially deferred", "not valid", "nulls not distinct", "no inherit"];
        Ok(Element::Constraint(Constraint {
            name: self.maybe(node, 1, Self::name)?,
            kind,
            options: self.words(node, 3, &allowed)?,
        }))
    }

    fn names<T: Tree>(&mut self, node: &T, index: usize) -> Result<Vec<Name>> {
        let names = self.list(node, index, Self::name)?;
        if names.is_empty() { self.fail("expected at least one column") } else { Ok(names) }
    }

    /// `(path, columns, on_delete, on_update)`.
    fn references<T: Tree>(&mut self, node: &T) -> Result<References> {
        Ok(References {
            table: self.at(node, 0, Self::path)?,
            columns: self.list(node, 1, Self::name)?,
            on_delete: self.maybe(node, 2, |d, child| d.word(child, REFERENTIAL))?,
            on_update: self.maybe(node, 3, |d, child| d.word(child, REFERENTIAL))?,
        })
    }

    fn column_option<T: Tree>(&mut self, node: &T) -> Result<ColumnOption> {
        if let Leaf::Str(_) = node.look() {
            return Ok(match self.word(node, &["not null", "null", "primary key", "unique"])? {
                "not null" => ColumnOption::NotNull,
                "null" => ColumnOption::Null,
                "unique" => ColumnOption::Unique,
                _ => ColumnOption::PrimaryKey,
            });
        }
        let tag = self.tag(node)?;
        Ok(match tag.as_str() {
            "default" => ColumnOption::Default(self.at(node, 1, Self::expr)?),
            "identity" => ColumnOption::Identity {
                always: self.at(node, 1, |d, child| d.word(child, &["always", "by default"]))? == "always",
                settings: self.list(node, 2, Self::setting)?,
            },
            "generated" => ColumnOption::Generated {
                expr: self.at(node, 1, Self::expr)?,
                stored: self.maybe(node, 2, |d, child| d.word(child, &["stored", "virtual"]))? != Some("virtual"),
            },
            "collate" => ColumnOption::Collate(self.at(node, 1, Self::path)?),
            "check" => {
                ColumnOption::Check { name: self.maybe(node, 1, Self::name)?, expr: self.at(node, 2, Self::expr)? }
            }
            "references" => ColumnOption::References(Box::new(self.at(node, 1, Self::references)?)),
            _ => return self.fail(format!("{tag:?} is not an option of a column")),
        })
    }

    fn setting<T: Tree>(&mut self, node: &T) -> Result<Setting> {
        if let Leaf::Str(_) = node.look() {
            let flags = ["cycle", "no cycle", "no minvalue", "no maxvalue", "restart", "owned by none"];
            return Ok(match self.word(node, &flags)? {
                "owned by none" => Setting::OwnedBy(None),
                flag => Setting::Flag(flag),
            });
        }
        let numbers = ["start with", "increment by", "minvalue", "maxvalue", "cache", "restart with"];
        let tag = self.tag(node)?;
        Ok(match tag.as_str() {
            "as" => Setting::As(self.at(node, 1, Self::type_name)?),
            "owned by" => Setting::OwnedBy(Some((self.at(node, 1, Self::path)?, self.at(node, 2, Self::name)?))),
            _ => match numbers.iter().find(|word| **word == tag) {
                Some(word) => Setting::Number(word, self.at(node, 1, Self::int)?),
                None => return self.fail(format!("{tag:?} is not a setting of a sequence")),
            },
        })
    }

    /// `("create_index", name, path, elements, options, extras)`.
    fn create_index<T: Tree>(&mut self, node: &T) -> Result<CreateIndex> {
        self.width(node, 6)?;
        let mut index = CreateIndex {
            name: self.maybe(node, 1, Self::name)?,
            table: self.at(node, 2, Self::path)?,
            elements: self.list(node, 3, Self::index_element)?,
            options: self.words(node, 4, &["unique", "concurrently", "if not exists", "nulls not distinct", "only"])?,
            method: None,
            include: Vec::new(),
            filter: None,
            with: Vec::new(),
        };
        if index.elements.is_empty() {
            return self.fail("expected at least one column");
        }
        self.list(node, 5, |d, pair| {
            match d.tag(pair)?.as_str() {
                "include" => index.include = d.each(pair, 1, Self::name)?,
                "method" => index.method = Some(d.at(pair, 1, Self::name)?),
                "where" => index.filter = Some(d.at(pair, 1, Self::expr)?),
                "with" => index.with = d.each(pair, 1, Self::storage)?,
                tag => return d.fail(format!("{tag:?} is not a clause of CREATE INDEX")),
            }
            Ok(())
        })?;
        Ok(index)
    }

    /// `(sort key, opclass, collation)`.
    fn index_element<T: Tree>(&mut self, node: &T) -> Result<IndexElement> {
        Ok(IndexElement {
            key: self.at(node, 0, Self::sort_key)?,
            opclass: self.maybe(node, 1, Self::path)?,
            collation: self.maybe(node, 2, Self::path)?,
        })
    }

    /// `("comment", kind, path, name of the part of a table, text)`.
    fn comment_on<T: Tree>(&mut self, node: &T) -> Result<Ddl> {
        let kind = self.at(node, 1, |d, child| d.word(child, KINDS))?;
        let path: Path = self.at(node, 2, Self::path)?;
        let of = self.maybe(node, 3, Self::name)?;
        if of.is_some() != matches!(kind, "column" | "constraint" | "trigger" | "policy") {
            return self.fail("what is a part of a table is named together with its table, and nothing else is");
        }
        Ok(Ddl::Comment { kind, path, of, text: self.maybe(node, 4, Self::text)? })
    }

    fn action<T: Tree>(&mut self, node: &T) -> Result<Action> {
        let tag = self.tag(node)?;
        let Some(known) = ActionTag::parse(&tag) else {
            return self.fail(format!("{tag:?} is not an action of ALTER TABLE"));
        };
        Ok(match known {
            ActionTag::AddColumn => {
                let column = self.at(node, 1, |d, child| match d.element(child)? {
                    column @ (Element::Column(_) | Element::ColumnSql { .. }) => Ok(column),
                    _ => d.fail("expected a column"),
                })?;
                Action::AddColumn { column, options: self.words(node, 2, IF_NOT_EXISTS)? }
            }
            ActionTag::DropColumn => {
                Action::DropColumn { name: self.at(node, 1, Self::name)?, options: self.words(node, 2, &DROP[..2])? }
            }
            ActionTag::RenameColumn => {
                Action::RenameColumn { name: self.at(node, 1, Self::name)?, to: self.at(node, 2, Self::name)? }
            }
            ActionTag::SetType => Action::SetType {
                name: self.at(node, 1, Self::name)?,
                to: self.at(node, 2, Self::type_name)?,
                using: self.maybe(node, 3, Self::expr)?,
                collation: self.maybe(node, 4, Self::path)?,
            },
            ActionTag::SetDefault => {
                Action::SetDefault { name: self.at(node, 1, Self::name)?, value: self.at(node, 2, Self::expr)? }
            }
            ActionTag::DropDefault => Action::DropDefault(self.at(node, 1, Self::name)?),
            ActionTag::SetNotNull => Action::SetNotNull(self.at(node, 1, Self::name)?),
            ActionTag::DropNotNull => Action::DropNotNull(self.at(node, 1, Self::name)?),
            ActionTag::AddIdentity => Action::AddIdentity {
                name: self.at(node, 1, Self::name)?,
                always: self.at(node, 2, |d, child| d.word(child, &["always", "by default"]))? == "always",
            },
            ActionTag::DropIdentity => {
                Action::DropIdentity { name: self.at(node, 1, Self::name)?, options: self.words(node, 2, &DROP[..1])? }
            }
            ActionTag::DropExpression => Action::DropExpression(self.at(node, 1, Self::name)?),
            ActionTag::AddConstraint => {
                Action::AddConstraint(self.at(node, 1, |d, child| match d.element(child)? {
                    constraint @ (Element::Constraint(_) | Element::Sql(_)) => Ok(constraint),
                    _ => d.fail("expected a constraint"),
                })?)
            }
            ActionTag::DropConstraint => Action::DropConstraint {
                name: self.at(node, 1, Self::name)?,
                options: self.words(node, 2, &DROP[..2])?,
            },
            ActionTag::RenameConstraint => {
                Action::RenameConstraint { name: self.at(node, 1, Self::name)?, to: self.at(node, 2, Self::name)? }
            }
            ActionTag::ValidateConstraint => Action::ValidateConstraint(self.at(node, 1, Self::name)?),
            ActionTag::AddUsingIndex => Action::AddUsingIndex {
                name: self.at(node, 1, Self::name)?,
                kind: self.at(node, 2, |d, child| d.word(child, &["primary key", "unique"]))?,
                index: self.at(node, 3, Self::name)?,
            },
            ActionTag::Sql => Action::Sql(self.at(node, 1, Self::text)?),
        })
    }

    fn check_actions(&self, actions: &[Action]) -> Result<()> {
        let alone = |action: &Action| matches!(action, Action::RenameColumn { .. } | Action::RenameConstraint { .. });
        if actions.is_empty() {
            self.fail("expected at least one action")
        } else if actions.len() > 1 && actions.iter().any(alone) {
            self.fail("a rename stands alone in its ALTER TABLE")
        } else {
            Ok(())
        }
    }
}
