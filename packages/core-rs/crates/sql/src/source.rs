use crate::writer::Writer;
use data_bridge_ir::{Join, JoinOn, Name, Source};

impl Writer {
    pub fn source(&mut self, source: &Source) {
        match source {
            Source::Table { path, alias } => {
                self.saw(path);
                self.path(path);
                self.alias(alias.as_ref());
            }
            Source::Subquery { statement, alias, lateral, columns } => {
                self.lateral(*lateral);
                self.subquery(statement);
                self.alias(Some(alias));
                self.column_aliases(columns);
            }
            Source::Values { rows, alias, columns } => {
                self.put("(VALUES ");
                self.rows(rows);
                self.put(")");
                self.alias(Some(alias));
                self.column_aliases(columns);
            }
            Source::Func { calls, alias, columns, rows_from, lateral, ordinality } => {
                self.lateral(*lateral);
                self.put(if *rows_from { "ROWS FROM (" } else { "" });
                self.list(calls, Self::expr);
                self.put(if *rows_from { ")" } else { "" });
                if *ordinality {
                    self.put(" WITH ORDINALITY");
                }
                self.alias(Some(alias));
                if !columns.is_empty() {
                    self.put(" (");
                    self.list(columns, |w, (name, type_name)| {
                        w.name(name);
                        if let Some(type_name) = type_name {
                            w.put(" ");
                            w.raw(type_name.as_str());
                        }
                    });
                    self.put(")");
                }
            }
            Source::Sample { source, method, args, repeatable } => {
                self.source(source);
                self.put(" TABLESAMPLE ");
                self.function(&data_bridge_ir::Path { schema: None, name: method.clone() });
                self.put(" (");
                self.list(args, Self::expr);
                self.put(")");
                if let Some(seed) = repeatable {
                    self.put(" REPEATABLE (");
                    self.expr(seed);
                    self.put(")");
                }
            }
            Source::Only(source) => {
                self.put("ONLY ");
                self.source(source);
            }
            Source::Raw { parts, alias } => {
                self.parts(parts);
                self.alias(alias.as_ref());
            }
        }
    }

    fn lateral(&mut self, lateral: bool) {
        self.put(if lateral { "LATERAL " } else { "" });
    }

    fn alias(&mut self, alias: Option<&Name>) {
        if let Some(alias) = alias {
            self.put(" AS ");
            self.name(alias);
        }
    }

    fn column_aliases(&mut self, columns: &[Name]) {
        if !columns.is_empty() {
            self.put(" ");
            self.names(columns);
        }
    }

    pub fn joins(&mut self, joins: &[Join]) {
        for join in joins {
            if join.kind == "," {
                self.put(", ");
                self.source(&join.source);
                continue;
            }
            self.clause(if join.on == JoinOn::Natural { "NATURAL " } else { "" });
            self.put(match join.kind {
                "left" => "LEFT JOIN ",
                "right" => "RIGHT JOIN ",
                "full" => "FULL JOIN ",
                "cross" => "CROSS JOIN ",
                _ => "JOIN ",
            });
            self.source(&join.source);
            match &join.on {
                JoinOn::Nothing | JoinOn::Natural => {}
                JoinOn::On(conditions) => {
                    self.put(" ON ");
                    if conditions.is_empty() { self.put("TRUE") } else { self.conditions(conditions) }
                }
                JoinOn::Using(columns) => {
                    self.put(" USING ");
                    self.names(columns);
                }
            }
        }
    }
}
