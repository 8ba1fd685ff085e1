//! Short byte strings that come, change and go, end to end in chunks of memory: four bytes say where one lies, and it
//! takes a byte or two more than its own.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use integer_encoding::VarInt;

use crate::rows::reserve_gently;

/// Bits of a place that say where in its chunk it is.
const OFFSET_BITS: u32 = 15;
const CHUNK_BYTES: usize = 1 << OFFSET_BITS;

/// Where a string lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    fn new(chunk: usize, offset: usize) -> Self {
        let chunk = u32::try_from(chunk).ok().filter(|chunk| *chunk < 1 << (u32::BITS - OFFSET_BITS));
        Place(chunk.expect("no group-by outgrows four gigabytes") << OFFSET_BITS | offset as u32)
    }

    fn chunk(self) -> usize {
        (self.0 >> OFFSET_BITS) as usize
    }

    fn offset(self) -> usize {
        self.0 as usize & (CHUNK_BYTES - 1)
    }
}

/// Strings behind their lengths. All but the last chunk are as full as they get; a string longer than a chunk has one of
/// its own.
#[derive(Default)]
pub(crate) struct Blocks {
    chunks: Vec<Vec<u8>>,
    /// Places that strings have left, by length.
    free: HashMap<usize, Vec<Place>, RandomState>,
    free_bytes: usize,
    bytes: usize,
}

impl Blocks {
    pub(crate) fn get(&self, place: Place) -> &[u8] {
        let block = &self.chunks[place.chunk()][place.offset()..];
        let (length, taken) = usize::decode_var(block).unwrap_or_default();
        &block[taken..taken + length]
    }

    pub(crate) fn put(&mut self, string: &[u8]) -> Place {
        if let Some(place) = self.free.get_mut(&string.len()).and_then(Vec::pop) {
            self.free_bytes -= string.len();
            self.bytes_of(place).copy_from_slice(string);
            return place;
        }
        self.bytes += string.len();
        let mut length = [0; 10];
        let taken = string.len().encode_var(&mut length);
        let wanted = taken + string.len();
        if self.chunks.last().is_none_or(|last| last.len() + wanted > CHUNK_BYTES) {
            self.chunks.push(Vec::new());
        }
        let at = self.chunks.len() - 1;
        let chunk = &mut self.chunks[at];
        let offset = chunk.len();
        reserve_gently(chunk, wanted);
        chunk.extend_from_slice(&length[..taken]);
        chunk.extend_from_slice(string);
        Place::new(at, offset)
    }

    /// Puts a string in the place of another one, or elsewhere if it is not as long.
    pub(crate) fn replace(&mut self, place: Place, string: &[u8]) -> Place {
        let bytes = self.bytes_of(place);
        if bytes.len() == string.len() {
            bytes.copy_from_slice(string);
            return place;
        }
        self.remove(place);
        self.put(string)
    }

    pub(crate) fn remove(&mut self, place: Place) {
        let length = self.get(place).len();
        self.free_bytes += length;
        self.free.entry(length).or_default().push(place);
    }

    /// Whether more is free than not.
    pub(crate) fn is_sparse(&self) -> bool {
        self.free_bytes > self.bytes / 2
    }

    fn bytes_of(&mut self, place: Place) -> &mut [u8] {
        let block = &mut self.chunks[place.chunk()][place.offset()..];
        let (length, taken) = usize::decode_var(block).unwrap_or_default();
        &mut block[taken..taken + length]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_what_was_put(changes in prop::collection::vec((0_usize..30, 0_usize..9, any::<u8>()), 0..400)) {
            let (mut blocks, mut known) = (Blocks::default(), HashMap::<usize, (Place, Vec<u8>)>::new());
            for (name, length, byte) in changes {
                // Some fill a chunk, some do not fit into one.
                let string = vec![byte; length * length * length * 80];
                match known.remove(&name) {
                    Some((place, _)) if length == 0 => blocks.remove(place),
                    Some((place, _)) => drop(known.insert(name, (blocks.replace(place, &string), string))),
                    None => drop(known.insert(name, (blocks.put(&string), string))),
                }
                for (place, string) in known.values() {
                    prop_assert_eq!(blocks.get(*place), string.as_slice());
                }
            }
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut blocks = Blocks::default();
        let places: Vec<Place> = (0..10_000_u32).map(|number| blocks.put(&number.to_be_bytes())).collect();
        assert!(!blocks.is_sparse());
        let taken = blocks.chunks.len();
        places.iter().take(6_000).for_each(|place| blocks.remove(*place));
        assert!(blocks.is_sparse());
        for number in 0..6_000_u32 {
            blocks.put(&number.to_be_bytes());
        }
        assert!(!blocks.is_sparse());
        assert_eq!(blocks.chunks.len(), taken);
    }
}
