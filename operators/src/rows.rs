//! Rows as bytes, and arrangements that keep them in one arena a batch instead of one allocation a row.

use std::rc::Rc;

use differential_dataflow::ExchangeData;
use differential_dataflow::VecCollection;
use differential_dataflow::batcher::merge::MergeBatcher;
use differential_dataflow::batcher::merge::chunker::ContainerChunker;
use differential_dataflow::batcher::merge::vec::VecMerger;
use differential_dataflow::difference::Semigroup;
use differential_dataflow::hashable::Hashable;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::containers::BatchContainer;
use differential_dataflow::trace::implementations::ord_neu::{OrdKeyBatch, OrdKeyBuilder, OrdValBatch, OrdValBuilder};
use differential_dataflow::trace::implementations::{OffsetList, spine_fueled::Spine};
use timely::container::PushInto;

/// A row or key, encoded so that byte order is the order of values.
pub type Row = Vec<u8>;

/// A multiset of rows that changes with the tick (milliseconds).
pub type Rows<'scope> = VecCollection<'scope, u64, Row, i64>;

/// Byte strings end to end in one buffer.
#[derive(Default)]
pub struct Bytes {
    /// Where each string ends.
    ends: Vec<usize>,
    buffer: Vec<u8>,
}

impl Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.ends.push(self.buffer.len());
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
        Bytes { ends: Vec::with_capacity(size), buffer: Vec::new() }
    }

    fn merge_capacity(left: &Self, right: &Self) -> Self {
        Bytes {
            ends: Vec::with_capacity(left.ends.len() + right.ends.len()),
            buffer: Vec::with_capacity(left.buffer.len() + right.buffer.len()),
        }
    }

    fn reborrow<'b, 'a: 'b>(item: &'a [u8]) -> &'b [u8] {
        item
    }

    fn index(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.buffer[start..self.ends[index]]
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

type RowLayout = (Bytes, Bytes, Vec<u64>, Vec<i64>, OffsetList);
pub(crate) type RowBuilder = OrdValBuilder<RowLayout, Vec<((Row, Row), u64, i64)>>;
pub(crate) type RowSpine = Spine<Rc<OrdValBatch<RowLayout>>>;
type RowBatcher =
    MergeBatcher<ContainerChunker<Vec<((Row, Row), u64, i64)>>, VecMerger<(Row, Row), u64, i64>, RowBuilder>;

type KeyLayout<R> = (Bytes, Vec<()>, Vec<u64>, Vec<R>, OffsetList);
type KeyBuilder<R> = OrdKeyBuilder<KeyLayout<R>, Vec<((Row, ()), u64, R)>>;
pub(crate) type KeySpine<R> = Spine<Rc<OrdKeyBatch<KeyLayout<R>>>>;
type KeyBatcher<R> =
    MergeBatcher<ContainerChunker<Vec<((Row, ()), u64, R)>>, VecMerger<(Row, ()), u64, R>, KeyBuilder<R>>;

/// Rows arranged by a key.
pub type RowArranged<'scope> = Arranged<'scope, TraceAgent<RowSpine>>;

/// Keys arranged with what is summed for each.
pub type KeyArranged<'scope, R> = Arranged<'scope, TraceAgent<KeySpine<R>>>;

/// Arranges `(key, row)` by key; rows of one key meet on one worker.
pub fn arrange_rows<'scope>(rows: VecCollection<'scope, u64, (Row, Row), i64>, name: &str) -> RowArranged<'scope> {
    rows.arrange_named::<RowBatcher, RowSpine>(name, RowBatcher::new)
}

/// Arranges keys with their sums.
pub fn arrange_keys<'scope, R>(keys: VecCollection<'scope, u64, Row, R>, name: &str) -> KeyArranged<'scope, R>
where
    R: ExchangeData + Semigroup,
{
    keys.map(|key| (key, ())).arrange_named::<KeyBatcher<R>, KeySpine<R>>(name, KeyBatcher::<R>::new)
}

/// One of 256 buckets for a row, spread evenly.
#[must_use]
pub fn bucket_of(row: &[u8]) -> u8 {
    (row.hashed() >> 24) as u8
}
