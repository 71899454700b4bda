//! Structs to composites and ranges.
use crate::encode::{Cells, Target, Written, cells as any_cells, null, sized};
use crate::misfit::Misfit;
use crate::schema::RANGE;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, StructArray};
use data_bridge_wire::{Type, range};

/// The writer for structs.
pub fn cells(array: &ArrayRef, target: Target<'_>) -> Option<Box<dyn Cells>> {
    let given = array.as_struct();
    match target.layout {
        Type::Composite(fields) => {
            // Every field once, by its name: a field that is missing is not a NULL.
            if fields.len() != given.num_columns() {
                return None;
            }
            let parts = fields.iter().map(|(name, oid, layout)| {
                let modifier = target.fields.get(&(target.oid, name.to_string())).copied().unwrap_or(-1);
                let inside = Target { oid: *oid, layout, modifier, ..target };
                Some((*oid, any_cells(given.column_by_name(name)?, inside)?))
            });
            Some(Box::new(Composites { array: given.clone(), fields: parts.collect::<Option<_>>()? }))
        }
        Type::Range(bound) => {
            let [lower, upper, flags @ ..] = RANGE;
            let inside = Target { oid: 0, layout: bound, modifier: -1, ..target };
            let bound =
                |name| Some((given.column_by_name(name)?.clone(), any_cells(given.column_by_name(name)?, inside)?));
            let flag = |name| given.column_by_name(name)?.as_boolean_opt().cloned();
            let [lower_inclusive, upper_inclusive, is_empty] = flags.map(flag);
            Some(Box::new(Ranges {
                array: given.clone(),
                bounds: [bound(lower)?, bound(upper)?],
                flags: [lower_inclusive?, upper_inclusive?, is_empty?],
            }))
        }
        _ => None,
    }
}

struct Composites {
    array: StructArray,
    fields: Vec<(u32, Box<dyn Cells>)>,
}

impl Cells for Composites {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        sized(out, |out| {
            out.extend((self.fields.len() as i32).to_be_bytes());
            self.fields.iter().try_for_each(|(oid, field)| {
                out.extend(oid.to_be_bytes());
                field.write(row, out)
            })
        })
    }
}

struct Ranges {
    array: StructArray,
    bounds: [(ArrayRef, Box<dyn Cells>); 2],
    flags: [BooleanArray; 3],
}

impl Cells for Ranges {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        let [lower_inclusive, upper_inclusive, is_empty] = [0, 1, 2].map(|i| {
            let flags = &self.flags[i];
            (!flags.is_null(row)).then(|| flags.value(row))
        });
        let said = || Misfit::new("a flag of the range is NULL");
        if is_empty.ok_or_else(said)? {
            return sized(out, |out| {
                out.push(range::EMPTY);
                Ok(())
            });
        }
        let mut flags = 0;
        let sides = [
            (lower_inclusive, range::LOWER_INCLUSIVE, range::LOWER_INFINITE),
            (upper_inclusive, range::UPPER_INCLUSIVE, range::UPPER_INFINITE),
        ];
        for ((array, _), (inclusive, belongs, infinite)) in self.bounds.iter().zip(sides) {
            // What is infinite does not belong to the range, whatever is said of it.
            flags |= if array.is_null(row) {
                infinite
            } else if inclusive.ok_or_else(said)? {
                belongs
            } else {
                0
            };
        }
        sized(out, |out| {
            out.push(flags);
            let mut bounds = self.bounds.iter().filter(|(array, _)| !array.is_null(row));
            bounds.try_for_each(|(_, bound)| bound.write(row, out))
        })
    }
}
