//! Batches as workers read them: columns are rendered from their stored form once a batch, for all views together.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Schema, TimestampNanosecondType};
use arrow::error::ArrowError;
use foldhash::fast::RandomState;
use watershed_model::Table;
use watershed_query::render_column;

use crate::alike::{Alike, alike};
use crate::recall::Recall;
use crate::scan::{Keyed, Keying};

/// A stored batch and the columns of it that were rendered so far.
pub(crate) struct StoredBatch {
    table: &'static Table,
    batch: RecordBatch,
    rendered: RefCell<Vec<Option<ArrayRef>>>,
    origin: RecordBatch,
    part: Range<usize>,
    recall: OnceCell<Option<Rc<Recall>>>,
    alike: RefCell<HashMap<Vec<usize>, Option<Rc<Alike>>, RandomState>>,
    keyed: RefCell<HashMap<Rc<str>, Option<Rc<Keyed>>, RandomState>>,
}

impl StoredBatch {
    pub(crate) fn new(table: &'static Table, batch: &RecordBatch) -> Self {
        let part = 0..batch.num_rows();
        StoredBatch::part(table, batch, part)
    }

    /// Some rows of a batch.
    pub(crate) fn part(table: &'static Table, origin: &RecordBatch, part: Range<usize>) -> Self {
        let whole = part == (0..origin.num_rows());
        let batch = if whole { origin.clone() } else { origin.slice(part.start, part.len()) };
        let rendered = RefCell::new(vec![None; table.columns.len()]);
        StoredBatch {
            table,
            batch,
            rendered,
            origin: origin.clone(),
            part,
            recall: OnceCell::new(),
            alike: RefCell::default(),
            keyed: RefCell::default(),
        }
    }

    /// What it takes to read it again later.
    pub(crate) fn recall(&self) -> Option<Rc<Recall>> {
        let recall = || Recall::of(self.table, &self.origin, self.part.clone(), self.times()).map(Rc::new);
        self.recall.get_or_init(recall).clone()
    }

    /// Its rows of a span of time.
    pub(crate) fn within(&self, times: &Range<i64>) -> Result<StoredBatch, ArrowError> {
        let mask: BooleanArray = self.times().into_iter().flatten().map(|time| Some(times.contains(time))).collect();
        Ok(StoredBatch::new(self.table, &filter_record_batch(&self.batch, &mask)?))
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
            let known = rendered.get_mut(*position).ok_or_else(missing)?;
            if known.is_none() {
                *known = Some(self.render(*position, self.batch.columns().get(*position).ok_or_else(missing)?)?);
            }
            columns.extend(known.clone());
        }
        self.batch_of(positions, columns, self.rows())
    }

    /// The same of some rows.
    pub(crate) fn columns_of(&self, positions: &[usize], rows: &UInt32Array) -> Result<RecordBatch, ArrowError> {
        let column = |at: &usize| {
            let stored = self.batch.columns().get(*at).ok_or_else(missing)?;
            self.render(*at, &take(stored, rows, None)?)
        };
        let columns = positions.iter().map(column).collect::<Result<_, ArrowError>>()?;
        self.batch_of(positions, columns, rows.len())
    }

    fn render(&self, position: usize, stored: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        render_column(self.table.columns.get(position).ok_or_else(missing)?.storage, stored)
    }

    fn batch_of(&self, positions: &[usize], columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
        let fields: Vec<_> = positions.iter().map(|at| self.table.columns[*at].field()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }

    /// Rows that have the same in these columns.
    pub(crate) fn alike(&self, positions: &[usize]) -> Option<Rc<Alike>> {
        if let Some(known) = self.alike.borrow().get(positions) {
            return known.clone();
        }
        let columns: Option<Vec<&ArrayRef>> = positions.iter().map(|at| self.batch.columns().get(*at)).collect();
        let found = columns.and_then(|columns| alike(&columns, self.rows())).map(Rc::new);
        self.alike.borrow_mut().insert(positions.to_vec(), found.clone());
        found
    }

    /// The rows by their keys; `None` where an expression fails.
    pub(crate) fn keyed(&self, keying: &Keying) -> Option<Rc<Keyed>> {
        if let Some(known) = self.keyed.borrow().get(keying.identity()) {
            return known.clone();
        }
        let keyed = keying.of(self).ok().map(Rc::new);
        self.keyed.borrow_mut().insert(Rc::clone(keying.identity()), keyed.clone());
        keyed
    }
}

fn missing() -> ArrowError {
    ArrowError::SchemaError("no such column".into())
}
