//! What earlier statements made: the linter's memory of the schema.

use crate::change::{Action, Change, Column, Constraint, Index, Kind, Object, Table};
use crate::name::Name;
use crate::types::Type;
use std::collections::{HashMap, HashSet};

/// A table as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub columns: HashMap<String, Type>,
    pub constraints: Vec<Constraint>,
    pub generated: Vec<String>,
    pub policies: Vec<String>,
    pub partitioned: bool,
    pub temporary: bool,
    /// Whether its columns may be more than those known.
    pub open: bool,
}

/// An index as far as it is known.
#[derive(Clone, Debug)]
pub struct KnownIndex {
    pub name: String,
    pub table: Name,
    pub columns: Vec<Option<String>>,
    pub unique: bool,
    pub method: String,
    pub comparable: bool,
}

/// A view: its text and the tables it reads.
#[derive(Clone, Debug)]
pub struct KnownView {
    pub text: String,
    pub tables: Vec<Name>,
    pub materialized: bool,
    pub empty: bool,
}

/// Everything known.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub tables: HashMap<Name, Known>,
    pub indexes: Vec<KnownIndex>,
    pub views: HashMap<Name, KnownView>,
    pub enums: HashMap<Name, Vec<String>>,
    pub immutable: HashSet<String>,
}

/// The name that PostgreSQL gives: `table_column_suffix`, cut as it cuts.
pub fn default_name(table: &str, columns: &[String], suffix: &str) -> String {
    let (mut first, mut second) = (table.to_owned(), columns.join("_"));
    let room = 63 - suffix.len() - 1 - usize::from(!second.is_empty());
    while first.len() + second.len() > room {
        let longer = if first.len() > second.len() { &mut first } else { &mut second };
        longer.pop();
    }
    [first, second, suffix.to_owned()].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("_")
}

/// The name of a constraint, given or made.
pub fn constraint_name(table: &Name, c: &Constraint) -> String {
    if let Some(name) = &c.name {
        return name.clone();
    }
    let (columns, suffix) = match c.kind {
        Kind::Primary => (&[][..], "pkey"),
        Kind::Unique => (&c.columns[..], "key"),
        Kind::Foreign { .. } => (&c.columns[..], "fkey"),
        Kind::Exclude => (&c.columns[..], "excl"),
        Kind::NotNull => (&c.columns[..], "not_null"),
        Kind::Check => (&c.columns[..], "check"),
    };
    default_name(&table.name, columns, suffix)
}

