//! From a generic tree to a typed statement, or an error with the path to the node that is wrong.

mod clause;
mod ddl;
mod expr;
mod query;
mod write;

use crate::error::Error;
use crate::name::{Name, Path, TypeName};
use crate::statement::Statement;
use crate::tags::StatementTag;
use crate::tree::{Leaf, Tree};

/// Structures nested deeper are refused: PostgreSQL's own limit is not far behind, and the stack is finite.
const MAX_DEPTH: usize = 200;

/// A decoded statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The typed tree.
    pub statement: Statement,
    /// How many parameters the statement takes.
    pub params: usize,
}

/// Decodes a whole statement. Parameters are numbered in the depth-first order of the tree.
///
/// # Errors
/// The first node that is wrong, with its path.
pub fn decode<T: Tree>(tree: &T) -> Result<Decoded, Error> {
    let mut decoder = Decoder { path: Vec::new(), slots: 0, base: 0, depth: 0, literals: false };
    let statement = decoder.statement(tree)?;
    Ok(Decoded { statement, params: decoder.slots })
}

type Result<T, E = Error> = std::result::Result<T, E>;

struct Decoder {
    path: Vec<usize>,
    slots: usize,
    /// The first slot of the innermost statement: what `("same", k)` counts from.
    base: usize,
    depth: usize,
    /// Inside DDL: literals instead of parameters.
    literals: bool,
}

impl Decoder {
    fn fail<R>(&self, message: impl Into<String>) -> Result<R> {
        Err(Error::new(&self.path, message))
    }

    /// Runs `read` on child `index`, which the path then names.
    fn at<T: Tree, R>(&mut self, node: &T, index: usize, read: impl FnOnce(&mut Self, &T) -> Result<R>) -> Result<R> {
        let Leaf::Node(len) = node.look() else {
            return self.fail(format!("expected a tuple, got {}", describe(node)));
        };
        if index >= len {
            return self.fail(format!("expected at least {} elements, got {len}", index + 1));
        }
        self.path.push(index);
        let child = node.child(index);
        let result = read(self, &child)?;
        self.path.pop();
        Ok(result)
    }

    /// Like [`Self::at`], but absent when the child is missing or null.
    fn maybe<T: Tree, R>(
        &mut self,
        node: &T,
        index: usize,
        read: impl FnOnce(&mut Self, &T) -> Result<R>,
    ) -> Result<Option<R>> {
        if index >= len(node) || node.child(index).look() == Leaf::None {
            return Ok(None);
        }
        self.at(node, index, read).map(Some)
    }

    /// Reads every child of `node` from `start` on. A null node has none.
    fn each<T: Tree, R>(
        &mut self,
        node: &T,
        start: usize,
        mut read: impl FnMut(&mut Self, &T) -> Result<R>,
    ) -> Result<Vec<R>> {
        match node.look() {
            Leaf::None => Ok(Vec::new()),
            Leaf::Node(len) => (start..len).map(|i| self.at(node, i, &mut read)).collect(),
            _ => self.fail(format!("expected a tuple, got {}", describe(node))),
        }
    }

    /// The children of child `index`; none when it is missing or null.
    fn list<T: Tree, R>(
        &mut self,
        node: &T,
        index: usize,
        read: impl FnMut(&mut Self, &T) -> Result<R>,
    ) -> Result<Vec<R>> {
        Ok(self.maybe(node, index, |d, child| d.each(child, 0, read))?.unwrap_or_default())
    }

    /// The tag of a node.
    fn tag<T: Tree>(&mut self, node: &T) -> Result<String> {
        match node.look() {
            Leaf::Node(0) => self.fail("an empty tuple is not a node"),
            Leaf::Node(_) => self.at(node, 0, |d, child| d.text(child)),
            _ => self.fail(format!("expected a node, got {}", describe(node))),
        }
    }

    /// Refuses elements the tag has no meaning for.
    fn width<T: Tree>(&mut self, node: &T, most: usize) -> Result<()> {
        let len = len(node);
        if len > most { self.fail(format!("expected at most {most} elements, got {len}")) } else { Ok(()) }
    }

    fn text<T: Tree>(&mut self, node: &T) -> Result<String> {
        match node.look() {
            Leaf::Str(text) if text.contains('\0') => self.fail("text contains NUL"),
            Leaf::Str(text) => Ok(text.to_owned()),
            _ => self.fail(format!("expected a string, got {}", describe(node))),
        }
    }

