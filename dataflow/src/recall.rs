//! Batches of the table store that a scan can read again while the store retains them. It keeps none of them alive.

use std::ops::Range;
use std::sync::{Arc, Weak};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use watershed_model::Table;

use crate::stored::StoredBatch;

/// A worker's part of a stored batch, and the first and last `time_` in it.
pub(crate) struct Recall {
    table: &'static Table,
    schema: SchemaRef,
    columns: Box<[Weak<dyn Array>]>,
    rows: Range<usize>,
    first_ns: i64,
    last_ns: i64,
}

impl Recall {
    /// `None` for a batch without rows or times.
    pub(crate) fn of(
        table: &'static Table,
        origin: &RecordBatch,
        rows: Range<usize>,
        times: Option<&[i64]>,
    ) -> Option<Self> {
        let (first_ns, last_ns) = (*times?.iter().min()?, *times?.iter().max()?);
        let columns = origin.columns().iter().map(Arc::downgrade).collect();
        Some(Recall { table, schema: origin.schema(), columns, rows, first_ns, last_ns })
    }

    /// The last `time_` in it.
    pub(crate) fn last_ns(&self) -> i64 {
        self.last_ns
    }

    /// Whether it may have rows of that time.
    pub(crate) fn reaches(&self, times: &Range<i64>) -> bool {
        self.first_ns < times.end && self.last_ns >= times.start
    }

    /// The rows, if the store still has them.
    pub(crate) fn read(&self) -> Option<StoredBatch> {
        let columns: Option<Vec<ArrayRef>> = self.columns.iter().map(Weak::upgrade).collect();
        let origin = RecordBatch::try_new(Arc::clone(&self.schema), columns?).ok()?;
        Some(StoredBatch::part(self.table, &origin, self.rows.clone()))
    }
}
