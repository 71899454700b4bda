//! Text, binary values, booleans and UUIDs.
use crate::encode::decimal::put_text;
use crate::encode::{Cells, Target, Written, fixed, null, sized};
use crate::misfit::Misfit;
use arrow_array::cast::AsArray;
use arrow_array::types::{ByteArrayType, ByteViewType};
use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, GenericByteArray, GenericByteViewArray};
use arrow_schema::DataType;
use data_bridge_wire::{Type, bits, network};

/// An array whose values are bytes.
trait Slices: Array {
    fn slice_at(&self, row: usize) -> &[u8];
}

impl<T: ByteArrayType> Slices for GenericByteArray<T> {
    fn slice_at(&self, row: usize) -> &[u8] {
        self.value(row).as_ref()
    }
}

impl<T: ByteViewType> Slices for GenericByteViewArray<T> {
    fn slice_at(&self, row: usize) -> &[u8] {
        self.value(row).as_ref()
    }
}

impl Slices for FixedSizeBinaryArray {
    fn slice_at(&self, row: usize) -> &[u8] {
        self.value(row)
    }
}

/// Values as bytes, and what writes one.
struct Bytes<A> {
    array: A,
    put: Put,
}

impl<A: Slices> Cells for Bytes<A> {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        (self.put)(self.array.slice_at(row), out)
    }
}

type Put = Box<dyn Fn(&[u8], &mut Vec<u8>) -> Written + Send>;

/// The writer for text and binary values.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    fn with<A: Slices + Clone + 'static>(array: &A, put: Option<Put>) -> Option<Box<dyn Cells>> {
        Some(Box::new(Bytes { array: array.clone(), put: put? }))
    }
    match array.data_type() {
        DataType::Utf8 => with(array.as_string::<i32>(), text(target)),
        DataType::LargeUtf8 => with(array.as_string::<i64>(), text(target)),
        DataType::Utf8View => with(array.as_string_view(), text(target)),
        DataType::Binary => with(array.as_binary::<i32>(), binary(target)),
        DataType::LargeBinary => with(array.as_binary::<i64>(), binary(target)),
        DataType::BinaryView => with(array.as_binary_view(), binary(target)),
        DataType::FixedSizeBinary(_) => with(array.as_fixed_size_binary(), binary(target)),
        _ => None,
    }
}

/// Writes what is its own bytes.
fn put(b: &[u8], out: &mut Vec<u8>) -> Written {
    let length = i32::try_from(b.len()).map_err(|_| Misfit::new("the value is longer than 2 GiB"))?;
    out.extend(length.to_be_bytes());
    out.extend_from_slice(b);
    Ok(())
}

/// PostgreSQL's text ends nowhere but at its end.
fn without_nul(b: &[u8]) -> Written {
    if b.contains(&0) { Err(Misfit::new("PostgreSQL's text cannot hold NUL")) } else { Ok(()) }
}

fn text(target: Target<'_>) -> Option<Put> {
    let modifier = target.modifier;
    Some(match target.layout {
        Type::Text | Type::Json => Box::new(|b, out| {
            without_nul(b)?;
            put(b, out)
        }),
        Type::Jsonb | Type::Versioned => Box::new(|b, out| {
            without_nul(b)?;
            sized(out, |out| {
                out.push(1);
                out.extend_from_slice(b);
                Ok(())
            })
        }),
        Type::Uuid => Box::new(|b, out| {
            fixed(uuid(b).ok_or_else(|| Misfit::new("the text is not a UUID"))?, out);
            Ok(())
        }),
        Type::Numeric => Box::new(move |b, out| put_text(of_utf8(b)?, modifier, out)),
        Type::Bits => {
            Box::new(|b, out| {
                sized(out, |out| {
                    if bits::write(b, out) { Ok(()) } else { Err(Misfit::new("the text is not of zeros and ones")) }
                })
            })
        }
        Type::Mac(length) => {
            let length = *length;
            Box::new(move |b, out| {
                let bytes = network::parse_mac(of_utf8(b)?, length);
                put(&bytes.ok_or_else(|| Misfit::new("the text is not a MAC address"))?, out)
            })
        }
        _ => return None,
    })
}

fn of_utf8(b: &[u8]) -> Result<&str, Misfit> {
    std::str::from_utf8(b).map_err(|_| Misfit::new("the text is not UTF-8"))
}

/// The bytes of a UUID: 32 digits, with hyphens between its parts or without.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let digits: Vec<u8> = match text.len() {
        32 => text.to_vec(),
        36 if [8, 13, 18, 23].iter().all(|i| text[*i] == b'-') => {
            text.iter().copied().filter(|byte| *byte != b'-').collect()
        }
        _ => return None,
    };
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let mut made = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in made.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(made)
}

fn binary(target: Target<'_>) -> Option<Put> {
    Some(match target.layout {
        Type::Bytea => Box::new(put),
        Type::Uuid => Box::new(|b, out| {
            fixed(<[u8; 16]>::try_from(b).map_err(|_| Misfit::new("a UUID has 16 bytes"))?, out);
            Ok(())
        }),
        _ => return None,
    })
}

struct Bools(BooleanArray);

impl Cells for Bools {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.0.is_null(row) {
            null(out)
        } else {
            fixed([u8::from(self.0.value(row))], out)
        }
        Ok(())
    }
}

/// The writer for booleans.
pub fn bools(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    (*target.layout == Type::Bool).then(|| Box::new(Bools(array.as_boolean().clone())) as Box<dyn Cells>)
}
