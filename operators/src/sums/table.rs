//! Packed sums by key.

use std::hash::BuildHasher;

use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::logging::{BatchEvent, DifferentialEventBuilder, Logger, MergeEvent};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use integer_encoding::VarInt;
use timely::worker::Worker;

use crate::accumulator::Accumulator;

/// A table gives room back when it could hold so many times what it does.
const SPARE: usize = 8;

/// A key's sums before and after something was added; `None` is zero.
pub(super) struct Change {
    pub(super) old: Option<Accumulator>,
    pub(super) new: Option<Accumulator>,
}

/// The length of a key, the key, and its sums packed: one block of memory a key.
struct Group(Box<[u8]>);

impl Group {
    fn parts(&self) -> (&[u8], &[u8]) {
        let (length, taken) = usize::decode_var(&self.0).unwrap_or_default();
        self.0[taken..].split_at(length)
    }

    fn key(&self) -> &[u8] {
        self.parts().0
    }

    fn sums(&self) -> Accumulator {
        Accumulator::decode(self.parts().1)
    }
}

pub(super) struct Table {
    groups: HashTable<Group>,
    hasher: RandomState,
    /// Where a group is written before it is known how long it is.
    buffer: Vec<u8>,
    reports: Reports,
}

impl Table {
    pub(super) fn new(worker: &Worker, operator: usize) -> Self {
        let log = worker.logger_for::<DifferentialEventBuilder>("differential/arrange").map(Into::into);
        Table {
            groups: HashTable::new(),
            hasher: RandomState::default(),
            buffer: Vec::new(),
            reports: Reports { log, operator, told: None },
        }
    }

    pub(super) fn add(&mut self, key: &[u8], sums: Accumulator) -> Change {
        let Table { groups, hasher, buffer, .. } = self;
        let of_group = |group: &Group| hasher.hash_one(group.key());
        match groups.entry(hasher.hash_one(key), |group| group.key() == key, of_group) {
            Entry::Occupied(mut entry) => {
                let old = entry.get().sums();
                let mut new = old.clone();
                new.plus_equals(&sums);
                if new.is_zero() {
                    entry.remove();
                    return Change { old: Some(old), new: None };
                }
                write(key, &new, buffer);
                let Group(group) = entry.get_mut();
                if group.len() == buffer.len() {
                    group.copy_from_slice(buffer);
                } else {
                    *group = buffer.as_slice().into();
                }
                Change { old: Some(old), new: Some(new) }
            }
            Entry::Vacant(entry) => {
                write(key, &sums, buffer);
                entry.insert(Group(buffer.as_slice().into()));
                Change { old: None, new: Some(sums) }
            }
        }
    }

    /// Gives back room that is not used, and reports how much is kept.
    pub(super) fn settle(&mut self) {
        let Table { groups, hasher, .. } = self;
        if groups.capacity() > SPARE * groups.len().max(SPARE) {
            groups.shrink_to_fit(|group| hasher.hash_one(group.key()));
        }
        self.reports.report(self.groups.len());
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

/// Reports to those who follow arrangements: what is kept is one batch, and others are merged into it.
struct Reports {
    log: Option<Logger>,
    operator: usize,
    told: Option<usize>,
}

impl Reports {
    fn report(&mut self, length: usize) {
        let Reports { log: Some(log), operator, told } = self else { return };
        let operator = *operator;
        match *told {
            None if length == 0 => return,
            Some(before) if before == length => return,
            None => log.log(BatchEvent { operator, length }),
            Some(before) => {
                let come = length.saturating_sub(before);
                log.log(BatchEvent { operator, length: come });
                let complete = Some(length);
                log.log(MergeEvent { operator, scale: 0, length1: before, length2: come, complete });
            }
        }
        *told = Some(length);
    }
}
