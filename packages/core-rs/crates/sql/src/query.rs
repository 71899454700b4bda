use crate::writer::Writer;
use data_bridge_ir::{Bound, Compound, Expr, Extras, Frame, Select, Source, Statement, Tail, Values, WindowSpec};

impl Writer {
    pub fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Select(select) => self.select(select),
            Statement::Values(values) => self.values(values),
            Statement::Compound(compound) => self.compound(compound),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            Statement::Raw(parts) => self.parts(parts),
            Statement::Truncate { tables, restart, cascade } => self.truncate(tables, *restart, *cascade),
            Statement::Explain { options, statement } => {
                self.put("EXPLAIN ");
                if !options.is_empty() {
                    self.put(&format!("({}) ", options.join(", ").to_uppercase()));
                }
                self.statement(statement);
            }
            Statement::Copy(copy) => self.copy(copy),
            Statement::Ddl(ddl) => self.ddl(ddl),
            Statement::Styled { statement, .. } => self.statement(statement),
            Statement::Script(statements) => {
                for (i, statement) in statements.iter().enumerate() {
                    self.put(if i > 0 { ";\n" } else { "" });
                    self.statement(statement);
                }
            }
        }
    }

    /// The comment and the WITH clause in front of a statement.
    pub fn head(&mut self, extras: &Extras) {
        if let Some(tag) = &extras.tag {
            self.put("/* ");
            self.raw(tag);
            self.put(" */ ");
        }
        if extras.ctes.is_empty() {
            return;
        }
        extras.ctes.iter().for_each(|cte| self.saw_cte(&cte.name));
        self.put(if extras.recursive { "WITH RECURSIVE " } else { "WITH " });
        self.list(&extras.ctes, |w, cte| {
            w.name(&cte.name);
            if !cte.columns.is_empty() {
                w.put(" ");
                w.names(&cte.columns);
            }
            w.put(match cte.materialized {
                None => " AS ",
                Some(true) => " AS MATERIALIZED ",
                Some(false) => " AS NOT MATERIALIZED ",
            });
            w.subquery(&cte.statement);
            if !cte.suffix.is_empty() {
                w.put(" ");
                w.parts(&cte.suffix);
            }
        });
        self.clause("");
    }

    fn select(&mut self, select: &Select) {
        let extras = &select.extras;
        self.head(extras);
        self.put("SELECT");
        if extras.distinct {
            self.put(" DISTINCT");
        } else if !extras.distinct_on.is_empty() {
            self.put(" DISTINCT ON (");
            self.list(&extras.distinct_on, Self::expr);
            self.put(")");
        }
        if !select.columns.is_empty() {
            self.long_list(&select.columns, Self::expr);
        }
        if let Some(source) = &select.source {
            self.clause("FROM ");
            self.source(source);
            self.joins(&extras.joins);
        }
        self.filter("WHERE ", &select.filter);
        if !extras.group.is_empty() {
            self.clause("GROUP BY ");
            if extras.group_distinct {
                self.put("DISTINCT ");
            }
            self.list(&extras.group, Self::group_item);
        }
        self.filter("HAVING ", &extras.having);
        if !extras.windows.is_empty() {
            self.clause("WINDOW ");
            self.list(&extras.windows, |w, (name, spec)| {
                w.name(name);
                w.put(" AS ");
                w.window(spec);
            });
        }
        self.tail(&select.tail, extras);
    }

    pub fn filter(&mut self, keyword: &str, conditions: &[Expr]) {
        if !conditions.is_empty() {
            self.clause(keyword);
            self.conditions(conditions);
        }
    }

    fn values(&mut self, values: &Values) {
        self.head(&values.extras);
        self.put("VALUES ");
        self.rows(&values.rows);
        self.tail(&values.tail, &values.extras);
    }

    pub fn rows(&mut self, rows: &[Vec<Expr>]) {
        self.list(rows, |w, row| {
            w.put("(");
            w.list(row, Self::expr);
            w.put(")");
        });
    }

    fn compound(&mut self, compound: &Compound) {
        self.head(&compound.extras);
        let op = compound.op.to_uppercase();
        for (i, part) in compound.parts.iter().enumerate() {
            if i > 0 {
                self.clause(&op);
                self.clause("");
            }
            if stands_bare(part) { self.statement(part) } else { self.subquery(part) }
        }
        self.tail(&compound.tail, &compound.extras);
    }

    fn tail(&mut self, tail: &Tail, extras: &Extras) {
        if !tail.order.is_empty() {
            self.clause("ORDER BY ");
            self.list(&tail.order, Self::sort_key);
        }
        // FETCH FIRST stands behind OFFSET in the standard; PostgreSQL takes both orders.
        if let Some(limit) = &tail.limit {
            if extras.ties {
                self.clause("FETCH FIRST ");
                self.index_or_param(limit);
                self.put(" ROWS WITH TIES");
            } else {
                self.clause("LIMIT ");
                self.expr(limit);
            }
        }
        if let Some(offset) = &tail.offset {
            self.clause("OFFSET ");
            self.expr(offset);
        }
        for locking in &extras.locking {
            self.clause("FOR ");
            self.put(&locking.strength.to_uppercase());
            if !locking.of.is_empty() {
                self.put(" OF ");
                self.list(&locking.of, Self::name);
            }
            if let Some(wait) = locking.wait {
                self.put(" ");
                self.put(&wait.to_uppercase());
            }
        }
    }

    /// FETCH FIRST takes a parameter or a parenthesised expression.
    fn index_or_param(&mut self, expr: &Expr) {
        let bare = matches!(expr, Expr::Param { cast: None, .. });
        self.put(if bare { "" } else { "(" });
        self.expr(expr);
        self.put(if bare { "" } else { ")" });
    }

    pub fn window(&mut self, spec: &WindowSpec) {
        self.put("(");
        let mut space = "";
        if let Some(base) = &spec.base {
            self.name(base);
            space = " ";
        }
        if !spec.partition.is_empty() {
            self.put(space);
            self.put("PARTITION BY ");
            self.list(&spec.partition, Self::expr);
            space = " ";
        }
        if !spec.order.is_empty() {
            self.put(space);
            self.put("ORDER BY ");
            self.list(&spec.order, Self::sort_key);
            space = " ";
        }
        if let Some(frame) = &spec.frame {
            self.put(space);
            self.frame(frame);
        }
        self.put(")");
    }

    fn frame(&mut self, frame: &Frame) {
        self.put(&frame.unit.to_uppercase());
        self.put(" ");
        match &frame.end {
            None => self.bound(&frame.start),
            Some(end) => {
                self.put("BETWEEN ");
                self.bound(&frame.start);
                self.put(" AND ");
                self.bound(end);
            }
        }
        if let Some(exclude) = frame.exclude {
            self.put(" EXCLUDE ");
            self.put(&exclude.to_uppercase());
        }
    }

    fn bound(&mut self, bound: &Bound) {
        match bound {
            Bound::UnboundedPreceding => self.put("UNBOUNDED PRECEDING"),
            Bound::UnboundedFollowing => self.put("UNBOUNDED FOLLOWING"),
            Bound::CurrentRow => self.put("CURRENT ROW"),
            Bound::Preceding(distance) => {
                self.plain(distance);
                self.put(" PRECEDING");
            }
            Bound::Following(distance) => {
                self.plain(distance);
                self.put(" FOLLOWING");
            }
        }
    }

    pub fn returning(&mut self, columns: &[Expr]) {
        if !columns.is_empty() {
            self.clause("RETURNING");
            self.long_list(columns, Self::expr);
        }
    }

    /// FROM of an UPDATE, USING of a DELETE.
    pub fn from(&mut self, keyword: &str, sources: &[Source], extras: &Extras) {
        if !sources.is_empty() {
            self.clause(keyword);
            self.list(sources, Self::source);
            self.joins(&extras.joins);
        }
    }
}

/// A part of a set operation that needs no parentheses.
fn stands_bare(part: &Statement) -> bool {
    let bare = |tail: &Tail, extras: &Extras| {
        tail.order.is_empty()
            && tail.limit.is_none()
            && tail.offset.is_none()
            && extras.ctes.is_empty()
            && extras.locking.is_empty()
    };
    match part {
        Statement::Select(select) => bare(&select.tail, &select.extras),
        Statement::Values(values) => bare(&values.tail, &values.extras),
        _ => false,
    }
}
