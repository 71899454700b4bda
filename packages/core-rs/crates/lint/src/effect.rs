//! What a statement locks, and who waits for it (manual, "Explicit Locking"; checked against `pg_locks` by tests).

use crate::change::{Action, Change, Kind};
use crate::name::Name;
use crate::schema::Schema;
use crate::types::Cost;
use crate::volatile::volatile;

/// Table locks from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Lock {
    /// As PostgreSQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Lock::AccessShare => "ACCESS SHARE",
            Lock::RowShare => "ROW SHARE",
            Lock::RowExclusive => "ROW EXCLUSIVE",
            Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Lock::Share => "SHARE",
            Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Lock::Exclusive => "EXCLUSIVE",
            Lock::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who waits while it is held.
    pub fn blocks(self) -> &'static str {
        match self {
            Lock::AccessShare | Lock::RowShare | Lock::RowExclusive => "no reads or writes",
            Lock::ShareUpdateExclusive => "no reads or writes; other schema changes and VACUUM",
            Lock::Share | Lock::ShareRowExclusive => "writers",
            Lock::Exclusive => "writers and SELECT … FOR UPDATE",
            Lock::AccessExclusive => "readers and writers",
        }
    }

    fn read(text: &str) -> Lock {
        [
            Lock::AccessShare,
            Lock::RowShare,
            Lock::RowExclusive,
            Lock::ShareUpdateExclusive,
            Lock::ShareRowExclusive,
            Lock::Share,
            Lock::Exclusive,
        ]
        .into_iter()
        .find(|l| l.name() == text)
        .unwrap_or(Lock::AccessExclusive)
    }
}

/// What a statement does to relations.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// Each relation with its lock.
    pub locks: Vec<(Name, Lock)>,
    /// Relations that are rewritten.
    pub rewrites: Vec<Name>,
    /// Relations that are read from end to end while the lock is held.
    pub scans: Vec<Name>,
}

impl Effect {
    fn lock(&mut self, name: &Name, lock: Lock) {
        self.locks.push((name.clone(), lock));
    }
}

/// The lock of one action of ALTER TABLE on the table itself.
pub fn action_lock(action: &Action) -> Lock {
    match action {
        Action::Validate(_) | Action::Settings | Action::Attach(_) => Lock::ShareUpdateExclusive,
        Action::Detach { concurrently: true, .. } => Lock::ShareUpdateExclusive,
        Action::Add(c) if matches!(c.kind, Kind::Foreign { .. }) => Lock::ShareRowExclusive,
        Action::Trigger => Lock::ShareRowExclusive,
        _ => Lock::AccessExclusive,
    }
}

