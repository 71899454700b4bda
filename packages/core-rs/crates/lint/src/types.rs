//! Types of columns, and what changing one into another costs.

/// A type: its canonical name and its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Type {
    /// Canonical, such as `integer`; empty when unknown.
    pub name: String,
    /// Length, or precision and scale.
    pub modifiers: Vec<i64>,
    /// Whether it is an array.
    pub array: bool,
}

/// What a change of type costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Only the catalog changes.
    Free,
    /// The table and its indexes are rewritten.
    Rewrite,
    /// Depends on a type that is not known here.
    Unknown,
}

const INTEGERS: [&str; 3] = ["smallint", "integer", "bigint"];

impl Type {
    /// Reads the text of a type.
    ///
    /// ```
    /// use data_bridge_lint::Type;
    /// assert_eq!(Type::read("CHARACTER VARYING (10)"), Type::read("varchar(10)"));
    /// assert_eq!(Type::read("int4[]").to_string(), "integer[]");
    /// ```
    pub fn read(text: &str) -> Type {
        let lower = text.trim().to_lowercase();
        let array = lower.contains('[') || lower.ends_with(" array");
        let lower = lower.split('[').next().unwrap_or("").trim_end_matches(" array").to_owned();
        let (mut base, mut modifiers) = (lower.clone(), Vec::new());
        if let (Some(open), Some(close)) = (lower.find('('), lower.find(')')) {
            modifiers = lower[open + 1..close].split(',').filter_map(|n| n.trim().parse().ok()).collect();
            base = format!("{} {}", lower[..open].trim(), lower[close + 1..].trim());
        }
        let base = base.split_whitespace().collect::<Vec<_>>().join(" ");
        let base = base.strip_prefix("pg_catalog.").or_else(|| base.strip_prefix("public.")).unwrap_or(&base);
        let base = base.trim_matches('"');
        let name = match base {
            "int" | "int4" => "integer",
            "int8" => "bigint",
            "int2" => "smallint",
            "serial4" => "serial",
            "serial8" => "bigserial",
            "serial2" => "smallserial",
            "character varying" => "varchar",
            "character" | "bpchar" => "char",
            "decimal" | "dec" => "numeric",
            "bool" => "boolean",
            "float8" | "float" => "double precision",
            "float4" => "real",
            "timestamp with time zone" => "timestamptz",
            "timestamp without time zone" => "timestamp",
            "time without time zone" => "time",
            "time with time zone" => "timetz",
            "bit varying" => "varbit",
            other => other,
        };
        if name == "char" && modifiers.is_empty() {
            modifiers.push(1);
        }
        Type { name: name.to_owned(), modifiers, array }
    }

    /// serial and its kin.
    pub fn serial(&self) -> bool {
        matches!(self.name.as_str(), "serial" | "bigserial" | "smallserial")
    }

    /// The type that a serial column has.
    pub fn stored(&self) -> Type {
        let name = match self.name.as_str() {
            "serial" => "integer",
            "bigserial" => "bigint",
            "smallserial" => "smallint",
            _ => return self.clone(),
        };
        Type { name: name.to_owned(), ..Type::default() }
    }

    /// What it costs to make this of that, without USING (measured on PostgreSQL 15 and 18).
    pub fn cost_from(&self, old: &Type) -> Cost {
        if old.name.is_empty() {
            return Cost::Unknown;
        }
        if self == old {
            return Cost::Free;
        }
        if self.array || old.array {
            return if self.array == old.array && self.name == old.name { Cost::Free } else { Cost::Rewrite };
        }
        let wider = |new: &Type| match (new.modifiers.first(), old.modifiers.first()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(new), Some(old)) => new >= old,
        };
        match (old.name.as_str(), self.name.as_str()) {
            ("varchar" | "text", "text") => Cost::Free,
            ("varchar", "varchar") | ("varbit", "varbit") if wider(self) => Cost::Free,
            ("text", "varchar") if self.modifiers.is_empty() => Cost::Free,
            ("numeric", "numeric") => match (old.modifiers.as_slice(), self.modifiers.as_slice()) {
                (_, []) => Cost::Free,
                ([a, rest @ ..], [b, other @ ..])
                    if b >= a && rest.first().unwrap_or(&0) == other.first().unwrap_or(&0) =>
                {
                    Cost::Free
                }
                _ => Cost::Rewrite,
            },
            ("timestamp" | "timestamptz" | "time" | "timetz" | "interval", new) if new == old.name => {
                if wider(self) {
                    Cost::Free
                } else {
                    Cost::Rewrite
                }
            }
            ("cidr", "inet") | ("citext", "text") | ("text" | "varchar", "citext") => Cost::Free,
            _ => Cost::Rewrite,
        }
    }

    /// Whether values may not fit, or lose something.
    pub fn narrows(&self, old: &Type) -> bool {
        if old.name.is_empty() {
            return false;
        }
        let rank = |t: &Type| INTEGERS.iter().position(|n| *n == t.name);
        if let (Some(new), Some(old)) = (rank(self), rank(old)) {
            return new < old;
        }
        let limit =
            |t: &Type| matches!(t.name.as_str(), "varchar" | "char").then(|| t.modifiers.first().copied()).flatten();
        let textual = |t: &Type| matches!(t.name.as_str(), "text" | "varchar" | "char" | "citext");
        if textual(old) && textual(self) {
            return match (limit(old), limit(self)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(old), Some(new)) => new < old,
            };
        }
        match (old.name.as_str(), self.name.as_str()) {
            ("numeric", "numeric") => match (old.modifiers.as_slice(), self.modifiers.as_slice()) {
                (_, []) => false,
                ([], _) => true,
                (old, new) => {
                    let whole = |m: &[i64]| m[0] - m.get(1).unwrap_or(&0);
                    whole(new) < whole(old) || new.get(1).unwrap_or(&0) < old.get(1).unwrap_or(&0)
                }
            },
            ("timestamptz" | "timestamp", "date" | "time") | ("double precision", "real") | ("jsonb", "json") => true,
            ("numeric" | "double precision" | "real", new) => rank(self).is_some() || new == "real",
            (_, "text" | "varchar" | "jsonb") => false,
            _ => textual(old),
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if !self.modifiers.is_empty() {
            let numbers: Vec<String> = self.modifiers.iter().map(ToString::to_string).collect();
            write!(f, "({})", numbers.join(","))?;
        }
        if self.array { f.write_str("[]") } else { Ok(()) }
    }
}
