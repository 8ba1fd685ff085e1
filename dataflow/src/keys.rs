//! Keys of groups by number: held once, however many panes have the group.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Number of a key, for as long as somebody holds it.
pub(crate) type Number = u32;

/// The keys that are held.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: HashTable<Number>,
    keys: Vec<Box<[u8]>>,
    holders: Vec<u32>,
    free: Vec<Number>,
    hasher: FixedState,
}

impl Keys {
    /// The number of a key; a new one is to be held.
    pub(crate) fn number_of(&mut self, key: &[u8]) -> Number {
        let Keys { numbers, keys, holders, free, hasher } = self;
        let hash = hasher.hash_one(key);
        if let Some(number) = numbers.find(hash, |number| keys[*number as usize].as_ref() == key) {
            return *number;
        }
        let number = free.pop().unwrap_or(keys.len() as Number);
        if number as usize == keys.len() {
            keys.push(key.into());
            holders.push(0);
        } else {
            keys[number as usize] = key.into();
        }
        numbers.insert_unique(hash, number, |number| hasher.hash_one(keys[*number as usize].as_ref()));
        number
    }

    /// The key of a number that is held.
    pub(crate) fn key(&self, number: Number) -> &[u8] {
        &self.keys[number as usize]
    }

    pub(crate) fn hold(&mut self, number: Number) {
        self.holders[number as usize] += 1;
    }

    /// Ends one hold; whether it was the last, after which the number is given away again.
    pub(crate) fn release(&mut self, number: Number) -> bool {
        let holders = &mut self.holders[number as usize];
        *holders -= 1;
        if *holders > 0 {
            return false;
        }
        let key = std::mem::take(&mut self.keys[number as usize]);
        if let Ok(found) = self.numbers.find_entry(self.hasher.hash_one(key.as_ref()), |other| *other == number) {
            found.remove();
        }
        self.free.push(number);
        if self.numbers.is_empty() {
            // All are gone: room for many is not kept for few.
            *self = Keys::default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
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
}
