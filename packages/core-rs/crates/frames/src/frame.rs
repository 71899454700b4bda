//! A result as record batches of bounded size.
use crate::decode::{Cells, cells};
use crate::misfit::Misfit;
use crate::options::Options;
use crate::schema::field;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use data_bridge_wire::form::Form;
use std::sync::Arc;

/// Rows of a batch: enough for few batches, little enough that growing one costs little room.
const ROWS: usize = 65_536;
/// Bytes of a batch, about.
const BYTES: usize = 64 << 20;

/// A column of a result, for messages.
#[derive(Debug, Clone)]
pub struct Label {
    /// `User.age`, or the column's name.
    pub name: String,
    /// The name of its type.
    pub of: String,
}

impl Label {
    fn say(&self, misfit: &Misfit) -> String {
        format!("{} ({}): {misfit}", self.name, self.of)
    }
}

/// Collects the rows of a result.
pub struct FrameBuilder {
    schema: SchemaRef,
    labels: Vec<Label>,
    columns: Vec<Box<dyn Cells>>,
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl FrameBuilder {
    /// For columns of these names, types and labels.
    ///
    /// # Errors
    /// A message that names the column, for a type that Arrow has no type for.
    pub fn new(columns: &[(&str, &Form, Label)], options: &Options) -> Result<Self, String> {
        let (mut fields, mut builders) = (Vec::with_capacity(columns.len()), Vec::with_capacity(columns.len()));
        for (name, form, label) in columns {
            fields.push(field(name, form, options).map_err(|e| label.say(&e))?);
            builders.push(cells(form, options).map_err(|e| label.say(&e))?);
        }
        let labels = columns.iter().map(|(_, _, label)| label.clone()).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { schema, labels, columns: builders, batches: vec![], rows: 0, bytes: 0 })
    }

    /// How many columns a row has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Takes a row, whose cells `cell` returns.
    ///
    /// # Errors
    /// A message that names the column of a value that its Arrow type does not have.
    pub fn push<'a>(&mut self, cell: impl Fn(usize) -> Option<&'a [u8]>) -> Result<(), String> {
        for (i, column) in self.columns.iter_mut().enumerate() {
            let cell = cell(i);
            self.bytes += cell.map_or(0, <[u8]>::len);
            column.push(cell).map_err(|e| self.labels[i].say(&e))?;
        }
        self.rows += 1;
        if self.rows >= ROWS || self.bytes >= BYTES { self.cut() } else { Ok(()) }
    }

    /// Makes a batch of the rows that wait for one.
    fn cut(&mut self) -> Result<(), String> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (column, label) in self.columns.iter_mut().zip(&self.labels) {
            arrays.push(column.finish().map_err(|e| label.say(&e))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options);
        self.batches.push(batch.map_err(|e| e.to_string())?);
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// The result.
    ///
    /// # Errors
    /// As of [`Self::push`].
    pub fn finish(mut self) -> Result<Frame, String> {
        if self.rows > 0 {
            self.cut()?;
        }
        Ok(Frame { schema: self.schema, batches: self.batches })
    }
}

/// A result.
#[derive(Debug, Clone)]
pub struct Frame {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Frame {
    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Bytes of its buffers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// A stream of its batches, which share their buffers with it.
    #[must_use]
    pub fn stream(&self) -> FFI_ArrowArrayStream {
        let batches = self.batches.clone().into_iter().map(Ok::<_, ArrowError>);
        FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new(batches, self.schema.clone())))
    }

    /// Its schema for others.
    ///
    /// # Errors
    /// The message of the Arrow library.
    pub fn foreign_schema(&self) -> Result<FFI_ArrowSchema, String> {
        FFI_ArrowSchema::try_from(&*self.schema).map_err(|e| e.to_string())
    }
}
