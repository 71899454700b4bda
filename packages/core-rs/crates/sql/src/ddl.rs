use crate::writer::Writer;
use data_bridge_ir::{CreateIndex, Ddl};

impl Writer {
    pub fn ddl(&mut self, ddl: &Ddl) {
        match ddl {
            Ddl::CreateTable(table) => {
                self.saw(&table.path);
                self.create_table(table);
            }
            Ddl::AlterTable { table, actions, options } => {
                self.saw(table);
                self.alter_table(table, actions, options);
            }
            Ddl::CreateIndex(index) => self.create_index(index),
            Ddl::Drop { kind, names, options } => {
                let has = |option: &str| options.contains(&option);
                self.put(&format!("DROP {} ", kind.to_uppercase()));
                self.put(if has("concurrently") { "CONCURRENTLY " } else { "" });
                self.put(if has("if exists") { "IF EXISTS " } else { "" });
                self.list(names, Self::path);
                self.put(if has("cascade") { " CASCADE" } else { "" });
            }
            Ddl::Rename { kind, path, to } => {
                self.put(&format!("ALTER {} ", kind.to_uppercase()));
                self.path(path);
                self.put(" RENAME TO ");
                self.name(to);
            }
            Ddl::SetSchema { kind, path, to } => {
                self.put(&format!("ALTER {} ", kind.to_uppercase()));
                self.path(path);
                self.put(" SET SCHEMA ");
                self.name(to);
            }
            Ddl::CreateEnum { path, values } => {
                self.put("CREATE TYPE ");
                self.path(path);
                self.put(" AS ENUM (");
                self.list(values, |w, value| w.literal(value));
                self.put(")");
            }
            Ddl::AddEnumValue { path, value, place, options } => {
                self.put("ALTER TYPE ");
                self.path(path);
                self.put(if options.is_empty() { " ADD VALUE " } else { " ADD VALUE IF NOT EXISTS " });
                self.literal(value);
                if let Some((side, neighbour)) = place {
                    self.put(&format!(" {} ", side.to_uppercase()));
                    self.literal(neighbour);
                }
            }
            Ddl::RenameEnumValue { path, from, to } => {
                self.put("ALTER TYPE ");
                self.path(path);
                self.put(" RENAME VALUE ");
                self.literal(from);
                self.put(" TO ");
                self.literal(to);
            }
            Ddl::CreateSequence { path, options, settings } => {
                self.put(if options.is_empty() { "CREATE SEQUENCE " } else { "CREATE SEQUENCE IF NOT EXISTS " });
                self.path(path);
                self.put(if settings.is_empty() { "" } else { " " });
                self.settings(settings);
            }
            Ddl::AlterSequence { path, settings } => {
                self.put("ALTER SEQUENCE ");
                self.path(path);
                self.put(" ");
                self.settings(settings);
            }
            Ddl::Comment { kind, path, of, text } => {
                self.put(&format!("COMMENT ON {} ", kind.to_uppercase()));
                match of {
                    Some(name) if *kind != "column" => {
                        self.name(name);
                        self.put(" ON ");
                        self.path(path);
                    }
                    Some(name) => {
                        self.path(path);
                        self.put(".");
                        self.name(name);
                    }
                    None => self.path(path),
                }
                self.put(" IS ");
                match text {
                    Some(text) => self.literal(text),
                    None => self.put("NULL"),
                }
            }
            Ddl::CreateExtension { name, schema, version, options } => {
                let has = |option: &str| options.contains(&option);
                self.put("CREATE EXTENSION ");
                self.put(if has("if not exists") { "IF NOT EXISTS " } else { "" });
                self.name(name);
                if let Some(schema) = schema {
                    self.put(" SCHEMA ");
                    self.name(schema);
                }
                if let Some(version) = version {
                    self.put(" VERSION ");
                    self.literal(version);
                }
                self.put(if has("cascade") { " CASCADE" } else { "" });
            }
            Ddl::CreateSchema { name, options } => {
                self.put(if options.is_empty() { "CREATE SCHEMA " } else { "CREATE SCHEMA IF NOT EXISTS " });
                self.name(name);
            }
            Ddl::CreateView { path, columns, statement, options } => {
                let has = |option: &str| options.contains(&option);
                self.put("CREATE ");
                self.put(if has("or replace") { "OR REPLACE " } else { "" });
                self.put(if has("temporary") { "TEMPORARY " } else { "" });
                self.put(if has("materialized") { "MATERIALIZED " } else { "" });
                self.put("VIEW ");
                self.put(if has("if not exists") { "IF NOT EXISTS " } else { "" });
                self.path(path);
                if !columns.is_empty() {
                    self.put(" ");
                    self.names(columns);
                }
                self.put(match (has("security barrier"), has("security invoker")) {
                    (true, true) => " WITH (security_barrier = true, security_invoker = true)",
                    (true, false) => " WITH (security_barrier = true)",
                    (false, true) => " WITH (security_invoker = true)",
                    (false, false) => "",
                });
                self.put(" AS ");
                self.statement(statement);
                self.put(if has("local check option") { " WITH LOCAL CHECK OPTION" } else { "" });
                self.put(if has("cascaded check option") { " WITH CASCADED CHECK OPTION" } else { "" });
                self.put(if has("with no data") { " WITH NO DATA" } else { "" });
            }
            Ddl::CreateDomain { path, base, default, not_null, checks } => {
                self.put("CREATE DOMAIN ");
                self.path(path);
                self.put(" AS ");
                self.raw(base.as_str());
                if let Some(default) = default {
                    self.put(" DEFAULT ");
                    self.default(default);
                }
                self.put(if *not_null { " NOT NULL" } else { "" });
                for (name, check) in checks {
                    if let Some(name) = name {
                        self.put(" CONSTRAINT ");
                        self.name(name);
                    }
                    self.put(" CHECK (");
                    self.expr(check);
                    self.put(")");
                }
            }
        }
    }

    fn create_index(&mut self, index: &CreateIndex) {
        let has = |option: &str| index.options.contains(&option);
        self.saw(&index.table);
        self.put(if has("unique") { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        self.put(if has("concurrently") { "CONCURRENTLY " } else { "" });
        self.put(if has("if not exists") { "IF NOT EXISTS " } else { "" });
        if let Some(name) = &index.name {
            self.name(name);
            self.put(" ");
        }
        self.put(if has("only") { "ON ONLY " } else { "ON " });
        self.path(&index.table);
        if let Some(method) = &index.method {
            self.put(" USING ");
            self.name(method);
        }
        self.put(" (");
        self.list(&index.elements, Self::index_element);
        self.put(")");
        if !index.include.is_empty() {
            self.put(" INCLUDE ");
            self.names(&index.include);
        }
        self.put(if has("nulls not distinct") { " NULLS NOT DISTINCT" } else { "" });
        self.storage(&index.with);
        if let Some(filter) = &index.filter {
            self.put(" WHERE ");
            self.expr(filter);
        }
    }
}
