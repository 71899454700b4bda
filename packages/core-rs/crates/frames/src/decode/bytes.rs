//! Text, binary values and UUIDs.
use crate::decode::{Cells, Taken};
use crate::misfit::Misfit;
use arrow_array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer};
use data_bridge_wire::{WireError, bits as bit_strings, exact, network};
use std::sync::Arc;

/// Values of any length, one behind the other.
pub struct Varying {
    offsets: Vec<i32>,
    data: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl Default for Varying {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl Varying {
    /// Ends a value whose bytes were appended, or NULL.
    fn end(&mut self, is_there: bool) -> Taken {
        let end = i32::try_from(self.data.len());
        self.offsets.push(end.map_err(|_| Misfit::new("the values of one batch are longer than 2 GiB"))?);
        self.nulls.append(is_there);
        Ok(())
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let mut data = std::mem::take(&mut self.data);
        offsets.shrink_to_fit();
        data.shrink_to_fit();
        (OffsetBuffer::new(offsets.into()), data.into(), self.nulls.finish())
    }
}

/// Text.
pub struct Text<F> {
    values: Varying,
    write: F,
}

impl<F: Fn(&[u8], &mut Vec<u8>) -> Taken + Send> Text<F> {
    /// With what appends the text of a value.
    pub fn of(write: F) -> Self {
        Self { values: Varying::default(), write }
    }
}

impl<F: Fn(&[u8], &mut Vec<u8>) -> Taken + Send> Cells for Text<F> {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        if let Some(b) = cell {
            (self.write)(b, &mut self.values.data)?;
        }
        self.values.end(cell.is_some())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let (offsets, data, nulls) = self.values.finish();
        let made = StringArray::try_new(offsets, data, nulls).map_err(|_| Misfit::new("the text is not UTF-8"))?;
        Ok(Arc::new(made))
    }
}

/// Appends text that is its own bytes.
pub fn as_it_is(b: &[u8], out: &mut Vec<u8>) -> Taken {
    out.extend_from_slice(b);
    Ok(())
}

/// Appends text that stands behind a version byte.
pub fn behind_version(b: &[u8], out: &mut Vec<u8>) -> Taken {
    match b.split_first() {
        Some((1, rest)) => as_it_is(rest, out),
        _ => Err(WireError::Malformed("version of a value").into()),
    }
}

/// Appends the zeros and ones of a bit string.
pub fn bits(b: &[u8], out: &mut Vec<u8>) -> Taken {
    as_it_is(bit_strings::read(b)?.as_bytes(), out)
}

/// Appends the text of a MAC address.
pub fn mac(b: &[u8], out: &mut Vec<u8>) -> Taken {
    as_it_is(network::mac(b)?.as_bytes(), out)
}

/// Binary values.
#[derive(Default)]
pub struct Binary(Varying);

impl Cells for Binary {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        self.0.data.extend_from_slice(cell.unwrap_or_default());
        self.0.end(cell.is_some())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let (offsets, data, nulls) = self.0.finish();
        Ok(Arc::new(BinaryArray::new(offsets, data, nulls)))
    }
}

/// UUIDs, as their sixteen bytes.
pub struct Fixed {
    data: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl Default for Fixed {
    fn default() -> Self {
        Self { data: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl Cells for Fixed {
    fn push(&mut self, cell: Option<&[u8]>) -> Taken {
        let bytes = cell.map(exact::<16>).transpose()?;
        self.data.extend_from_slice(&bytes.unwrap_or_default());
        self.nulls.append(bytes.is_some());
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, Misfit> {
        let mut data = std::mem::take(&mut self.data);
        data.shrink_to_fit();
        Ok(Arc::new(FixedSizeBinaryArray::new(16, data.into(), self.nulls.finish())))
    }
}
