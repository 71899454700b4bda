//! Lists to arrays, vectors and multiranges.
use crate::encode::{Cells, Target, Written, cells as any_cells, null, sized};
use crate::misfit::Misfit;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, Float32Array};
use arrow_schema::DataType;
use data_bridge_wire::array::{MAX_DIMENSIONS, write_header};
use data_bridge_wire::{Type, vector};

/// The items of a list, by their places in the array of all items.
struct Level {
    array: ArrayRef,
    items: fn(&ArrayRef, usize) -> (usize, usize),
}

impl Level {
    /// The lists of an array, and their items; `None` for what is not one of lists.
    fn of(array: &ArrayRef) -> Option<(Self, ArrayRef)> {
        macro_rules! by_offsets {
            ($offset:ty) => {{
                let items: fn(&ArrayRef, usize) -> (usize, usize) = |array, row| {
                    let offsets = array.as_list::<$offset>().value_offsets();
                    (offsets[row] as usize, offsets[row + 1] as usize)
                };
                (items, array.as_list::<$offset>().values().clone())
            }};
        }
        macro_rules! by_views {
            ($offset:ty) => {{
                let items: fn(&ArrayRef, usize) -> (usize, usize) = |array, row| {
                    let lists = array.as_list_view::<$offset>();
                    let start = lists.value_offset(row) as usize;
                    (start, start + lists.value_size(row) as usize)
                };
                (items, array.as_list_view::<$offset>().values().clone())
            }};
        }
        let (items, values) = match array.data_type() {
            DataType::List(_) => by_offsets!(i32),
            DataType::LargeList(_) => by_offsets!(i64),
            DataType::ListView(_) => by_views!(i32),
            DataType::LargeListView(_) => by_views!(i64),
            DataType::FixedSizeList(..) => {
                let items: fn(&ArrayRef, usize) -> (usize, usize) = |array, row| {
                    let lists = array.as_fixed_size_list();
                    let (start, length) = (lists.value_offset_at(row), lists.value_length() as usize);
                    (start, start + length)
                };
                (items, array.as_fixed_size_list().values().clone())
            }
            _ => return None,
        };
        Some((Self { array: array.clone(), items }, values))
    }

    fn items(&self, row: usize) -> Option<(usize, usize)> {
        (!self.array.is_null(row)).then(|| (self.items)(&self.array, row))
    }
}

/// The writer for lists.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    let (level, mut values) = Level::of(array)?;
    match target.layout {
        Type::Array(oid, element) | Type::Nested(_, oid, element) => {
            let mut levels = vec![level];
            while let Some((level, inner)) = Level::of(&values).filter(|_| !takes_lists(element)) {
                levels.push(level);
                values = inner;
            }
            if levels.len() > MAX_DIMENSIONS {
                return None;
            }
            let has_null = values.null_count() > 0;
            let items = any_cells(&values, target.inside(*oid, element))?;
            Some(Box::new(Arrays { levels, oid: *oid, has_null, items }))
        }
        Type::Multirange(bound) => {
            let range = Type::Range(bound.clone());
            let items = any_cells(&values, target.inside(0, &range))?;
            Some(Box::new(Ranges { level, values, items }))
        }
        Type::Vector if *values.data_type() == DataType::Float32 => {
            Some(Box::new(Vectors { level, items: values.as_primitive::<Float32Type>().clone() }))
        }
        _ => None,
    }
}

/// Whether the elements of an array take lists themselves, as domains over arrays and composites do not.
fn takes_lists(element: &Type) -> bool {
    matches!(element, Type::Vector | Type::Multirange(_) | Type::Array(..))
}

struct Arrays {
    levels: Vec<Level>,
    oid: u32,
    has_null: bool,
    items: Box<dyn Cells>,
}

impl Cells for Arrays {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        let Some(outermost) = self.levels[0].items(row) else {
            null(out);
            return Ok(());
        };
        let (mut lengths, mut lists) = (vec![outermost.1 - outermost.0], vec![outermost]);
        for level in &self.levels[1..] {
            let mut inner = Vec::new();
            for place in lists.iter().flat_map(|(start, end)| *start..*end) {
                let items = level.items(place);
                inner.push(items.ok_or_else(|| Misfit::new("a NULL list has no place in an array of lists"))?);
            }
            let length = inner.first().map_or(0, |(start, end)| end - start);
            if inner.iter().any(|(start, end)| end - start != length) {
                return Err(Misfit::new("the inner lists have different lengths, which an array does not allow"));
            }
            lengths.push(length);
            lists = inner;
        }
        sized(out, |out| {
            write_header(out, self.oid, &lengths, self.has_null);
            lists.iter().flat_map(|(start, end)| *start..*end).try_for_each(|place| self.items.write(place, out))
        })
    }
}

struct Ranges {
    level: Level,
    values: ArrayRef,
    items: Box<dyn Cells>,
}

impl Cells for Ranges {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        let Some((start, end)) = self.level.items(row) else {
            null(out);
            return Ok(());
        };
        sized(out, |out| {
            out.extend(((end - start) as i32).to_be_bytes());
            (start..end).try_for_each(|place| {
                if self.values.is_null(place) {
                    return Err(Misfit::new("a multirange has no NULL"));
                }
                self.items.write(place, out)
            })
        })
    }
}

struct Vectors {
    level: Level,
    items: Float32Array,
}

impl Cells for Vectors {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        let Some((start, end)) = self.level.items(row) else {
            null(out);
            return Ok(());
        };
        if (start..end).any(|place| self.items.is_null(place)) {
            return Err(Misfit::new("a vector has no NULL"));
        }
        sized(out, |out| {
            let count = u16::try_from(end - start).map_err(|_| Misfit::new("a vector has fewer dimensions"))?;
            vector::write_header(count, out);
            self.items.values()[start..end].iter().for_each(|f| out.extend(f.to_be_bytes()));
            Ok(())
        })
    }
}
