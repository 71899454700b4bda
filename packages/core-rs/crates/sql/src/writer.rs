use crate::Style;
use crate::ident;
use data_bridge_ir::{Name, Part, Path};

/// One sink for the text. It numbers parameters and never sees a value.
pub struct Writer {
    out: String,
    style: Style,
    pretty: bool,
    indent: usize,
    order: Vec<usize>,
    tables: Vec<String>,
    ctes: Vec<String>,
}

impl Writer {
    pub fn new(style: Style, pretty: bool) -> Self {
        Self { out: String::with_capacity(128), style, pretty, indent: 0, order: vec![], tables: vec![], ctes: vec![] }
    }

    pub fn finish(self) -> (String, Vec<String>, Vec<usize>) {
        (self.out, self.tables, self.order)
    }

    /// Keywords and punctuation.
    pub fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A keyword that opens a clause: on a line of its own when written for humans.
    pub fn clause(&mut self, keyword: &str) {
        self.line(' ');
        self.out.push_str(keyword);
    }

    /// A new line when written for humans, else `otherwise`.
    fn line(&mut self, otherwise: char) {
        if self.pretty {
            self.out.push('\n');
            for _ in 0..self.indent {
                self.out.push_str("  ");
            }
        } else {
            self.out.push(otherwise);
        }
    }

    /// `(…)` around a nested statement.
    pub fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push('(');
        if self.pretty {
            self.indent += 1;
            self.out.push('\n');
            for _ in 0..self.indent {
                self.out.push_str("  ");
            }
            write(self);
            self.indent -= 1;
            self.line('\n');
        } else {
            write(self);
        }
        self.out.push(')');
    }

    /// Items between commas.
    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            write(self, item);
        }
    }

    /// Like [`Self::list`], but one item per line when written for humans and there are many.
    pub fn long_list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        if !self.pretty || items.len() < 5 {
            self.out.push(' ');
            return self.list(items, write);
        }
        self.indent += 1;
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            self.line(' ');
            write(self, item);
        }
        self.indent -= 1;
    }

    /// Conditions between ANDs; `write` gets each with the knowledge whether it stands alone.
    pub fn all<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T, bool)) {
        self.indent += 1;
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.clause("AND ");
            }
            write(self, item, items.len() == 1);
        }
        self.indent -= 1;
    }

    pub fn name(&mut self, name: &Name) {
        let from = self.out.len();
        ident::quote(&mut self.out, name.as_str());
        self.percent(from);
    }

    pub fn names(&mut self, names: &[Name]) {
        self.out.push('(');
        self.list(names, Self::name);
        self.out.push(')');
    }

    pub fn path(&mut self, path: &Path) {
        if let Some(schema) = &path.schema {
            self.name(schema);
            self.out.push('.');
        }
        self.name(&path.name);
    }

    pub fn function(&mut self, path: &Path) {
        let from = self.out.len();
        if let Some(schema) = &path.schema {
            ident::function(&mut self.out, schema.as_str());
            self.out.push('.');
        }
        ident::function(&mut self.out, path.name.as_str());
        self.percent(from);
    }

    pub fn literal(&mut self, text: &str) {
        let from = self.out.len();
        ident::literal(&mut self.out, text);
        self.percent(from);
    }

    /// Trusted text.
    pub fn raw(&mut self, text: &str) {
        let from = self.out.len();
        self.out.push_str(text);
        self.percent(from);
    }

    pub fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(text) => self.raw(text),
                Part::Node(node) => self.expr(node),
            }
        }
    }

    pub fn param(&mut self, slot: usize) {
        self.order.push(slot);
        let number = slot + 1;
        match self.style {
            Style::Numeric => self.out.push_str(&format!("${number}")),
            Style::Format => self.out.push_str("%s"),
            Style::Pyformat => self.out.push_str(&format!("%(p{number})s")),
            Style::Named => self.out.push_str(&format!(":p{number}")),
        }
    }

    /// Drivers with `%s` read a doubled `%` as one.
    fn percent(&mut self, from: usize) {
        if matches!(self.style, Style::Format | Style::Pyformat) && self.out[from..].contains('%') {
            let doubled = self.out[from..].replace('%', "%%");
            self.out.truncate(from);
            self.out.push_str(&doubled);
        }
    }

    /// An operator or other text of our own that may contain `%`.
    pub fn operator(&mut self, text: &str) {
        self.raw(text);
    }

    /// Remembers a table the statement names.
    pub fn saw(&mut self, path: &Path) {
        let name = path.name.as_str();
        let cte = path.schema.is_none() && self.ctes.iter().any(|cte| cte == name);
        if !cte && !self.tables.iter().any(|table| table == name) {
            self.tables.push(name.to_owned());
        }
    }

    /// Names that are no tables.
    pub fn saw_cte(&mut self, name: &Name) {
        self.ctes.push(name.as_str().to_owned());
    }
}