    fn int<T: Tree>(&mut self, node: &T) -> Result<i64> {
        match node.look() {
            Leaf::Int(number) => Ok(number),
            _ => self.fail(format!("expected an int, got {}", describe(node))),
        }
    }

    fn name<T: Tree>(&mut self, node: &T) -> Result<Name> {
        match node.look() {
            Leaf::Str(text) => Name::new(text).or_else(|message| self.fail(message)),
            _ => self.fail(format!("expected a name, got {}", describe(node))),
        }
    }

    /// A name, or `(schema, name)`.
    fn path<T: Tree>(&mut self, node: &T) -> Result<Path> {
        match node.look() {
            Leaf::Node(2) => Ok(Path { schema: self.maybe(node, 0, Self::name)?, name: self.at(node, 1, Self::name)? }),
            _ => Ok(Path { schema: None, name: self.name(node)? }),
        }
    }

    fn type_name<T: Tree>(&mut self, node: &T) -> Result<TypeName> {
        match node.look() {
            Leaf::Str(text) => TypeName::new(text).or_else(|message| self.fail(message)),
            _ => self.fail(format!("expected a type, got {}", describe(node))),
        }
    }

    /// One of a closed set of words.
    fn word<T: Tree>(&mut self, node: &T, allowed: &[&'static str]) -> Result<&'static str> {
        let text = self.text(node)?;
        match allowed.iter().find(|word| **word == text) {
            Some(word) => Ok(word),
            None => self.fail(format!("{text:?} is none of {}", allowed.join(", "))),
        }
    }

    /// A tuple of words of a closed set.
    fn words<T: Tree>(&mut self, node: &T, index: usize, allowed: &[&'static str]) -> Result<Vec<&'static str>> {
        self.list(node, index, |d, child| d.word(child, allowed))
    }

    fn deeper<R>(&mut self, read: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let result = read(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn statement<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        let outer = std::mem::replace(&mut self.base, self.slots);
        let statement = self.deeper(|d| d.any_statement(node))?;
        self.base = outer;
        Ok(statement)
    }

    fn any_statement<T: Tree>(&mut self, node: &T) -> Result<Statement> {
        let tag = self.tag(node)?;
        let Some(tag) = StatementTag::parse(&tag) else {
            return self.fail(format!("{tag:?} is not the tag of a statement"));
        };
        match tag {
            StatementTag::Select => self.select(node),
            StatementTag::Values => self.values(node),
            StatementTag::Compound => self.compound(node),
            StatementTag::Insert => self.insert(node),
            StatementTag::Update => self.update(node),
            StatementTag::Delete => self.delete(node),
            StatementTag::Merge => self.merge(node),
            StatementTag::Raw => Ok(Statement::Raw(self.parts(node, 1)?)),
            StatementTag::Truncate => self.truncate(node),
            StatementTag::Explain => self.explain(node),
            StatementTag::Copy => self.copy(node),
            StatementTag::Styled => {
                self.width(node, 4)?;
                Ok(Statement::Styled {
                    style: self.maybe(node, 1, |d, child| d.word(child, &["numeric", "pyformat", "named"]))?,
                    pretty: self.maybe(node, 2, |d, child| d.word(child, &["pretty"]))?.is_some(),
                    statement: Box::new(self.at(node, 3, Self::statement)?),
                })
            }
            StatementTag::Script => Ok(Statement::Script(self.each(node, 1, Self::statement)?)),
            _ => {
                let outer = std::mem::replace(&mut self.literals, true);
                let ddl = self.ddl(tag, node)?;
                self.literals = outer;
                Ok(Statement::Ddl(Box::new(ddl)))
            }
        }
    }
}

fn len<T: Tree>(node: &T) -> usize {
    if let Leaf::Node(len) = node.look() { len } else { 0 }
}

fn describe<T: Tree>(node: &T) -> String {
    match node.look() {
        Leaf::None => "null".into(),
        Leaf::Int(number) => format!("the int {number}"),
        Leaf::Str(text) => format!("the string {text:?}"),
        Leaf::Node(len) => format!("a tuple of {len}"),
        Leaf::Other(kind) => kind.into(),
    }
}
