//! Batches as workers read them: columns are rendered from their stored form once a batch, for all views together.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, TimestampNanosecondType};
use arrow::error::ArrowError;
use watershed_model::Table;
use watershed_query::render_columns;

/// A stored batch and the columns of it that were rendered so far.
pub(crate) struct StoredBatch {
    table: &'static Table,
    batch: RecordBatch,
    rendered: RefCell<Vec<Option<ArrayRef>>>,
}

impl StoredBatch {
    pub(crate) fn new(table: &'static Table, batch: RecordBatch) -> Self {
        StoredBatch { table, rendered: RefCell::new(vec![None; table.columns.len()]), batch }
    }

    /// Name of the table.
    pub(crate) fn table(&self) -> &'static str {
        self.table.name
    }

    pub(crate) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// `time_` of each row.
    pub(crate) fn times(&self) -> Option<&[i64]> {
        let times = self.batch.columns().first()?.as_primitive_opt::<TimestampNanosecondType>()?;
        Some(times.values())
    }

    /// The columns at these positions, in the schema that plans see.
    pub(crate) fn columns(&self, positions: &[usize]) -> Result<RecordBatch, ArrowError> {
        let mut rendered = self.rendered.borrow_mut();
        let mut columns = Vec::with_capacity(positions.len());
        for position in positions {
            let known = rendered.get_mut(*position).ok_or_else(|| ArrowError::SchemaError("no such column".into()))?;
            if known.is_none() {
                *known = render_columns(self.table, &self.batch, &[*position])?.columns().first().cloned();
            }
            columns.extend(known.clone());
        }
        let fields: Vec<_> = positions.iter().map(|at| self.table.columns[*at].field()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }
}
