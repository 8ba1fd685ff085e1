//! Packed sums by key.

use std::hash::BuildHasher;

use differential_dataflow::difference::{IsZero, Semigroup};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use integer_encoding::VarInt;
use timely::worker::Worker;

use crate::accumulator::Accumulator;
use crate::blocks::{Blocks, Place};
use crate::reports::Reports;

/// A key's sums before and after something was added; `None` is zero.
pub(super) struct Change {
    pub(super) old: Option<Accumulator>,
    pub(super) new: Option<Accumulator>,
}

/// The length of a key, the key, and its sums packed.
fn parts(group: &[u8]) -> (&[u8], &[u8]) {
    let (length, taken) = usize::decode_var(group).unwrap_or_default();
    group[taken..].split_at(length)
}

pub(super) struct Table {
    groups: Groups,
    /// Where a group is written before it is known how long it is.
    buffer: Vec<u8>,
    reports: Reports,
}

#[derive(Default)]
struct Groups {
    places: HashTable<Place>,
    blocks: Blocks,
    hasher: RandomState,
}

impl Table {
    pub(super) fn new(worker: &Worker, operator: usize) -> Self {
        Table { groups: Groups::default(), buffer: Vec::new(), reports: Reports::new(worker, operator) }
    }

    pub(super) fn add(&mut self, key: &[u8], sums: Accumulator) -> Change {
        let Table { groups: Groups { places, blocks, hasher }, buffer, .. } = self;
        let key_at = |place: &Place| parts(blocks.get(*place)).0;
        match places.entry(hasher.hash_one(key), |place| key_at(place) == key, |place| hasher.hash_one(key_at(place))) {
            Entry::Occupied(mut entry) => {
                let place = entry.get_mut();
                let old = Accumulator::decode(parts(blocks.get(*place)).1);
                let mut new = old.clone();
                new.plus_equals(&sums);
                if new.is_zero() {
                    blocks.remove(*place);
                    entry.remove();
                    return Change { old: Some(old), new: None };
                }
                write(key, &new, buffer);
                *place = blocks.replace(*place, buffer);
                Change { old: Some(old), new: Some(new) }
            }
            Entry::Vacant(entry) => {
                write(key, &sums, buffer);
                entry.insert(blocks.put(buffer));
                Change { old: None, new: Some(sums) }
            }
        }
    }

    /// Gives back room that is not used, and reports how much is kept.
    pub(super) fn settle(&mut self) {
        if self.groups.blocks.is_sparse() {
            self.groups = self.groups.packed();
        }
        self.reports.report(self.groups.places.len());
    }
}

impl Groups {
    fn packed(&self) -> Self {
        let mut packed = Groups { hasher: self.hasher.clone(), ..Groups::default() };
        packed.places.reserve(self.places.len(), |_| unreachable!("the table is empty"));
        for place in &self.places {
            let group = self.blocks.get(*place);
            let hash = self.hasher.hash_one(parts(group).0);
            packed.places.insert_unique(hash, packed.blocks.put(group), |_| unreachable!("there is room for all"));
        }
        packed
    }
}

fn write(key: &[u8], sums: &Accumulator, buffer: &mut Vec<u8>) {
    let mut length = [0; 10];
    let taken = key.len().encode_var(&mut length);
    buffer.clear();
    buffer.extend_from_slice(&length[..taken]);
    buffer.extend_from_slice(key);
    sums.encode_to(buffer);
}
