//! Expressions. Precedence decides the parentheses, so redundant ones are absent.

use crate::ident::BARE;
use crate::writer::Writer;
use data_bridge_ir::{Call, Constant, Expr, Grouping, Literal, Operator, Sign, SortKey, Statement, Window};

/// PostgreSQL's precedence table, loosest first.
mod level {
    pub const LOOSE: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const IS: u8 = 4;
    pub const COMPARE: u8 = 5;
    pub const LIKE: u8 = 6;
    pub const OTHER: u8 = 7;
    pub const ADD: u8 = 8;
    pub const MULTIPLY: u8 = 9;
    pub const POWER: u8 = 10;
    pub const AT: u8 = 11;
    pub const COLLATE: u8 = 12;
    pub const SIGN: u8 = 13;
    pub const CAST: u8 = 15;
    pub const PRIMARY: u8 = 16;
}

/// How an operator is spelled and how tightly it binds.
fn operator(op: Operator) -> (&'static str, u8) {
    use level::{ADD, AT, COMPARE, IS, LIKE, MULTIPLY, OTHER, POWER};
    match op {
        Operator::Eq | Operator::Ne | Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => (op.text(), COMPARE),
        Operator::Add | Operator::Sub => (op.text(), ADD),
        Operator::Mul | Operator::Div | Operator::Mod => (op.text(), MULTIPLY),
        Operator::Pow => (op.text(), POWER),
        Operator::Like => ("LIKE", LIKE),
        Operator::NotLike => ("NOT LIKE", LIKE),
        Operator::Ilike => ("ILIKE", LIKE),
        Operator::NotIlike => ("NOT ILIKE", LIKE),
        Operator::Similar => ("SIMILAR TO", LIKE),
        Operator::NotSimilar => ("NOT SIMILAR TO", LIKE),
        Operator::Distinct => ("IS DISTINCT FROM", IS),
        Operator::NotDistinct => ("IS NOT DISTINCT FROM", IS),
        Operator::AtTimeZone => ("AT TIME ZONE", AT),
        Operator::Overlaps => ("OVERLAPS", OTHER),
        _ => (op.text(), OTHER),
    }
}

fn binds(expr: &Expr) -> u8 {
    match expr {
        Expr::Raw(_) => level::LOOSE,
        Expr::Or(items) if items.len() > 1 => level::OR,
        Expr::And(items) if items.len() > 1 => level::AND,
        Expr::Or(items) | Expr::And(items) => binds(&items[0]),
        Expr::Not(_) => level::NOT,
        Expr::Is { .. } => level::IS,
        Expr::Between { .. } | Expr::In { .. } => level::LIKE,
        Expr::Binary { op, .. } => operator(*op).1,
        Expr::Custom { .. } | Expr::Unary { sign: Sign::BitNot, .. } => level::OTHER,
        Expr::Unary { .. } => level::SIGN,
        // A negative number is written with a sign.
        Expr::Literal { value: Literal::Int(..0), cast: None } => level::SIGN,
        Expr::Collate { .. } => level::COLLATE,
        Expr::Cast { .. } => level::CAST,
        Expr::Param { cast, .. } | Expr::Literal { cast, .. } => {
            if cast.is_some() {
                level::CAST
            } else {
                level::PRIMARY
            }
        }
        _ => level::PRIMARY,
    }
}

/// The grammar allows less between BETWEEN and AND, and after DEFAULT, than elsewhere (`b_expr`).
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Binary { op, left, right, .. } => {
            matches!(operator(*op).1, level::OTHER | level::ADD | level::MULTIPLY | level::POWER)
                && is_plain(left)
                && is_plain(right)
        }
        Expr::Unary { operand, .. } | Expr::Cast { operand, .. } => is_plain(operand),
        Expr::Literal { .. } | Expr::Param { .. } => true,
        _ => binds(expr) == level::PRIMARY,
    }
}

impl Writer {
    /// An expression where any expression may stand.
    pub fn expr(&mut self, expr: &Expr) {
        self.bare(expr);
    }

    /// An expression that must bind at least as tightly as `least`.
    fn operand(&mut self, expr: &Expr, least: u8) {
        if binds(expr) < least { self.parens(expr) } else { self.bare(expr) }
    }

    fn parens(&mut self, expr: &Expr) {
        self.put("(");
        self.bare(expr);
        self.put(")");
    }

    /// An expression where the grammar wants a `b_expr`.
    pub fn plain(&mut self, expr: &Expr) {
        if is_plain(expr) { self.bare(expr) } else { self.parens(expr) }
    }

    /// An expression where the grammar wants a column, a call or parentheses.
    pub fn index_key(&mut self, expr: &Expr) {
        match expr {
            Expr::Column { name, .. } => self.name(name),
            Expr::Call(call) if !BARE.contains(&call.name.name.as_str()) => self.bare(expr),
            _ => self.parens(expr),
        }
    }

