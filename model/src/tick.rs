//! What ingest hands to the dataflow: everything that became known in one tick, as one atomic change.

use arrow::array::RecordBatch;

/// Milliseconds since the Unix epoch: the timestamp of every view, and the `T` that users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TickTime(pub u64);

impl TickTime {
    /// The same instant in nanoseconds, as `time_` columns count.
    #[must_use]
    pub fn as_nanoseconds(self) -> i64 {
        (self.0 as i64).saturating_mul(1_000_000)
    }
}

/// Rows of a state table that appeared (`+1`) or went (`-1`); `diffs` has one entry a row.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// Name of a table of [`crate::Kind::State`].
    pub table: &'static str,
    /// Rows in the table's storage schema.
    pub rows: RecordBatch,
    /// How each row's multiplicity changed.
    pub diffs: Vec<i64>,
}

/// All that one tick brought. Ticks follow each other with strictly growing times, data or not.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// The tick's time; `now()` of a continuous view is this.
    pub time: TickTime,
    /// Events by table name, in the tables' storage schemas; at most one batch a table.
    pub events: Vec<(&'static str, RecordBatch)>,
    /// Changes of state tables.
    pub states: Vec<StateChange>,
}

impl Tick {
    /// Bytes that the tick's rows hold in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(|(_, batch)| batch.get_array_memory_size()).sum();
        let states: usize = self.states.iter().map(|change| change.rows.get_array_memory_size()).sum();
        events + states
    }
}

/// Something that was lost, as counted where it was lost: one row of `system.losses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The part that lost it: `kernel`, `ingest`, `dataflow`, a view's name.
    pub source: String,
    /// Why, as a short lower-case name such as `ring_full`.
    pub reason: String,
    /// How many events, messages or rows.
    pub count: i64,
    /// How many bytes, 0 where bytes do not apply.
    pub bytes: i64,
}
