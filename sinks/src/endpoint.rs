//! The shape of every sink: it opens, takes closed batches, closes. What goes wrong tells the runner what to do.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::feed::{Pending, Shape};

/// Everything that changed up to a frontier, as one unit.
#[derive(Debug, Clone)]
pub struct Batch {
    /// All changes at or before this time (ms) are in this batch or in those before it.
    pub frontier: u64,
    /// Whether this is a whole view, which replaces whatever the endpoint was given before.
    pub snapshot: bool,
    /// Of which view.
    pub shape: Arc<Shape>,
    /// The changes, by time.
    pub changes: Vec<Changes>,
}

/// Rows whose multiplicities changed by `diffs` at `time` (ms).
#[derive(Debug, Clone)]
pub struct Changes {
    /// When.
    pub time: u64,
    /// Which rows.
    pub rows: RecordBatch,
    /// By how much.
    pub diffs: Vec<i64>,
}

impl Batch {
    /// Number of changed rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.changes.iter().map(|changes| changes.diffs.len()).sum()
    }

    /// Adds the batch that comes after it, so that both are one unit; neither is a snapshot, and both are of one shape.
    pub(crate) fn join(&mut self, next: &Batch) {
        self.changes.extend(next.changes.iter().cloned());
        self.frontier = next.frontier;
    }

    /// Memory that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |changes: &Changes| changes.rows.get_array_memory_size() + 8 * changes.diffs.len();
        size_of::<Self>() + self.changes.iter().map(of).sum::<usize>()
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Records or lines that the endpoint took.
    pub rows: u64,
    /// Rows that it can never take, with the reason of the last of them.
    pub dropped: u64,
    /// Why rows were dropped.
    pub reason: Option<String>,
    /// Whether the next batch must be a snapshot.
    pub begin_again: bool,
}

impl Written {
    /// Notes a row that cannot be written.
    pub fn drop_row(&mut self, reason: impl Into<String>) {
        self.dropped += 1;
        self.reason = Some(reason.into());
    }
}

/// What went wrong, by what can be done about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// Nothing of the batch was taken; it may be tried again.
    #[error("{0}")]
    Retry(String),
    /// What the endpoint holds is not known: it must be opened again and given a snapshot.
    #[error("{0}")]
    Reopen(String),
    /// Trying again cannot help: the sink stops.
    #[error("{0}")]
    Fatal(String),
}

/// Where a sink writes to. Every kind of sink is one of these; the runner does the rest.
pub trait Endpoint: Send {
    /// Connects, and finds out what is there. Called before the first batch and after [`Fault::Reopen`]; the batch
    /// after it is a snapshot.
    fn open(&mut self, shape: Arc<Shape>) -> Pending<'_, Result<(), Fault>>;

    /// Writes a batch, whole or not at all as far as the endpoint can.
    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>>;

    /// Bytes up to which batches that wait are handed over as one; 0 where each is written by itself.
    fn joined_bytes(&self) -> usize {
        0
    }

    /// Ends in order; nothing is written after it.
    fn close(&mut self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}
