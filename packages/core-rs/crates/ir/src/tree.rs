/// One look at a node of a generic tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// Nothing: the part is absent.
    None,
    /// An integer.
    Int(i64),
    /// A string: a tag, a name or trusted text.
    Str(&'a str),
    /// A tuple with this many children.
    Node(usize),
    /// Something that has no place in a structure (a bool, a float, a list …), with the name of its kind.
    Other(&'static str),
}

/// What the decoder asks of a tree. JSON arrays implement it here, Python tuples in the `py` crate, so that one decoder
/// serves production, the corpus and the fuzzer.
pub trait Tree: Sized {
    /// What this node is.
    fn look(&self) -> Leaf<'_>;
    /// The child `index` of a tuple. Asked only for `index < len` of a [`Leaf::Node`].
    fn child(&self, index: usize) -> Self;
}
