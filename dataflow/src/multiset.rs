//! A view's rows with their multiplicities, for snapshots. Rows of one length lie end to end in one buffer, so that a row
//! takes little more than its bytes, and one that goes leaves a place that its successor fits.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use watershed_operators::reserve_gently;

/// Number of a row among those of its length.
type Place = u32;

/// Rows by length; none has multiplicity zero.
#[derive(Default, Clone)]
pub(crate) struct Multiset {
    by_length: HashMap<usize, OfLength, RandomState>,
    hasher: RandomState,
}

/// Rows of one length.
#[derive(Clone)]
struct OfLength {
    length: usize,
    places: HashTable<Place>,
    buffer: Vec<u8>,
    /// How many places the buffer has.
    count: Place,
    free: Vec<Place>,
    /// Multiplicities other than one.
    others: HashMap<Place, i64, RandomState>,
}

impl Multiset {
    /// Changes the multiplicity of a row.
    pub(crate) fn add(&mut self, row: &[u8], diff: i64) {
        let rows = self.by_length.entry(row.len()).or_insert_with(|| OfLength::new(row.len()));
        rows.add(row, diff, &self.hasher);
    }

    /// Gives back places that many rows left, which is not worth it after each.
    pub(crate) fn tidy(&mut self) {
        self.by_length.retain(|_, rows| !rows.places.is_empty());
        self.by_length.values_mut().for_each(|rows| rows.tidy(&self.hasher));
    }

    /// Rows with their multiplicities.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.by_length.values().flat_map(OfLength::iter)
    }

    /// How many rows there are, each as often as it is there.
    pub(crate) fn rows(&self) -> usize {
        self.by_length.values().map(OfLength::rows).sum()
    }
}

impl OfLength {
    fn new(length: usize) -> Self {
        let (places, others) = (HashTable::new(), HashMap::default());
        OfLength { length, places, buffer: Vec::new(), count: 0, free: Vec::new(), others }
    }

    fn add(&mut self, row: &[u8], diff: i64, hasher: &RandomState) {
        let OfLength { length, places, buffer, count, free, others } = self;
        let same = |place: &Place| row_at(buffer, *length, *place) == row;
        let hash_of = |place: &Place| hasher.hash_one(row_at(buffer, *length, *place));
        let (place, multiplicity) = match places.entry(hasher.hash_one(row), same, hash_of) {
            Entry::Vacant(_) if diff == 0 => return,
            Entry::Vacant(entry) => {
                let place = free.pop().unwrap_or(*count);
                entry.insert(place);
                if place == *count {
                    *count += 1;
                    reserve_gently(buffer, *length);
                    buffer.extend_from_slice(row);
                } else {
                    buffer[place as usize * *length..][..*length].copy_from_slice(row);
                }
                (place, diff)
            }
            Entry::Occupied(entry) => {
                let place = *entry.get();
                let multiplicity = others.get(&place).copied().unwrap_or(1) + diff;
                if multiplicity == 0 {
                    entry.remove();
                    free.push(place);
                }
                (place, multiplicity)
            }
        };
        match multiplicity {
            0 | 1 => others.remove(&place),
            _ => others.insert(place, multiplicity),
        };
    }

    fn tidy(&mut self, hasher: &RandomState) {
        if self.free.is_empty() {
            self.free = Vec::new();
        }
        if self.free.len() <= self.places.len() {
            return;
        }
        let mut tidy = OfLength::new(self.length);
        tidy.places.reserve(self.places.len(), |_| unreachable!("the table is empty"));
        tidy.buffer.reserve_exact(self.places.len() * self.length);
        self.iter().for_each(|(row, multiplicity)| tidy.add(row, multiplicity, hasher));
        *self = tidy;
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.places.iter().map(|place| {
            let multiplicity = self.others.get(place).copied().unwrap_or(1);
            (row_at(&self.buffer, self.length, *place), multiplicity)
        })
    }

    fn rows(&self) -> usize {
        let others: usize = self.others.values().map(|multiplicity| (*multiplicity).max(0) as usize).sum();
        self.places.len() - self.others.len() + others
    }
}

fn row_at(buffer: &[u8], length: usize, place: Place) -> &[u8] {
    &buffer[place as usize * length..][..length]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    fn row(number: usize, length: usize) -> Vec<u8> {
        number.to_be_bytes().repeat(length)
    }

    proptest! {
        #[test]
        fn rows_are_those_of_a_map(
            changes in prop::collection::vec((0_usize..20, 0_usize..3, -2_i64..3, prop::bool::weighted(0.1)), 0..200)
        ) {
            let (mut rows, mut map) = (Multiset::default(), BTreeMap::<Vec<u8>, i64>::new());
            for (number, length, diff, tidies) in changes {
                rows.add(&row(number, length), diff);
                *map.entry(row(number, length)).or_default() += diff;
                map.retain(|_, multiplicity| *multiplicity != 0);
                if tidies {
                    rows.tidy();
                }
                let found: BTreeMap<Vec<u8>, i64> = rows.iter().map(|(row, count)| (row.to_vec(), count)).collect();
                prop_assert_eq!(&found, &map);
                prop_assert_eq!(rows.iter().count(), map.len());
                prop_assert_eq!(rows.rows(), map.values().map(|count| (*count).max(0) as usize).sum::<usize>());
            }
        }

    }

    #[test]
    fn what_is_left_of_many_rows_takes_no_room_of_theirs() {
        let mut rows = Multiset::default();
        (0..10_000).for_each(|number| rows.add(&row(number, 2), 1));
        (10..10_000).for_each(|number| rows.add(&row(number, 2), -1));
        rows.tidy();
        assert_eq!(rows.by_length.values().map(|rows| rows.buffer.capacity()).sum::<usize>(), 10 * 16);
        (0..10).for_each(|number| rows.add(&row(number, 2), -1));
        rows.tidy();
        assert!(rows.by_length.is_empty());
    }

    #[test]
    fn a_row_takes_the_place_of_the_one_before_it() {
        let mut rows = Multiset::default();
        (0..1_000).for_each(|number| rows.add(&row(number, 2), 1));
        for round in 0..10 {
            (0..1_000).for_each(|number| rows.add(&row(round * 1_000 + number, 2), -1));
            (0..1_000).for_each(|number| rows.add(&row((round + 1) * 1_000 + number, 2), 1));
            rows.tidy();
        }
        assert!(rows.by_length.values().all(|rows| rows.count == 1_000 && rows.free.is_empty()));
    }
}
