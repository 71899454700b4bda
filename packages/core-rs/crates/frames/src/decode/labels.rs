//! Enums: dictionaries of their labels.
use crate::decode::{Cells, Taken};
use crate::misfit::Misfit;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::NullBufferBuilder;
use std::collections::HashMap;
use std::sync::Arc;

/// Labels, by their number. One that was added to the type since it was described follows the others.
pub struct Labels {
    labels: Vec<Arc<str>>,
    numbers: HashMap<Box<[u8]>, i32>,
    keys: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Labels {
    /// With the labels that are known.
    pub fn new(known: &[Arc<str>]) -> Self {
        let numbers = known.iter().zip(0..).map(|(label, number)| (label.as_bytes().into(), number)).collect();
        Self { labels: known.to_vec(), numbers, keys: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl Cells for Labels {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let Some(b) = cell else {
            self.keys.push(0);
            self.nulls.append_null();
            return Ok(());
        };
        let number = if let Some(number) = self.numbers.get(b) {
            *number
        } else {
            let label = std::str::from_utf8(b).map_err(|_| Misfit::new("the label is not UTF-8"))?;
            let number = self.labels.len() as i32;
            self.labels.push(label.into());
            self.numbers.insert(b.into(), number);
            number
        };
        self.keys.push(number);
        self.nulls.append_non_null();
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let keys = Int32Array::new(std::mem::take(&mut self.keys).into(), self.nulls.finish());
        let labels = StringArray::from_iter_values(self.labels.iter());
        Ok(Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(labels))))
    }
}
