//! Keys of groups by number: held once and in one buffer, however many panes have the group.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use watershed_operators::reserve_gently;

/// Number of a key, for as long as somebody holds it.
pub(crate) type Number = u32;

/// The keys that are held.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: HashTable<Number>,
    keys: Vec<Key>,
    free: Vec<Number>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that belong to nobody any more.
    garbage: usize,
    hasher: FixedState,
}

#[derive(Clone, Copy, Default)]
struct Key {
    start: usize,
    length: u32,
    holders: u32,
}

impl Key {
    fn bytes(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start..self.start + self.length as usize]
    }
}

impl Keys {
    /// The number of a key; a new one is to be held.
    pub(crate) fn number_of(&mut self, bytes: &[u8]) -> Number {
        let Keys { numbers, keys, free, buffer, hasher, .. } = self;
        let hash = hasher.hash_one(bytes);
        if let Some(number) = numbers.find(hash, |number| keys[*number as usize].bytes(buffer) == bytes) {
            return *number;
        }
        let key = Key { start: buffer.len(), length: bytes.len() as u32, holders: 0 };
        reserve_gently(buffer, bytes.len());
        buffer.extend_from_slice(bytes);
        let number = free.pop().unwrap_or(keys.len() as Number);
        match keys.get_mut(number as usize) {
            Some(known) => *known = key,
            None => {
                reserve_gently(keys, 1);
                keys.push(key);
            }
        }
        numbers.insert_unique(hash, number, |number| hasher.hash_one(keys[*number as usize].bytes(buffer)));
        number
    }

    /// The key of a number that is held.
    pub(crate) fn key(&self, number: Number) -> &[u8] {
        self.keys[number as usize].bytes(&self.buffer)
    }

    /// Whether no key has a number.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(crate) fn hold(&mut self, number: Number) {
        self.keys[number as usize].holders += 1;
    }

    /// Ends one hold; whether it was the last, after which the number is given away again.
    pub(crate) fn release(&mut self, number: Number) -> bool {
        let key = &mut self.keys[number as usize];
        key.holders -= 1;
        if key.holders > 0 {
            return false;
        }
        let hash = self.hasher.hash_one(key.bytes(&self.buffer));
        if let Ok(found) = self.numbers.find_entry(hash, |other| *other == number) {
            found.remove();
        }
        self.garbage += std::mem::take(key).length as usize;
        self.free.push(number);
        if self.garbage > self.buffer.len() / 2 {
            self.compact();
        }
        true
    }

    /// Leaves out what belongs to nobody. Room for many is not kept for none.
    fn compact(&mut self) {
        if self.numbers.is_empty() {
            *self = Keys::default();
            return;
        }
        let mut buffer = Vec::with_capacity((self.buffer.len() - self.garbage) * 5 / 4);
        for key in &mut self.keys {
            let start = buffer.len();
            buffer.extend_from_slice(key.bytes(&self.buffer));
            key.start = start;
        }
        self.buffer = buffer;
        self.garbage = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_key_keeps_its_number_while_it_is_held_and_numbers_are_used_again() {
        let mut keys = Keys::default();
        let (a, b) = (keys.number_of(b"a"), keys.number_of(b"b"));
        keys.hold(a);
        keys.hold(a);
        keys.hold(b);
        assert!(!keys.release(a));
        assert_eq!((keys.number_of(b"a"), keys.key(a)), (a, b"a".as_slice()));
        assert!(keys.release(a));
        let c = keys.number_of(b"c");
        assert_eq!((c, keys.key(c), keys.key(b)), (a, b"c".as_slice(), b"b".as_slice()));
    }

    #[test]
    fn keys_survive_that_most_others_go() {
        let mut keys = Keys::default();
        let mut held = BTreeMap::new();
        for round in 0..1_000_u32 {
            let bytes = round.to_be_bytes().repeat(1 + round as usize % 7);
            let number = keys.number_of(&bytes);
            keys.hold(number);
            held.insert(number, bytes);
            if round % 10 != 0 {
                assert!(keys.release(number));
                held.remove(&number);
            }
        }
        assert!(held.iter().all(|(number, bytes)| keys.key(*number) == bytes.as_slice()));
        assert!(keys.buffer.len() < 2 * held.values().map(Vec::len).sum::<usize>() + 100);
    }
}
