//! A stream of record batches as the rows of a binary COPY.
use crate::encode::{Cells, FieldModifiers, Target, cells};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{RecordBatch, RecordBatchReader, new_empty_array};
use arrow_schema::{DataType, SchemaRef};
use data_bridge_wire::Type;

/// What a binary COPY begins with (PostgreSQL manual, "COPY", "Binary Format").
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Bytes that are handed over at a time, about.
const CHUNK: usize = 256 << 10;

/// A column of the table that is written.
#[derive(Debug, Clone)]
pub struct CopyColumn {
    /// Its name.
    pub name: String,
    /// The name of its type, for messages.
    pub type_name: String,
    /// The OID of its type.
    pub oid: u32,
    /// The layout of its type.
    pub layout: Type,
    /// The modifier of its type; -1 for none.
    pub modifier: i32,
    /// Where the batches have its values.
    pub at: usize,
}

/// Why a COPY ends early.
#[derive(Debug)]
pub enum Stop {
    /// A value, or a column, that the table does not take: the message.
    Misfit(String),
    /// The producer of the stream failed: its message.
    Source(String),
}

/// See the module.
pub struct FrameCopy {
    reader: RecordBatchStreamReader,
    schema: SchemaRef,
    columns: Vec<CopyColumn>,
    fields: FieldModifiers,
    nan_is_null: bool,
    batch: Vec<Box<dyn Cells>>,
    left: std::ops::Range<usize>,
    rows: u64,
    has_begun: bool,
    is_over: bool,
}

impl FrameCopy {
    /// Takes over the stream at `stream`.
    ///
    /// # Safety
    /// `stream` points to a stream of the Arrow C stream interface that no one else uses; it is left released.
    ///
    /// # Errors
    /// The message of the producer.
    pub unsafe fn over(stream: *mut FFI_ArrowArrayStream) -> Result<Self, String> {
        // SAFETY: as the caller promises.
        let reader = unsafe { RecordBatchStreamReader::from_raw(stream) }.map_err(|e| e.to_string())?;
        Ok(Self {
            schema: reader.schema(),
            reader,
            columns: vec![],
            fields: FieldModifiers::new(),
            nan_is_null: false,
            batch: vec![],
            left: 0..0,
            rows: 0,
            has_begun: false,
            is_over: false,
        })
    }

    /// The names of the columns that the stream has.
    pub fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Whether a column has structs in it, whose fields may have modifiers.
    pub fn has_structs(&self) -> bool {
        fn has(data_type: &DataType) -> bool {
            match data_type {
                DataType::Struct(_) => true,
                DataType::List(item)
                | DataType::LargeList(item)
                | DataType::ListView(item)
                | DataType::LargeListView(item)
                | DataType::FixedSizeList(item, _) => has(item.data_type()),
                _ => false,
            }
        }
        self.schema.fields().iter().any(|field| has(field.data_type()))
    }

    /// How many rows were encoded.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Says which columns are written, with the modifiers of fields in them, and checks that their types fit.
    ///
    /// # Errors
    /// A message that names the column and both types.
    pub fn aim(&mut self, columns: Vec<CopyColumn>, fields: FieldModifiers, nan_is_null: bool) -> Result<(), String> {
        for column in &columns {
            let data_type = self.schema.field(column.at).data_type();
            if cells(&new_empty_array(data_type), column.target(&fields, nan_is_null)).is_none() {
                return Err(column.mismatch(data_type));
            }
        }
        (self.columns, self.fields, self.nan_is_null) = (columns, fields, nan_is_null);
        Ok(())
    }

    /// The next bytes of the COPY; `None` behind the last.
    ///
    /// # Errors
    /// [`Stop`]; nothing more comes then.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        if self.is_over {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(CHUNK + CHUNK / 4);
        if !self.has_begun {
            out.extend(HEADER);
            self.has_begun = true;
        }
        while out.len() < CHUNK {
            if self.left.is_empty() && !self.advance()? {
                out.extend((-1i16).to_be_bytes());
                self.is_over = true;
                break;
            }
            self.row(&mut out)?;
        }
        Ok(Some(out))
    }

    /// Encodes the next row of the batch.
    fn row(&mut self, out: &mut Vec<u8>) -> Result<(), Stop> {
        let Some(row) = self.left.next() else { return Ok(()) };
        out.extend((self.batch.len() as i16).to_be_bytes());
        for (column, values) in self.columns.iter().zip(&self.batch) {
            values
                .write(row, out)
                .map_err(|e| Stop::Misfit(format!("row {}, {} ({}): {e}", self.rows, column.name, column.type_name)))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes the next batch that has rows; whether there was one.
    fn advance(&mut self) -> Result<bool, Stop> {
        self.batch.clear();
        for batch in self.reader.by_ref() {
            let batch: RecordBatch = batch.map_err(|e| Stop::Source(e.to_string()))?;
            if batch.num_rows() == 0 {
                continue;
            }
            for column in &self.columns {
                let array = batch.column(column.at);
                let Some(values) = cells(array, column.target(&self.fields, self.nan_is_null)) else {
                    return Err(Stop::Misfit(column.mismatch(array.data_type())));
                };
                self.batch.push(values);
            }
            self.left = 0..batch.num_rows();
            return Ok(true);
        }
        Ok(false)
    }
}

impl CopyColumn {
    fn target<'a>(&'a self, fields: &'a FieldModifiers, nan_is_null: bool) -> Target<'a> {
        Target { oid: self.oid, layout: &self.layout, modifier: self.modifier, fields, nan_is_null }
    }

    fn mismatch(&self, data_type: &DataType) -> String {
        format!(
            "{}: the data has {data_type}, which the column's type {} does not take: cast it",
            self.name, self.type_name
        )
    }
}
