//! Rows with equal values in some stored columns, found column by column: by hashes, which are checked afterwards.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use foldhash::fast::FixedState;

/// After so many rows it shows whether many are alike.
const ROWS_TOLD: usize = 256;
const ID_BYTES: usize = 16;

/// Which rows are alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alike {
    /// The number of each row: alike rows have the same.
    pub(crate) of_row: Vec<u32>,
    /// The first row of each number.
    pub(crate) firsts: Vec<u32>,
}

/// Finds rows that are alike; `None` where most are not, or where it cannot be told fast.
pub(crate) fn alike(columns: &[&ArrayRef], rows: usize) -> Option<Alike> {
    let cells: Vec<Cells<'_>> = columns.iter().map(|column| Cells::of(column)).collect::<Option<_>>()?;
    let mut hashes = vec![0; rows];
    cells.iter().for_each(|cells| cells.hash(&mut hashes));
    let mut known: HashMap<u64, u32, FixedState> = HashMap::default();
    let mut found = Alike { of_row: Vec::with_capacity(rows), firsts: Vec::new() };
    let mut last = None;
    for (row, hash) in hashes.into_iter().enumerate() {
        let number = match last {
            Some((before, number)) if before == hash => number,
            _ => *known.entry(hash).or_insert_with(|| {
                found.firsts.push(row as u32);
                found.firsts.len() as u32 - 1
            }),
        };
        last = Some((hash, number));
        found.of_row.push(number);
        if row >= ROWS_TOLD && found.firsts.len() > row / 2 {
            return None;
        }
    }
    cells.iter().all(|cells| cells.are_as(&found)).then_some(found)
}

/// Values of a column without NULLs.
enum Cells<'a> {
    Flags(&'a BooleanBuffer),
    Numbers(&'a [i64]),
    Ids(&'a [[u8; ID_BYTES]]),
    Texts(&'a [i32], &'a [u8]),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Option<Self> {
        if array.null_count() > 0 {
            return None;
        }
        Some(match array.data_type() {
            DataType::Boolean => Cells::Flags(array.as_boolean().values()),
            DataType::Int64 => Cells::Numbers(array.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, _) => {
                Cells::Numbers(array.as_primitive::<TimestampNanosecondType>().values())
            }
            DataType::FixedSizeBinary(16) => Cells::Ids(array.as_fixed_size_binary().value_data().as_chunks().0),
            DataType::Utf8 => {
                let texts = array.as_string::<i32>();
                Cells::Texts(texts.value_offsets(), texts.value_data())
            }
            DataType::Binary => {
                let texts = array.as_binary::<i32>();
                Cells::Texts(texts.value_offsets(), texts.value_data())
            }
            _ => return None,
        })
    }

    fn hash(&self, hashes: &mut [u64]) {
        match self {
            Cells::Flags(flags) => {
                hashes.iter_mut().zip(flags.iter()).for_each(|(hash, flag)| *hash = mixed(*hash, u64::from(flag)));
            }
            Cells::Numbers(numbers) => {
                hashes.iter_mut().zip(*numbers).for_each(|(hash, number)| *hash = mixed(*hash, *number as u64));
            }
            Cells::Ids(ids) => {
                for (hash, id) in hashes.iter_mut().zip(*ids) {
                    let id = u128::from_ne_bytes(*id);
                    *hash = mixed(mixed(*hash, id as u64), (id >> 64) as u64);
                }
            }
            Cells::Texts(..) => {
                let hasher = FixedState::default();
                for (row, hash) in hashes.iter_mut().enumerate() {
                    *hash = mixed(*hash, hasher.hash_one(self.text(row)));
                }
            }
        }
    }

    /// Whether each row has the value of the first row of its number.
    fn are_as(&self, alike: &Alike) -> bool {
        let mut pairs = alike.of_row.iter().map(|number| alike.firsts[*number as usize] as usize).enumerate();
        match self {
            Cells::Flags(flags) => pairs.all(|(row, first)| flags.value(row) == flags.value(first)),
            Cells::Numbers(numbers) => pairs.all(|(row, first)| numbers[row] == numbers[first]),
            Cells::Ids(ids) => pairs.all(|(row, first)| ids[row] == ids[first]),
            Cells::Texts(..) => pairs.all(|(row, first)| self.text(row) == self.text(first)),
        }
    }

    fn text(&self, row: usize) -> &'a [u8] {
        match self {
            Cells::Texts(offsets, bytes) => &bytes[offsets[row] as usize..offsets[row + 1] as usize],
            Cells::Flags(_) | Cells::Numbers(_) | Cells::Ids(_) => &[],
        }
    }
}

/// A hash with one more word: the halves of their product, folded.
fn mixed(hash: u64, word: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(hash ^ word ^ ODD) * u128::from(ODD.rotate_left(17));
    (product as u64 ^ (product >> 64) as u64).rotate_left(23)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    fn numbers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn rows_that_differ_in_one_column_are_not_alike() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["GET", "GET", "SET", "GET"]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
        let found = alike(&[&numbers(&[7, 7, 7, 7]), &texts, &flags], 4);
        assert_eq!(found, Some(Alike { of_row: vec![0, 1, 2, 0], firsts: vec![0, 1, 2] }));
    }

    #[test]
    fn a_part_of_a_batch_is_read_as_such() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "b"]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, false]));
        let found = alike(&[&texts.slice(1, 3), &flags.slice(1, 3)], 3);
        assert_eq!(found, Some(Alike { of_row: vec![0, 1, 0], firsts: vec![0, 1] }));
    }

    #[test]
    fn nothing_is_said_where_most_rows_differ_or_values_are_missing() {
        let different: Vec<i64> = (0..1_000).collect();
        assert_eq!(alike(&[&numbers(&different)], 1_000), None);
        let missing: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(alike(&[&missing], 2), None);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0]));
        assert_eq!(alike(&[&floats], 2), None);
    }
}
