//! When the owners of addresses changed, as a worker's scans know it. Every worker knows all of it.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampNanosecondType;
use arrow::error::ArrowError;
use watershed_model::tables::K8S_ADDRESSES;
use watershed_operators::reserve_gently;

use crate::stored::StoredBatch;

/// The state table that says it.
pub(crate) const OWNERS: &str = K8S_ADDRESSES.name;

/// Changes by address: the time, ascending, and how many intervals begin or end there.
#[derive(Default)]
pub(crate) struct OwnerChanges {
    by_address: HashMap<Box<str>, Vec<(i64, i64)>, foldhash::fast::RandomState>,
}

/// What was learned of an address; a time that only came or went in passing is not told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// Changes that were not known before, ascending.
    pub(crate) come: Vec<i64>,
    /// Changes that are not true any more, ascending.
    pub(crate) gone: Vec<i64>,
}

impl OwnerChanges {
    /// The last change up to a time; 0 where there is none.
    pub(crate) fn since(&self, address: &str, time_ns: i64) -> i64 {
        let Some(changes) = self.by_address.get(address) else { return 0 };
        let later = changes.partition_point(|(change, _)| *change <= time_ns);
        later.checked_sub(1).map_or(0, |last| changes[last].0)
    }

    /// The first change after a time.
    pub(crate) fn next(&self, address: &str, time_ns: i64) -> Option<i64> {
        let changes = self.by_address.get(address)?;
        changes.get(changes.partition_point(|(change, _)| *change <= time_ns)).map(|(change, _)| *change)
    }

    /// Takes rows of the table that come and go.
    pub(crate) fn learn(&mut self, rows: &StoredBatch, diffs: &[i64]) -> Result<Vec<(Box<str>, Learned)>, ArrowError> {
        let position = |name| K8S_ADDRESSES.column(name).unwrap_or_default();
        let columns = rows.columns(&["addr", "valid_from", "valid_to"].map(position))?;
        let malformed = || ArrowError::SchemaError(format!("{OWNERS} has other columns"));
        let addresses = columns.column(0).as_string_opt::<i32>().ok_or_else(malformed)?;
        let times = [1, 2].map(|at| columns.column(at).as_primitive_opt::<TimestampNanosecondType>());
        let mut sums: HashMap<&str, HashMap<i64, i64>> = HashMap::new();
        for time in times {
            let time = time.ok_or_else(malformed)?;
            for (row, diff) in diffs.iter().enumerate().take(addresses.len()) {
                if time.value(row) != 0 && addresses.value(row) != "-" {
                    *sums.entry(addresses.value(row)).or_default().entry(time.value(row)).or_default() += diff;
                }
            }
        }
        let learned = sums.into_iter().map(|(address, sums)| (address.into(), self.add(address, sums)));
        Ok(learned.filter(|(_, learned)| *learned != Learned::default()).collect())
    }

    fn add(&mut self, address: &str, sums: HashMap<i64, i64>) -> Learned {
        let changes = self.by_address.entry(address.into()).or_default();
        let mut learned = Learned::default();
        for (time, diff) in sums {
            let (at, known) = match changes.binary_search_by_key(&time, |(time, _)| *time) {
                Ok(at) => (at, changes[at].1),
                Err(at) => (at, 0),
            };
            match (known, known + diff) {
                (0, 0) => {}
                (0, count) => {
                    reserve_gently(changes, 1);
                    changes.insert(at, (time, count));
                    learned.come.push(time);
                }
                (_, 0) => {
                    changes.remove(at);
                    learned.gone.push(time);
                }
                (_, count) => changes[at].1 = count,
            }
        }
        if changes.is_empty() {
            self.by_address.remove(address);
        }
        learned.come.sort_unstable();
        learned.gone.sort_unstable();
        learned
    }
}
