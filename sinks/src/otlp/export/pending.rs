//! Rows that came and were not sent.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use watershed_model::cells::{Cell, Cells};

use crate::endpoint::{Batch, Changes};
use crate::lines;

/// Most rows that wait for their moment; more are sent at once.
const ROWS_MAX: usize = 10_000;

/// The columns of changes by name.
pub(super) struct Columns(BTreeMap<String, Cells>);

/// A row to be sent.
pub(super) struct Row {
    columns: Arc<Columns>,
    at: usize,
    /// The same for the same row of the same node.
    identity: u64,
}

/// Rows by what they hold.
pub(super) struct Rows {
    node: String,
    /// Which one, and how often it came less how often it went.
    waiting: HashMap<String, (Arc<Columns>, usize, i64)>,
}

impl Rows {
    pub(super) fn new(node: &str) -> Self {
        Self { node: node.to_owned(), waiting: HashMap::new() }
    }

    /// Takes what changed; what came and went meanwhile is not sent.
    pub(super) fn apply(&mut self, batch: &Batch) {
        if batch.snapshot {
            self.waiting.clear();
        }
        for changes in &batch.changes {
            let columns = Arc::new(Columns::of(changes));
            for (at, (line, diff)) in lines::rows(changes).enumerate() {
                let waiting = self.waiting.entry(line).or_insert_with(|| (Arc::clone(&columns), at, 0));
                waiting.2 += diff;
            }
        }
        self.waiting.retain(|_, (_, _, count)| *count != 0);
    }

    pub(super) fn are_many(&self) -> bool {
        self.waiting.len() > ROWS_MAX
    }

    /// The rows that came, each as often as it did, in a fixed order.
    pub(super) fn take(&mut self) -> Vec<Row> {
        let came = self.waiting.drain().filter(|(_, (_, _, count))| *count > 0);
        let mut came: Vec<_> = came.collect();
        came.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let row = |(line, (columns, at, count)): (String, (Arc<Columns>, usize, i64))| {
            let node = &self.node;
            (0..count).map(move |nth| {
                let mut hasher = DefaultHasher::new();
                (node, &line, nth).hash(&mut hasher);
                Row { columns: Arc::clone(&columns), at, identity: hasher.finish() }
            })
        };
        came.into_iter().flat_map(|one| row(one).collect::<Vec<_>>()).collect()
    }
}

impl Columns {
    fn of(changes: &Changes) -> Self {
        let schema = changes.rows.schema();
        let named = schema.fields().iter().zip(changes.rows.columns());
        Self(named.map(|(field, column)| (field.name().clone(), Cells::of(column))).collect())
    }
}

impl Row {
    /// A column's value; nothing where there is no such column.
    pub(super) fn cell(&self, column: &str) -> Cell<'_> {
        self.columns.0.get(column).map_or(Cell::Null, |cells| cells.at(self.at))
    }

    /// Eight bytes that are not all zero, others for each salt.
    pub(super) fn id(&self, salt: u8) -> [u8; 8] {
        let mut hasher = DefaultHasher::new();
        (salt, self.identity).hash(&mut hasher);
        hasher.finish().max(1).to_be_bytes()
    }
}
