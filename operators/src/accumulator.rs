//! The diff of every aggregate: a sparse vector of lanes, and a multiset of values that are not sums. Adding merges and
//! zeros vanish, so it is an exact group and a correction is an addition.

mod packed;

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Semigroup};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use packed::Packed;

/// Number of a lane. What a lane means is up to the plan; lanes of one accumulator are sorted.
pub type Lane = u32;

/// Sums by lane, ascending by lane, without zeros, and values with their multiplicities. Sums wrap, which keeps the
/// group exact.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accumulator {
    lanes: SmallVec<[(Lane, i64); 4]>,
    /// Ascending, none with multiplicity zero. Few: each costs every addition.
    values: Vec<(Box<[u8]>, i64)>,
}

impl Accumulator {
    /// Takes lanes that are ascending; zeros are left out.
    #[must_use]
    pub fn from_sorted(lanes: impl IntoIterator<Item = (Lane, i64)>) -> Self {
        let lanes: SmallVec<[(Lane, i64); 4]> = lanes.into_iter().filter(|(_, sum)| *sum != 0).collect();
        debug_assert!(lanes.windows(2).all(|pair| pair[0].0 < pair[1].0));
        Accumulator { lanes, values: Vec::new() }
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

    /// The values whose multiplicity is positive, ascending.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(|(_, count)| *count > 0).map(|(value, _)| value.as_ref())
    }

    /// Changes the multiplicity of a value.
    pub fn add_value(&mut self, value: &[u8], count: i64) {
        match self.values.binary_search_by(|(known, _)| known.as_ref().cmp(value)) {
            Ok(at) => {
                self.values[at].1 = self.values[at].1.wrapping_add(count);
                if self.values[at].1 == 0 {
                    self.values.remove(at);
                }
            }
            Err(at) if count != 0 => {
                self.values.reserve_exact(1);
                self.values.insert(at, (value.into(), count));
            }
            Err(_) => {}
        }
    }

    /// The sums alone.
    #[must_use]
    pub fn without_values(&self) -> Self {
        Accumulator { lanes: self.lanes.clone(), values: Vec::new() }
    }

    /// Leaves the sums alone.
    pub fn clear_values(&mut self) {
        self.values = Vec::new();
    }

    /// The accumulator as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_to(&mut bytes);
        bytes
    }

    pub(crate) fn encode_to(&self, bytes: &mut Vec<u8>) {
        packed::encode(self, bytes);
    }

    /// Reads what [`Accumulator::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        packed::decode(bytes)
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
        self.lanes.is_empty() && self.values.is_empty()
    }
}

impl Semigroup for Accumulator {
    fn plus_equals(&mut self, other: &Self) {
        self.add(&other.lanes);
        other.values.iter().for_each(|(value, count)| self.add_value(value, *count));
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
        for (_, count) in &mut self.values {
            *count = count.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests;