/// The effect of a change on a schema as it is before it.
pub fn effect(change: &Change, schema: &Schema) -> Effect {
    let mut e = Effect::default();
    match change {
        Change::AlterTable { table, actions } => {
            let lock = actions.iter().map(|(a, _)| action_lock(a)).max().unwrap_or(Lock::AccessExclusive);
            e.lock(table, lock);
            for (action, _) in actions {
                of_action(&mut e, table, action, schema);
            }
        }
        Change::CreateTable(table) => {
            let inline = table.columns.iter().flat_map(|c| &c.constraints);
            for constraint in table.constraints.iter().chain(inline) {
                if let Kind::Foreign { table: target, .. } = &constraint.kind
                    && *target != table.name
                {
                    e.lock(target, Lock::ShareRowExclusive);
                }
            }
            if let Some(parent) = &table.partition_of {
                e.lock(parent, Lock::AccessExclusive);
            }
        }
        Change::CreateIndex(index) => {
            e.lock(&index.table, if index.concurrently { Lock::ShareUpdateExclusive } else { Lock::Share });
            e.scans.push(index.table.clone());
        }
        Change::DropIndex { names, concurrently, .. } => {
            let lock = if *concurrently { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
            for name in names {
                let table = schema.indexes.iter().find(|i| i.name == name.name).map_or(name, |i| &i.table);
                e.lock(table, lock);
            }
        }
        Change::Drop { object, names, on, .. } => {
            use crate::change::Object as O;
            if matches!(object, O::Table | O::View | O::MaterializedView) {
                names.iter().for_each(|n| e.lock(n, Lock::AccessExclusive));
            }
            for name in names.iter().filter(|_| *object == O::Table) {
                for constraint in schema.tables.get(name).iter().flat_map(|t| &t.constraints) {
                    if let Kind::Foreign { table, .. } = &constraint.kind
                        && table != name
                    {
                        e.lock(table, Lock::AccessExclusive);
                    }
                }
            }
            on.iter().for_each(|n| e.lock(n, Lock::AccessExclusive));
        }
        Change::Rename { object, name, .. } => {
            use crate::change::Object as O;
            if matches!(object, O::View | O::MaterializedView | O::Table) {
                e.lock(name, Lock::AccessExclusive);
            }
        }
        Change::Reindex { name, concurrently, what } => {
            let Some(name) = name else { return e };
            if matches!(*what, "index" | "table") {
                let table = schema.indexes.iter().find(|i| i.name == name.name).map_or(name, |i| &i.table);
                e.lock(table, if *concurrently { Lock::ShareUpdateExclusive } else { Lock::Share });
                e.scans.push(table.clone());
            }
        }
        Change::Refresh { view, concurrently, .. } => {
            e.lock(view, if *concurrently { Lock::Exclusive } else { Lock::AccessExclusive });
        }
        Change::VacuumFull(Some(table)) | Change::Cluster(Some(table)) => {
            e.lock(table, Lock::AccessExclusive);
            e.rewrites.push(table.clone());
        }
        Change::CreateTrigger { table } => e.lock(table, Lock::ShareRowExclusive),
        Change::Comment(name) => e.lock(name, Lock::ShareUpdateExclusive),
        Change::Policy { table, .. } => e.lock(table, Lock::AccessExclusive),
        Change::Truncate { tables, .. } => tables.iter().for_each(|t| e.lock(t, Lock::AccessExclusive)),
        Change::Update { table, .. } | Change::Delete { table, .. } | Change::Insert { table, .. } => {
            e.lock(table, Lock::RowExclusive);
        }
        Change::Lock { tables, mode } => tables.iter().for_each(|t| e.lock(t, Lock::read(mode))),
        Change::Do { inner, .. } => {
            for (change, ..) in inner {
                let other = effect(change, schema);
                e.locks.extend(other.locks);
                e.rewrites.extend(other.rewrites);
                e.scans.extend(other.scans);
            }
        }
        _ => {}
    }
    e
}

fn of_action(e: &mut Effect, table: &Name, action: &Action, schema: &Schema) {
    let mut foreign = |constraint: &crate::change::Constraint| {
        if let Kind::Foreign { table: target, .. } = &constraint.kind
            && target != table
        {
            e.locks.push((target.clone(), Lock::ShareRowExclusive));
        }
    };
    match action {
        Action::Add(constraint) => {
            foreign(constraint);
            if !constraint.not_valid && constraint.using_index.is_none() {
                e.scans.push(table.clone());
            }
        }
        Action::AddColumn { column, .. } => {
            column.constraints.iter().for_each(&mut foreign);
            let written = column.default.as_ref().is_some_and(|d| volatile(d, schema))
                || column.identity
                || column.ty.serial()
                || (column.generated.is_some() && column.stored);
            if written {
                e.rewrites.push(table.clone());
            }
        }
        Action::SetType { column, ty, using } => {
            let old = schema.column(table, column).cloned().unwrap_or_default();
            if using.is_some() || ty.cost_from(&old) != Cost::Free {
                e.rewrites.push(table.clone());
            }
        }
        Action::Rewrite(_) => e.rewrites.push(table.clone()),
        Action::SetNotNull(_) | Action::Validate(_) => e.scans.push(table.clone()),
        Action::Attach(child) => {
            e.lock(child, Lock::AccessExclusive);
            e.scans.push(child.clone());
        }
        Action::Detach { child, concurrently } => {
            e.lock(child, if *concurrently { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive });
        }
        Action::DropConstraint { name, .. } => {
            let known =
                schema.tables.get(table).and_then(|t| t.constraints.iter().find(|c| c.name.as_ref() == Some(name)));
            if let Some(Kind::Foreign { table: target, .. }) = known.map(|c| &c.kind) {
                e.lock(&target.clone(), Lock::AccessExclusive);
            }
        }
        _ => {}
    }
}
