//! Values made of several: arrays, composites, ranges, vectors.
use crate::decode::scalar::Bools;
use crate::decode::{Cells, Taken, cells};
use crate::misfit::Misfit;
use crate::options::Options;
use crate::schema::{RANGE, field};
use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, ListArray, PrimitiveArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use data_bridge_wire::array::Array;
use data_bridge_wire::composite::Fields as Parts;
use data_bridge_wire::form::{Form, FormField};
use data_bridge_wire::range::{self, Ranges};
use data_bridge_wire::{WireError, vector};
use std::sync::Arc;

/// Where the items of each list end.
struct Ends {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Default for Ends {
    fn default() -> Self {
        Self { offsets: vec![0], nulls: NullBufferBuilder::new(0) }
    }
}

impl Ends {
    fn end(&mut self, items: Option<usize>) -> Taken {
        let last = self.offsets.last().copied().unwrap_or_default();
        let end = i32::try_from(items.unwrap_or_default()).ok().and_then(|n| last.checked_add(n));
        self.offsets.push(end.ok_or_else(|| Misfit::new("the lists of one batch have more items than Arrow counts"))?);
        self.nulls.append(items.is_some());
        Ok(())
    }

    fn finish(&mut self, item: &FieldRef, items: ArrayRef) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        Arc::new(ListArray::new(item.clone(), OffsetBuffer::new(offsets.into()), items, self.nulls.finish()))
    }
}

/// Arrays of one dimension, and multiranges.
pub struct List {
    item: FieldRef,
    items: Box<dyn Cells>,
    ends: Ends,
    are_ranges: bool,
}

impl List {
    /// Arrays of this form.
    ///
    /// # Errors
    /// [`Misfit`] as of [`cells`].
    pub fn of(element: &Form, options: &Options) -> Result<Self, Misfit> {
        let item = Arc::new(field("item", element, options)?);
        Ok(Self { item, items: cells(element, options)?, ends: Ends::default(), are_ranges: false })
    }

    /// Multiranges whose bounds have this form.
    ///
    /// # Errors
    /// [`Misfit`] as of [`cells`].
    pub fn of_ranges(bound: &Form, options: &Options) -> Result<Self, Misfit> {
        Ok(Self { are_ranges: true, ..Self::of(&Form::Range(Arc::new(bound.clone())), options)? })
    }
}

impl Cells for List {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let Some(b) = cell else { return self.ends.end(None) };
        if self.are_ranges {
            let (mut ranges, mut count) = (Ranges::read(b)?, 0);
            while let Some(range) = ranges.next()? {
                self.items.push(Some(range))?;
                count += 1;
            }
            return self.ends.end(Some(count));
        }
        let array = Array::read(b)?;
        if array.lengths.len() > 1 {
            return Err(Misfit::new(
                "the array has several dimensions, and a list of Arrow has one; cast the column to text or unnest it",
            ));
        }
        let mut elements = array.elements();
        while let Some(element) = elements.next()? {
            self.items.push(element)?;
        }
        self.ends.end(Some(array.count))
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        Ok(self.ends.finish(&self.item, self.items.finish()?))
    }
}

/// Vectors of pgvector.
#[derive(Default)]
pub struct Floats {
    items: Vec<f32>,
    ends: Ends,
}

impl Cells for Floats {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let Some(b) = cell else { return self.ends.end(None) };
        let before = self.items.len();
        let floats = vector::read(b, 4)?.map(|four| f32::from_be_bytes(four.try_into().expect("four bytes")));
        self.items.extend(floats);
        self.ends.end(Some(self.items.len() - before))
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let items = PrimitiveArray::<Float32Type>::new(std::mem::take(&mut self.items).into(), None);
        Ok(self.ends.finish(&Arc::new(Field::new("item", DataType::Float32, true)), Arc::new(items)))
    }
}

/// Composites.
pub struct Struct {
    fields: Fields,
    oids: Vec<u32>,
    columns: Vec<Box<dyn Cells>>,
    nulls: NullBufferBuilder,
    count: usize,
}

impl Struct {
    /// With these fields.
    ///
    /// # Errors
    /// [`Misfit`] as of [`cells`].
    pub fn of(fields: &[FormField], options: &Options) -> Result<Self, Misfit> {
        let columns = fields.iter().map(|(_, _, form)| cells(form, options)).collect::<Result<_, _>>()?;
        let oids = fields.iter().map(|(_, oid, _)| *oid).collect();
        let fields = fields.iter().map(|(name, _, form)| field(name, form, options)).collect::<Result<_, _>>()?;
        Ok(Self { fields, oids, columns, nulls: NullBufferBuilder::new(0), count: 0 })
    }
}

impl Cells for Struct {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        self.count += 1;
        self.nulls.append(cell.is_some());
        let Some(b) = cell else { return self.columns.iter_mut().try_for_each(|column| column.push(None)) };
        let mut parts = Parts::read(b)?;
        for (column, oid) in self.columns.iter_mut().zip(&self.oids) {
            match parts.next()? {
                // A type that was altered since the statement was prepared has others.
                Some((sent, part)) if sent == *oid => column.push(part)?,
                _ => return Err(WireError::Malformed("type of a field").into()),
            }
        }
        match parts.next()? {
            None => Ok(()),
            Some(_) => Err(WireError::Malformed("number of fields").into()),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let columns = self.columns.iter_mut().map(|column| column.finish()).collect::<Result<_, _>>()?;
        let count = std::mem::take(&mut self.count);
        let made = StructArray::try_new_with_length(self.fields.clone(), columns, self.nulls.finish(), count);
        Ok(Arc::new(made.map_err(|e| Misfit::new(e.to_string()))?))
    }
}

/// Ranges, as their bounds and what is said of them.
pub struct Range {
    fields: Fields,
    bounds: [Box<dyn Cells>; 2],
    flags: [Bools; 3],
    nulls: NullBufferBuilder,
}

impl Range {
    /// With bounds of this form.
    ///
    /// # Errors
    /// [`Misfit`] as of [`cells`].
    pub fn of(bound: &Form, options: &Options) -> Result<Self, Misfit> {
        let form = Form::Range(Arc::new(bound.clone()));
        let DataType::Struct(fields) = field("", &form, options)?.data_type().clone() else {
            return Err(Misfit::new("a range has no fields"));
        };
        debug_assert_eq!(fields.len(), RANGE.len());
        let bounds = [cells(bound, options)?, cells(bound, options)?];
        Ok(Self { fields, bounds, flags: Default::default(), nulls: NullBufferBuilder::new(0) })
    }
}

impl Cells for Range {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let read = cell.map(range::Range::read).transpose()?;
        self.nulls.append(read.is_some());
        self.bounds[0].push(read.and_then(|r| r.lower))?;
        self.bounds[1].push(read.and_then(|r| r.upper))?;
        let flags = [range::LOWER_INCLUSIVE, range::UPPER_INCLUSIVE, range::EMPTY];
        for (column, flag) in self.flags.iter_mut().zip(flags) {
            column.take(read.map(|r| r.flags & flag != 0));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let bounds = self.bounds.iter_mut().map(|column| column.finish());
        let columns = bounds.chain(self.flags.iter_mut().map(Cells::finish)).collect::<Result<_, _>>()?;
        Ok(Arc::new(StructArray::new(self.fields.clone(), columns, self.nulls.finish())))
    }
}
