//! Accumulators at rest: lanes and sums as variable-length integers, one after the other in one buffer a batch. A count
//! of a few rows takes three bytes instead of sixteen.

use differential_dataflow::trace::implementations::containers::BatchContainer;
use integer_encoding::VarInt;
use smallvec::SmallVec;

use super::{Accumulator, Lane};
use crate::rows::Bytes;

/// Accumulators of a batch; read back as bytes, see [`Accumulator::decode`].
#[derive(Default)]
pub struct Packed(Bytes);

impl Packed {
    /// Gives back room that is not used.
    pub fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }
}

/// Number of lanes; each lane as the distance from the one before, and its sum; each value's length, bytes and
/// multiplicity, until the end.
pub(super) fn encode(accumulator: &Accumulator, bytes: &mut Vec<u8>) {
    put(bytes, accumulator.lanes.len() as u64);
    let mut before: Lane = 0;
    for (lane, sum) in &accumulator.lanes {
        put(bytes, lane - before);
        put(bytes, *sum);
        before = *lane;
    }
    for (value, count) in &accumulator.values {
        put(bytes, value.len() as u64);
        bytes.extend_from_slice(value);
        put(bytes, *count);
    }
}

/// No more than this is written for an accumulator of small sums.
fn size_of(accumulator: &Accumulator) -> usize {
    let values = accumulator.values.iter().map(|(value, _)| value.len() + 4);
    8 * (accumulator.lanes.len() + 1) + values.sum::<usize>()
}

/// Reads what `encode` wrote; a torn tail is ignored.
pub(super) fn decode(bytes: &[u8]) -> Accumulator {
    let mut rest = bytes;
    let count = take::<u64>(&mut rest).unwrap_or_default() as usize;
    let mut lanes = SmallVec::with_capacity(count.min(bytes.len()));
    let mut lane: Lane = 0;
    for _ in 0..count {
        let (Some(distance), Some(sum)) = (take::<Lane>(&mut rest), take::<i64>(&mut rest)) else { break };
        lane = lane.wrapping_add(distance);
        lanes.push((lane, sum));
    }
    let mut values = Vec::new();
    while let Some(length) = take::<u64>(&mut rest) {
        let Some((value, after)) = rest.split_at_checked(length as usize) else { break };
        rest = after;
        let Some(count) = take::<i64>(&mut rest) else { break };
        values.push((value.into(), count));
    }
    Accumulator { lanes, values }
}

fn put(bytes: &mut Vec<u8>, number: impl VarInt) {
    let mut buffer = [0; 10];
    let length = number.encode_var(&mut buffer);
    bytes.extend_from_slice(&buffer[..length]);
}

fn take<N: VarInt>(bytes: &mut &[u8]) -> Option<N> {
    let (number, length) = N::decode_var(bytes)?;
    *bytes = &bytes[length..];
    Some(number)
}

impl BatchContainer for Packed {
    type Owned = Accumulator;
    type ReadItem<'a> = &'a [u8];

    fn into_owned(item: &[u8]) -> Accumulator {
        decode(item)
    }

    fn push_ref(&mut self, item: &[u8]) {
        self.0.push_ref(item);
    }

    fn push_own(&mut self, item: &Accumulator) {
        self.0.put_with(size_of(item), |bytes| encode(item, bytes));
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn with_capacity(size: usize) -> Self {
        Packed(Bytes::with_capacity(size))
    }

    fn merge_capacity(left: &Self, right: &Self) -> Self {
        Packed(Bytes::merge_capacity(&left.0, &right.0))
    }

    fn reborrow<'b, 'a: 'b>(item: &'a [u8]) -> &'b [u8] {
        item
    }

    fn index(&self, index: usize) -> &[u8] {
        self.0.index(index)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
