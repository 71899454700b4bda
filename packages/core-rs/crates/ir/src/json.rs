use crate::tree::{Leaf, Tree};
use serde_json::Value;

impl Tree for &Value {
    fn look(&self) -> Leaf<'_> {
        match self {
            Value::Null => Leaf::None,
            Value::String(text) => Leaf::Str(text),
            Value::Array(items) => Leaf::Node(items.len()),
            Value::Number(number) => number.as_i64().map_or(Leaf::Other("a number out of range"), Leaf::Int),
            Value::Bool(_) => Leaf::Other("a bool"),
            Value::Object(_) => Leaf::Other("an object"),
        }
    }

    fn child(&self, index: usize) -> Self {
        match self {
            Value::Array(items) => items.get(index).unwrap_or(&Value::Null),
            _ => &Value::Null,
        }
    }
}