    /// Conditions, joined by AND.
    pub fn conditions(&mut self, conditions: &[Expr]) {
        self.all(conditions, |w, condition, alone| w.operand(condition, if alone { level::LOOSE } else { level::AND }));
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Param { slot, cast } => {
                self.param(*slot);
                self.cast_to(cast.as_ref());
            }
            Expr::Ordinal(position) => self.put(&position.to_string()),
            Expr::Column { qualifier, name } => {
                if let Some(qualifier) = qualifier {
                    self.name(qualifier);
                    self.put(".");
                }
                self.name(name);
            }
            Expr::Star(qualifier) => {
                if let Some(qualifier) = qualifier {
                    self.name(qualifier);
                    self.put(".");
                }
                self.put("*");
            }
            Expr::Constant(constant) => self.put(match constant {
                Constant::Null => "NULL",
                Constant::True => "TRUE",
                Constant::False => "FALSE",
                Constant::Default => "DEFAULT",
            }),
            Expr::Literal { value, cast } => {
                match value {
                    Literal::Int(number @ ..0) if cast.is_some() => self.put(&format!("({number})")),
                    Literal::Int(number) => self.put(&number.to_string()),
                    Literal::Text(text) => self.literal(text),
                }
                self.cast_to(cast.as_ref());
            }
            Expr::And(items) => self.chain(items, " AND ", level::AND),
            Expr::Or(items) => self.chain(items, " OR ", level::OR),
            Expr::Not(operand) => {
                self.put("NOT ");
                self.operand(operand, level::NOT);
            }
            Expr::Unary { sign, operand } => self.unary(*sign, operand),
            Expr::Binary { op, left, right, escape } => self.binary(*op, left, right, escape.as_deref()),
            Expr::Custom { op, left, right } => {
                self.operand(left, level::OTHER);
                self.put(" ");
                self.operator(op);
                self.put(" ");
                self.operand(right, level::OTHER + 1);
            }
            Expr::Is { operand, what } => {
                self.operand(operand, level::IS + 1);
                self.put(" IS ");
                self.put(&what.to_uppercase());
            }
            Expr::Between { operand, low, high, negated, symmetric } => {
                self.operand(operand, level::LIKE + 1);
                self.put(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.put(if *symmetric { "SYMMETRIC " } else { "" });
                self.plain(low);
                self.put(" AND ");
                self.operand(high, level::LIKE + 1);
            }
            Expr::In { operand, among, negated } => {
                self.operand(operand, level::LIKE + 1);
                self.put(if *negated { " NOT IN " } else { " IN " });
                if matches!(**among, Expr::Query(_) | Expr::List(_)) { self.bare(among) } else { self.parens(among) }
            }
            Expr::Quantified { all, operand } => {
                self.put(if *all { "ALL" } else { "ANY" });
                if matches!(**operand, Expr::Query(_)) { self.bare(operand) } else { self.parens(operand) }
            }
            Expr::Query(statement) => self.subquery(statement),
            Expr::Exists(statement) => {
                self.put("EXISTS ");
                self.subquery(statement);
            }
            Expr::ArrayQuery(statement) => {
                self.put("ARRAY");
                self.subquery(statement);
            }
            Expr::Array(items) => {
                self.put("ARRAY[");
                self.list(items, Self::expr);
                self.put("]");
            }
            Expr::Row(items) => {
                self.put(if items.len() < 2 { "ROW(" } else { "(" });
                self.list(items, Self::expr);
                self.put(")");
            }
            Expr::List(items) => {
                self.put("(");
                self.list(items, Self::expr);
                self.put(")");
            }
            Expr::Case { operand, whens, otherwise } => self.case(operand.as_deref(), whens, otherwise.as_deref()),
            Expr::Cast { operand, to } => {
                self.operand(operand, level::CAST);
                self.cast_to(Some(to));
            }
            Expr::Collate { operand, collation } => {
                self.operand(operand, level::COLLATE);
                self.put(" COLLATE ");
                self.path(collation);
            }
            Expr::Extract { field, source } => {
                self.put("EXTRACT(");
                self.put(field);
                self.put(" FROM ");
                self.expr(source);
                self.put(")");
            }
            Expr::Subscript { operand, index } => {
                self.subscripted(operand);
                self.put("[");
                self.expr(index);
                self.put("]");
            }
            Expr::Slice { operand, low, high } => {
                self.subscripted(operand);
                self.put("[");
                low.iter().for_each(|low| self.operand(low, level::CAST));
                // `$1:p2` would be a name to some drivers, `::` a cast to all.
                self.put(" : ");
                high.iter().for_each(|high| self.operand(high, level::CAST));
                self.put("]");
            }
            Expr::Field { operand, name } => {
                self.parens(operand);
                self.put(".");
                self.name(name);
            }
            Expr::Call(call) => self.call(call),
            Expr::Over { call, window } => {
                self.expr(call);
                self.put(" OVER ");
                match window {
                    Window::Named(name) => self.name(name),
                    Window::Spec(spec) => self.window(spec),
                }
            }
            Expr::Named { name, value } => {
                self.name(name);
                self.put(" => ");
                self.expr(value);
            }
            Expr::Variadic(value) => {
                self.put("VARIADIC ");
                self.expr(value);
            }
            Expr::Raw(parts) => self.parts(parts),
            Expr::Grouping { kind, items } => {
                self.put(match kind {
                    Grouping::Rollup => "ROLLUP (",
                    Grouping::Cube => "CUBE (",
                    Grouping::Sets => "GROUPING SETS (",
                });
                self.list(items, Self::group_item);
                self.put(")");
            }
            Expr::Label { expr, name } => {
                self.expr(expr);
                self.put(" AS ");
                self.name(name);
            }
        }
    }

