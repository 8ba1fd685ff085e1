//! Rows to groups: hashes encoded keys without an allocation a row.

use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::codec::Encoded;

/// The groups of one batch: the first row of each, and the tag (a pane or a time) that it was grouped under.
pub(crate) struct Groups {
    pub(crate) of_row: Vec<u32>,
    pub(crate) firsts: Vec<(u32, i64)>,
}

/// Groups rows by key and tag.
pub(crate) fn group(keys: &Encoded, tags: &[i64]) -> Groups {
    let hasher = foldhash::fast::FixedState::default();
    let mut table: HashTable<u32> = HashTable::with_capacity(64);
    let mut groups = Groups { of_row: Vec::with_capacity(tags.len()), firsts: Vec::new() };
    for (row, tag) in tags.iter().enumerate() {
        let key = keys.row(row);
        // The tag is left out of the hash on purpose: nearly all rows of a batch share it.
        let hash = hasher.hash_one(key);
        let firsts = &mut groups.firsts;
        let found = table.find(hash, |group| {
            let (first, other) = firsts[*group as usize];
            other == *tag && keys.row(first as usize) == key
        });
        let group = match found {
            Some(group) => *group,
            None => {
                let group = firsts.len() as u32;
                firsts.push((row as u32, *tag));
                table.insert_unique(hash, group, |group| hasher.hash_one(keys.row(firsts[*group as usize].0 as usize)));
                group
            }
        };
        groups.of_row.push(group);
    }
    groups
}
