//! Rows as bytes, and arrangements that keep them in one arena a batch instead of one allocation a row.

mod times;

use std::rc::Rc;

use differential_dataflow::VecCollection;
use differential_dataflow::batcher::merge::MergeBatcher;
use differential_dataflow::batcher::merge::chunker::ContainerChunker;
use differential_dataflow::batcher::merge::vec::VecMerger;
use differential_dataflow::hashable::Hashable;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::containers::BatchContainer;
use differential_dataflow::trace::implementations::ord_neu::{OrdKeyBatch, OrdKeyBuilder, OrdValBatch, OrdValBuilder};
use differential_dataflow::trace::implementations::{OffsetList, spine_fueled::Spine};
use timely::container::PushInto;

pub use times::Times;

/// A row or key, encoded so that byte order is the order of values.
pub type Row = Vec<u8>;

/// A multiset of rows that changes with the tick (milliseconds).
pub type Rows<'scope> = VecCollection<'scope, u64, Row, i64>;

/// Byte strings end to end in one buffer.
pub struct Bytes {
    /// Where each string ends.
    ends: OffsetList,
    buffer: Vec<u8>,
}

impl Bytes {
    /// Gives back room that is not used.
    pub fn shrink_to_fit(&mut self) {
        self.buffer.shrink_to_fit();
    }

    fn put(&mut self, bytes: &[u8]) {
        reserve_gently(&mut self.buffer, bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.ends.push(self.buffer.len());
    }

    /// Puts the string that `write` appends, of about `wanted` bytes.
    pub(crate) fn put_with(&mut self, wanted: usize, write: impl FnOnce(&mut Vec<u8>)) {
        reserve_gently(&mut self.buffer, wanted);
        write(&mut self.buffer);
        self.ends.push(self.buffer.len());
    }
}

/// Room for so many more; grows by a quarter instead of doubling, for what lives long.
pub fn reserve_gently<T>(vec: &mut Vec<T>, wanted: usize) {
    if vec.capacity() - vec.len() < wanted {
        vec.reserve_exact(wanted.max(vec.len() / 4));
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::with_capacity(0)
    }
}

impl PushInto<Row> for Bytes {
    fn push_into(&mut self, row: Row) {
        self.put(&row);
    }
}

impl BatchContainer for Bytes {
    type Owned = Row;
    type ReadItem<'a> = &'a [u8];

    fn into_owned(item: &[u8]) -> Row {
        item.to_vec()
    }

    fn clone_onto(item: &[u8], other: &mut Row) {
        other.clear();
        other.extend_from_slice(item);
    }

    fn push_ref(&mut self, item: &[u8]) {
        self.put(item);
    }

    fn push_own(&mut self, item: &Row) {
        self.put(item);
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.buffer.clear();
    }

    fn with_capacity(size: usize) -> Self {
        Bytes { ends: OffsetList::with_capacity(size), buffer: Vec::new() }
    }

    fn merge_capacity(left: &Self, right: &Self) -> Self {
        Bytes {
            ends: OffsetList::with_capacity(left.ends.len() + right.ends.len()),
            buffer: Vec::with_capacity(left.buffer.len() + right.buffer.len()),
        }
    }

    fn reborrow<'b, 'a: 'b>(item: &'a [u8]) -> &'b [u8] {
        item
    }

    fn index(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends.index(before));
        &self.buffer[start..self.ends.index(index)]
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

type RowLayout = (Bytes, Bytes, Times, Vec<i64>, OffsetList);
type RowBuilder = OrdValBuilder<RowLayout, Vec<((Row, Row), u64, i64)>>;
pub(crate) type RowSpine = Spine<Rc<OrdValBatch<RowLayout>>>;
type RowBatcher =
    MergeBatcher<ContainerChunker<Vec<((Row, Row), u64, i64)>>, VecMerger<(Row, Row), u64, i64>, RowBuilder>;

type KeyLayout = (Bytes, Vec<()>, Times, Vec<i64>, OffsetList);
type KeyBuilder = OrdKeyBuilder<KeyLayout, Vec<((Row, ()), u64, i64)>>;
type KeySpine = Spine<Rc<OrdKeyBatch<KeyLayout>>>;
type KeyBatcher =
    MergeBatcher<ContainerChunker<Vec<((Row, ()), u64, i64)>>, VecMerger<(Row, ()), u64, i64>, KeyBuilder>;

/// What is kept of rows by a key; other dataflows of the worker can import it.
pub type RowTrace = TraceAgent<RowSpine>;

/// What is kept of keys: how often each is there.
pub type KeyTrace = TraceAgent<KeySpine>;

/// Rows arranged by a key.
pub type RowArranged<'scope> = Arranged<'scope, RowTrace>;

/// Keys arranged.
pub type KeyArranged<'scope> = Arranged<'scope, KeyTrace>;

/// Arranges `(key, row)` by key; rows of one key meet on one worker.
pub fn arrange_rows<'scope>(rows: VecCollection<'scope, u64, (Row, Row), i64>, name: &str) -> RowArranged<'scope> {
    rows.arrange_named::<RowBatcher, RowSpine>(name, RowBatcher::new)
}

/// Arranges keys with their multiplicities.
pub fn arrange_keys<'scope>(keys: Rows<'scope>, name: &str) -> KeyArranged<'scope> {
    keys.map(|key| (key, ())).arrange_named::<KeyBatcher, KeySpine>(name, KeyBatcher::new)
}

/// One of 256 buckets for a row, spread evenly.
#[must_use]
pub fn bucket_of(row: &[u8]) -> u8 {
    (row.hashed() >> 24) as u8
}
