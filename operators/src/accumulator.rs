//! The diff of every aggregate: a sparse vector of lanes. Adding merges and zeros vanish, so it is an exact group and
//! a correction is an addition.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Semigroup};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Number of a lane. What a lane means is up to the plan; lanes of one accumulator are sorted.
pub type Lane = u32;

/// Sums by lane, ascending by lane, without zeros. Sums wrap, which keeps the group exact.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accumulator {
    lanes: SmallVec<[(Lane, i64); 4]>,
}

impl Accumulator {
    /// Takes lanes that are ascending and without zeros.
    #[must_use]
    pub fn from_sorted(lanes: impl IntoIterator<Item = (Lane, i64)>) -> Self {
        let lanes: SmallVec<[(Lane, i64); 4]> = lanes.into_iter().filter(|(_, sum)| *sum != 0).collect();
        debug_assert!(lanes.windows(2).all(|pair| pair[0].0 < pair[1].0));
        Accumulator { lanes }
    }

    /// The sum in a lane, 0 where there is none.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> i64 {
        self.lanes.binary_search_by_key(&lane, |(lane, _)| *lane).map_or(0, |at| self.lanes[at].1)
    }

    /// The lanes in `from..until`, ascending.
    #[must_use]
    pub fn range(&self, from: Lane, until: Lane) -> &[(Lane, i64)] {
        let start = self.lanes.partition_point(|(lane, _)| *lane < from);
        let end = self.lanes.partition_point(|(lane, _)| *lane < until);
        &self.lanes[start..end]
    }

    /// Bytes held outside of the struct itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        if self.lanes.spilled() { self.lanes.capacity() * size_of::<(Lane, i64)>() } else { 0 }
    }

    /// The accumulator as bytes: `(lane u32, sum i64)` little-endian each.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.lanes.len() * 12);
        for (lane, sum) in &self.lanes {
            bytes.extend_from_slice(&lane.to_le_bytes());
            bytes.extend_from_slice(&sum.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Accumulator::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let lanes = bytes.chunks_exact(12).map(|entry| {
            let lane = u32::from_le_bytes(entry[..4].try_into().expect("4 bytes of 12"));
            let sum = i64::from_le_bytes(entry[4..].try_into().expect("8 bytes of 12"));
            (lane, sum)
        });
        Accumulator { lanes: lanes.collect() }
    }

    fn add(&mut self, other: &[(Lane, i64)]) {
        if self.lanes.is_empty() {
            self.lanes.extend_from_slice(other);
            return;
        }
        let mut missing: SmallVec<[(Lane, i64); 4]> = SmallVec::new();
        let (mut at, mut vanished) = (0, false);
        for &(lane, sum) in other {
            while at < self.lanes.len() && self.lanes[at].0 < lane {
                at += 1;
            }
            match self.lanes.get_mut(at) {
                Some(entry) if entry.0 == lane => {
                    entry.1 = entry.1.wrapping_add(sum);
                    vanished |= entry.1 == 0;
                }
                _ => missing.push((lane, sum)),
            }
        }
        if !missing.is_empty() {
            self.lanes.extend_from_slice(&missing);
            self.lanes.sort_unstable_by_key(|(lane, _)| *lane);
        }
        if vanished {
            self.lanes.retain(|(_, sum)| *sum != 0);
        }
    }
}

impl IsZero for Accumulator {
    fn is_zero(&self) -> bool {
        self.lanes.is_empty()
    }
}

impl Semigroup for Accumulator {
    fn plus_equals(&mut self, other: &Self) {
        self.add(&other.lanes);
    }
}

impl Monoid for Accumulator {
    fn zero() -> Self {
        Self::default()
    }
}

impl Abelian for Accumulator {
    fn negate(&mut self) {
        for (_, sum) in &mut self.lanes {
            *sum = sum.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests;
