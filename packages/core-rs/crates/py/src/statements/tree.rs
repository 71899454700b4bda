//! Python tuples as the tree the decoder reads.

use data_bridge_ir::{Leaf, Tree};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString, PyTuple};

/// A node of a structure held by Python.
pub struct Node<'py>(pub Bound<'py, PyAny>);

impl Tree for Node<'_> {
    fn look(&self) -> Leaf<'_> {
        let node = &self.0;
        if let Ok(tuple) = node.cast::<PyTuple>() {
            Leaf::Node(tuple.len())
        } else if let Ok(text) = node.cast::<PyString>() {
            text.to_str().map_or(Leaf::Other("a str with lone surrogates"), Leaf::Str)
        } else if node.is_none() {
            Leaf::None
        } else if node.is_instance_of::<PyBool>() {
            // True == 1 as a key of the plan cache, so a bool would find another statement's plan.
            Leaf::Other("a bool")
        } else if let Ok(number) = node.cast::<PyInt>() {
            number.extract().map_or(Leaf::Other("an int out of range"), Leaf::Int)
        } else {
            Leaf::Other("neither str, int, None nor tuple")
        }
    }

    fn child(&self, index: usize) -> Self {
        let py = self.0.py();
        let child = self.0.cast::<PyTuple>().ok().and_then(|tuple| tuple.get_item(index).ok());
        Self(child.unwrap_or_else(|| py.None().into_bound(py)))
    }
}
