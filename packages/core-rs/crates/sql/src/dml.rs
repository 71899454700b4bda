use crate::writer::Writer;
use data_bridge_ir::{
    Assignment, Conflict, ConflictTarget, Copy, Delete, Insert, Merge, MergeAction, Rows, Source, Update,
};

impl Writer {
    pub fn insert(&mut self, insert: &Insert) {
        self.head(&insert.extras);
        self.put("INSERT INTO ");
        self.source(&insert.table);
        if !insert.columns.is_empty() {
            self.put(" ");
            self.names(&insert.columns);
        }
        if let Some(who) = insert.extras.overriding {
            self.put(if who == "system" { " OVERRIDING SYSTEM VALUE" } else { " OVERRIDING USER VALUE" });
        }
        match &insert.rows {
            Rows::Defaults => self.clause("DEFAULT VALUES"),
            Rows::Params { first, count, width } => {
                self.clause("VALUES ");
                for row in 0..*count {
                    self.put(if row > 0 { ", (" } else { "(" });
                    for column in 0..*width {
                        self.put(if column > 0 { ", " } else { "" });
                        self.param(first + row * width + column);
                    }
                    self.put(")");
                }
            }
            Rows::Values(rows) => {
                self.clause("VALUES ");
                self.rows(rows);
            }
            Rows::Unnest(types) => {
                self.clause("SELECT * FROM unnest(");
                self.list(types, |w, (slot, type_name)| {
                    w.param(*slot);
                    w.put("::");
                    w.raw(type_name.as_str());
                    w.put("[]");
                });
                self.put(")");
            }
            Rows::Query(query) => {
                self.clause("");
                self.statement(query);
            }
        }
        if let Some(conflict) = &insert.conflict {
            self.conflict(conflict);
        }
        self.returning(&insert.returning);
    }

    fn conflict(&mut self, conflict: &Conflict) {
        self.clause("ON CONFLICT");
        match &conflict.target {
            None => {}
            Some(ConflictTarget::Constraint(name)) => {
                self.put(" ON CONSTRAINT ");
                self.name(name);
            }
            Some(ConflictTarget::Columns(columns, filter)) => {
                self.put(" (");
                self.list(columns, Self::index_key);
                self.put(")");
                if !filter.is_empty() {
                    self.put(" WHERE ");
                    self.conditions(filter);
                }
            }
        }
        match &conflict.update {
            None => self.put(" DO NOTHING"),
            Some((assignments, filter)) => {
                self.put(" DO UPDATE SET ");
                self.assignments(assignments);
                if !filter.is_empty() {
                    self.put(" WHERE ");
                    self.conditions(filter);
                }
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        self.list(assignments, |w, assignment| {
            match assignment.columns.as_slice() {
                [name] => w.name(name),
                names => w.names(names),
            }
            for step in &assignment.path {
                w.put("[");
                w.expr(step);
                w.put("]");
            }
            w.put(" = ");
            w.expr(&assignment.value);
        });
    }

    pub fn update(&mut self, update: &Update) {
        self.head(&update.extras);
        self.put("UPDATE ");
        self.source(&update.table);
        self.clause("SET ");
        self.assignments(&update.assignments);
        self.from("FROM ", &update.extras.from, &update.extras);
        self.filter("WHERE ", &update.filter);
        self.returning(&update.returning);
    }

    pub fn delete(&mut self, delete: &Delete) {
        self.head(&delete.extras);
        self.put("DELETE FROM ");
        self.source(&delete.table);
        self.from("USING ", &delete.extras.from, &delete.extras);
        self.filter("WHERE ", &delete.filter);
        self.returning(&delete.returning);
    }

    pub fn merge(&mut self, merge: &Merge) {
        self.head(&merge.extras);
        self.put("MERGE INTO ");
        self.source(&merge.table);
        self.clause("USING ");
        self.source(&merge.source);
        self.put(" ON ");
        self.conditions(&merge.on);
        for when in &merge.whens {
            self.clause("WHEN ");
            self.put(&when.kind.to_uppercase());
            if let Some(condition) = &when.condition {
                self.put(" AND ");
                self.conditions(std::slice::from_ref(condition));
            }
            self.put(" THEN ");
            match &when.action {
                MergeAction::Nothing => self.put("DO NOTHING"),
                MergeAction::Delete => self.put("DELETE"),
                MergeAction::Update(assignments) => {
                    self.put("UPDATE SET ");
                    self.assignments(assignments);
                }
                MergeAction::Insert { columns, values } => {
                    self.put("INSERT");
                    if !columns.is_empty() {
                        self.put(" ");
                        self.names(columns);
                    }
                    match values {
                        None => self.put(" DEFAULT VALUES"),
                        Some(values) => {
                            self.put(" VALUES ");
                            self.rows(std::slice::from_ref(values));
                        }
                    }
                }
            }
        }
        self.returning(&merge.returning);
    }

    pub fn truncate(&mut self, tables: &[Source], restart: Option<bool>, cascade: bool) {
        self.put("TRUNCATE ");
        self.list(tables, Self::source);
        self.put(match restart {
            None => "",
            Some(true) => " RESTART IDENTITY",
            Some(false) => " CONTINUE IDENTITY",
        });
        self.put(if cascade { " CASCADE" } else { "" });
    }

    pub fn copy(&mut self, copy: &Copy) {
        self.put("COPY ");
        match (&copy.table, &copy.query) {
            (Some(table), _) => {
                self.source(table);
                if !copy.columns.is_empty() {
                    self.put(" ");
                    self.names(&copy.columns);
                }
            }
            (None, Some(query)) => self.subquery(query),
            (None, None) => {}
        }
        self.put(if copy.into { " FROM STDIN" } else { " TO STDOUT" });
        self.put(&format!(" (FORMAT {})", copy.format));
    }
}