impl Schema {
    /// Takes a change over.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateTable(table) => self.create(table),
            Change::AlterTable { table, actions } => {
                let mut name = table.clone();
                for (action, _) in actions {
                    name = self.alter(&name, action);
                }
            }
            Change::CreateIndex(index) => self.index(index),
            Change::DropIndex { names, .. } => {
                self.indexes.retain(|i| !names.iter().any(|n| n.name == i.name));
            }
            Change::Drop { object, names, .. } => self.drop(*object, names),
            Change::Rename { object, name, to } => self.rename(*object, name, to),
            Change::CreateEnum { name, values } => {
                self.enums.insert(name.clone(), values.clone());
            }
            Change::AddValue { name, value, .. } => {
                if let Some(values) = self.enums.get_mut(name) {
                    values.push(value.clone());
                }
            }
            Change::CreateView { name, materialized, text, tables, no_data } => {
                let view = KnownView {
                    text: text.to_lowercase(),
                    tables: tables.clone(),
                    materialized: *materialized,
                    empty: *no_data,
                };
                self.views.insert(name.clone(), view);
            }
            Change::CreateFunction { name, volatile } => {
                if *volatile {
                    self.immutable.remove(&name.name);
                } else {
                    self.immutable.insert(name.name.clone());
                }
            }
            Change::Policy { table, text } => {
                if let Some(known) = self.tables.get_mut(table) {
                    known.policies.push(text.to_lowercase());
                }
            }
            Change::Do { inner, .. } => {
                for (change, ..) in inner {
                    self.apply(change);
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, table: &Table) {
        if table.if_not_exists && self.tables.contains_key(&table.name) {
            return;
        }
        let known =
            Known { partitioned: table.partitioned, temporary: table.temporary, open: table.open, ..Known::default() };
        self.tables.insert(table.name.clone(), known);
        for column in &table.columns {
            self.add_column(&table.name, column);
        }
        for constraint in &table.constraints {
            self.add_constraint(&table.name, constraint);
        }
    }

    fn add_column(&mut self, table: &Name, column: &Column) {
        let known = self.tables.entry(table.clone()).or_insert_with(|| Known { open: true, ..Known::default() });
        known.columns.insert(column.name.clone(), column.ty.stored());
        if let Some(expr) = &column.generated {
            known.generated.push(expr.text.to_lowercase());
        }
        for constraint in &column.constraints {
            self.add_constraint(table, constraint);
        }
    }

    fn add_constraint(&mut self, table: &Name, constraint: &Constraint) {
        let mut named = constraint.clone();
        named.name = Some(constraint_name(table, constraint));
        if matches!(named.kind, Kind::Unique | Kind::Primary) {
            if let Some(index) = &named.using_index {
                if let Some(known) = self.indexes.iter_mut().find(|i| i.name == index.name) {
                    named.columns = known.columns.iter().flatten().cloned().collect();
                    known.name = named.name.clone().unwrap_or_default();
                }
            } else {
                self.indexes.push(KnownIndex {
                    name: named.name.clone().unwrap_or_default(),
                    table: table.clone(),
                    columns: named.columns.iter().cloned().map(Some).collect(),
                    unique: true,
                    method: "btree".to_owned(),
                    comparable: true,
                });
            }
        }
        let known = self.tables.entry(table.clone()).or_insert_with(|| Known { open: true, ..Known::default() });
        known.constraints.push(named);
    }

    fn alter(&mut self, table: &Name, action: &Action) -> Name {
        match action {
            Action::AddColumn { column, if_not_exists } => {
                let exists = self.tables.get(table).is_some_and(|t| t.columns.contains_key(&column.name));
                if !(*if_not_exists && exists) {
                    self.add_column(table, column);
                }
            }
            Action::Add(constraint) => self.add_constraint(table, constraint),
            Action::RenameTable(to) => {
                self.rename(Object::Table, table, to);
                return Name { schema: table.schema.clone(), name: to.clone() };
            }
            Action::SetSchema(to) => {
                let moved = Name::read(&format!("\"{to}\".\"{}\"", table.name));
                self.move_table(table, &moved);
                return moved;
            }
            Action::DropColumn { name, .. } => {
                self.indexes.retain(|i| i.table != *table || !i.columns.contains(&Some(name.clone())));
            }
            Action::DropConstraint { name, .. } => self.indexes.retain(|i| i.table != *table || i.name != *name),
            Action::RenameColumn { from, to } => {
                for index in self.indexes.iter_mut().filter(|i| i.table == *table) {
                    index.columns.iter_mut().filter(|c| c.as_ref() == Some(from)).for_each(|c| *c = Some(to.clone()));
                }
            }
            _ => {}
        }
        if let Some(known) = self.tables.get_mut(table) {
            alter_known(known, action);
        }
        table.clone()
    }

    fn index(&mut self, index: &Index) {
        let columns: Vec<String> =
            index.columns.iter().map(|c| c.clone().unwrap_or_else(|| "expr".to_owned())).collect();
        let name =
            index.name.as_ref().map_or_else(|| default_name(&index.table.name, &columns, "idx"), |n| n.name.clone());
        if index.if_not_exists && self.indexes.iter().any(|i| i.name == name) {
            return;
        }
        self.indexes.push(KnownIndex {
            name,
            table: index.table.clone(),
            columns: index.columns.clone(),
            unique: index.unique,
            method: index.method.clone(),
            comparable: index.plain && !index.partial && index.columns.iter().all(Option::is_some),
        });
    }

    fn drop(&mut self, object: Object, names: &[Name]) {
        for name in names {
            match object {
                Object::Table => self.forget_table(name),
                Object::View | Object::MaterializedView => {
                    self.views.remove(name);
                    self.indexes.retain(|i| i.table != *name);
                    self.forget_readers(name);
                }
                Object::Type => {
                    self.enums.remove(name);
                }
                Object::Schema => {
                    let schema = Some(name.name.clone());
                    let gone: Vec<Name> = self.tables.keys().filter(|t| t.schema == schema).cloned().collect();
                    gone.iter().for_each(|t| self.forget_table(t));
                    self.views.retain(|v, _| v.schema != schema);
                    self.enums.retain(|e, _| e.schema != schema);
                }
                _ => {}
            }
        }
    }

    fn forget_table(&mut self, name: &Name) {
        self.tables.remove(name);
        self.indexes.retain(|i| i.table != *name);
        self.forget_readers(name);
        for known in self.tables.values_mut() {
            known.constraints.retain(|c| !matches!(&c.kind, Kind::Foreign { table, .. } if table == name));
        }
    }

    /// DROP … CASCADE takes the views along; without it PostgreSQL would have refused.
    fn forget_readers(&mut self, name: &Name) {
        let gone: Vec<Name> =
            self.views.iter().filter(|(_, v)| v.tables.contains(name)).map(|(n, _)| n.clone()).collect();
        for view in &gone {
            self.views.remove(view);
            self.indexes.retain(|i| i.table != *view);
        }
        gone.iter().for_each(|view| self.forget_readers(view));
    }

    fn move_table(&mut self, from: &Name, to: &Name) {
        if let Some(known) = self.tables.remove(from) {
            self.tables.insert(to.clone(), known);
        }
        self.indexes.iter_mut().filter(|i| i.table == *from).for_each(|i| i.table = to.clone());
        for known in self.tables.values_mut() {
            for c in &mut known.constraints {
                if let Kind::Foreign { table, .. } = &mut c.kind
                    && table == from
                {
                    *table = to.clone();
                }
            }
        }
        for view in self.views.values_mut() {
            view.tables.iter_mut().filter(|t| *t == from).for_each(|t| *t = to.clone());
        }
    }

    fn rename(&mut self, object: Object, name: &Name, to: &str) {
        let new = Name { schema: name.schema.clone(), name: to.to_owned() };
        match object {
            Object::Table => self.move_table(name, &new),
            Object::View | Object::MaterializedView => {
                if let Some(view) = self.views.remove(name) {
                    self.views.insert(new, view);
                }
            }
            Object::Type => {
                if let Some(values) = self.enums.remove(name) {
                    self.enums.insert(new, values);
                }
            }
            Object::Index => {
                self.indexes.iter_mut().filter(|i| i.name == name.name).for_each(|i| i.name = to.to_owned());
            }
            _ => {}
        }
    }

    /// The type of a column, where it is known.
    pub fn column(&self, table: &Name, column: &str) -> Option<&Type> {
        self.tables.get(table)?.columns.get(column)
    }

    /// Views, generated columns and policies that a column's type is part of.
    pub fn dependents(&self, table: &Name, column: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .views
            .iter()
            .filter(|(_, v)| v.tables.contains(table) && reads(v, table, column))
            .map(|(name, v)| format!("{} {name}", if v.materialized { "materialized view" } else { "view" }))
            .collect();
        if let Some(known) = self.tables.get(table) {
            found.extend(
                known.generated.iter().filter(|g| mentions(g, column)).map(|g| format!("generated column {g}")),
            );
            found.extend(known.policies.iter().filter(|p| mentions(p, column)).map(|_| "a policy".to_owned()));
        }
        found.sort();
        found
    }
}

fn alter_known(known: &mut Known, action: &Action) {
    match action {
        Action::DropColumn { name, .. } => {
            known.columns.remove(name);
            known.constraints.retain(|c| !c.columns.contains(name));
        }
        Action::RenameColumn { from, to } => {
            if let Some(ty) = known.columns.remove(from) {
                known.columns.insert(to.clone(), ty);
            }
            for constraint in &mut known.constraints {
                constraint.columns.iter_mut().filter(|c| *c == from).for_each(|c| c.clone_from(to));
            }
        }
        Action::SetType { column, ty, .. } => {
            known.columns.insert(column.clone(), ty.clone());
        }
        Action::DropConstraint { name, .. } => known.constraints.retain(|c| c.name.as_ref() != Some(name)),
        Action::RenameConstraint { from, to } => {
            known
                .constraints
                .iter_mut()
                .filter(|c| c.name.as_ref() == Some(from))
                .for_each(|c| c.name = Some(to.clone()));
        }
        Action::Validate(name) => {
            known.constraints.iter_mut().filter(|c| c.name.as_ref() == Some(name)).for_each(|c| c.not_valid = false);
        }
        _ => {}
    }
}

/// Whether a view reads a column: by the table's name or alias before it, or bare when there is no other table.
fn reads(view: &KnownView, table: &Name, column: &str) -> bool {
    let words: Vec<&str> =
        view.text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    let mut names = vec![table.name.as_str()];
    for (i, word) in words.iter().enumerate() {
        if *word == table.name {
            let next = if words.get(i + 1) == Some(&"as") { i + 2 } else { i + 1 };
            names.extend(words.get(next));
        }
    }
    let column = column.to_lowercase();
    if names.iter().any(|n| mentions(&view.text, &format!("{n}.{column}"))) {
        return true;
    }
    let alone = view.tables.iter().all(|t| t == table);
    alone && mentions(&view.text, &column)
}

/// Whether a text has a word.
pub fn mentions(text: &str, word: &str) -> bool {
    let word = word.to_lowercase();
    text.match_indices(&word).any(|(at, _)| {
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(text[..at].chars().next_back()) && !inside(text[at + word.len()..].chars().next())
    })
}