    /// Inside GROUP BY a row of one or no column is a grouping set, not a value.
    pub fn group_item(&mut self, item: &Expr) {
        match item {
            Expr::Row(items) => {
                self.put("(");
                self.list(items, Self::expr);
                self.put(")");
            }
            _ => self.expr(item),
        }
    }

    fn cast_to(&mut self, to: Option<&data_bridge_ir::TypeName>) {
        if let Some(to) = to {
            self.put("::");
            self.raw(to.as_str());
        }
    }

    fn chain(&mut self, items: &[Expr], word: &str, own: u8) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(word);
            }
            self.operand(item, if items.len() == 1 { level::LOOSE } else { own });
        }
    }

    fn unary(&mut self, sign: Sign, operand: &Expr) {
        self.put(match sign {
            Sign::Minus => "-",
            Sign::Plus => "+",
            Sign::BitNot => "~",
        });
        // Two signs in a row could become another operator, or a comment.
        let least = if sign == Sign::BitNot { level::OTHER + 1 } else { level::SIGN + 1 };
        self.operand(operand, least);
    }

    fn binary(&mut self, op: Operator, left: &Expr, right: &Expr, escape: Option<&Expr>) {
        let (text, own) = operator(op);
        let chains = !matches!(own, level::COMPARE | level::LIKE | level::IS);
        self.operand(left, if chains { own } else { own + 1 });
        self.put(" ");
        self.operator(text);
        self.put(" ");
        self.operand(right, own + 1);
        if let Some(escape) = escape {
            self.put(" ESCAPE ");
            self.operand(escape, own + 1);
        }
    }

    fn case(&mut self, operand: Option<&Expr>, whens: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        self.put("CASE");
        if let Some(operand) = operand {
            self.put(" ");
            self.expr(operand);
        }
        for (when, then) in whens {
            self.put(" WHEN ");
            self.expr(when);
            self.put(" THEN ");
            self.expr(then);
        }
        if let Some(otherwise) = otherwise {
            self.put(" ELSE ");
            self.expr(otherwise);
        }
        self.put(" END");
    }

    /// What may stand in front of `[`.
    fn subscripted(&mut self, operand: &Expr) {
        let open = matches!(
            operand,
            Expr::Column { .. }
                | Expr::Param { cast: None, .. }
                | Expr::Subscript { .. }
                | Expr::Slice { .. }
                | Expr::Field { .. }
                | Expr::Query(_)
        );
        if open { self.bare(operand) } else { self.parens(operand) }
    }

    fn call(&mut self, call: &Call) {
        let name = call.name.name.as_str();
        if call.args.is_empty() && call.name.schema.is_none() && BARE.contains(&name) {
            return self.put(&name.to_uppercase());
        }
        self.function(&call.name);
        self.put("(");
        if call.distinct {
            self.put("DISTINCT ");
        }
        self.list(&call.args, Self::expr);
        if !call.order.is_empty() {
            self.put(" ORDER BY ");
            self.list(&call.order, Self::sort_key);
        }
        self.put(")");
        if !call.within.is_empty() {
            self.put(" WITHIN GROUP (ORDER BY ");
            self.list(&call.within, Self::sort_key);
            self.put(")");
        }
        if let Some(filter) = &call.filter {
            self.put(" FILTER (WHERE ");
            self.expr(filter);
            self.put(")");
        }
    }

    pub fn sort_key(&mut self, key: &SortKey) {
        self.expr(&key.expr);
        self.direction(key);
    }

    pub fn direction(&mut self, key: &SortKey) {
        self.put(match key.descending {
            None => "",
            Some(true) => " DESC",
            Some(false) => " ASC",
        });
        self.put(match key.nulls_first {
            None => "",
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
        });
    }

    pub fn subquery(&mut self, statement: &Statement) {
        self.nested(|w| w.statement(statement));
    }
}
