//! Flags as rows of `system.flags`: asserted and retracted exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use serde_json::{Map, Value, json};
use watershed_detectors::manifest::Manifest;
use watershed_detectors::{Change, Raised};
use watershed_model::StateChange;
use watershed_model::tables::SYSTEM_FLAGS;

use super::rows::Features;

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flag {
    pub(crate) detector: String,
    pub(crate) subject: String,
    /// Nanoseconds since the epoch.
    pub(crate) since: i64,
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) reason: String,
    /// JSON.
    pub(crate) evidence: String,
}

/// The flags of one detector that stand, by subject.
#[derive(Default)]
pub(super) struct Flags(BTreeMap<String, Flag>);

impl Flags {
    /// What a batch changed, as rows with diffs.
    pub(super) fn apply(&mut self, manifest: &Manifest, changes: Vec<Change>, features: &Features) -> Vec<(Flag, i64)> {
        let mut rows = Vec::new();
        for change in changes {
            match change {
                Change::Raised(raised) => {
                    let flag = flag(manifest, raised, features);
                    rows.extend(self.0.insert(flag.subject.clone(), flag.clone()).map(|before| (before, -1)));
                    rows.push((flag, 1));
                }
                Change::Cleared(subject) => rows.extend(self.0.remove(&subject).map(|flag| (flag, -1))),
            }
        }
        rows
    }

    /// All of them, as retractions.
    pub(super) fn take_back(&mut self) -> Vec<(Flag, i64)> {
        std::mem::take(&mut self.0).into_values().map(|flag| (flag, -1)).collect()
    }
}

fn flag(manifest: &Manifest, raised: Raised, features: &Features) -> Flag {
    let named = |values: &mut dyn Iterator<Item = Value>| -> Map<String, Value> {
        manifest.features.iter().cloned().zip(values).filter(|(_, value)| !value.is_null()).collect()
    };
    let evidence = json!({
        "subject": features.parts(manifest, &raised.subject),
        "features": named(&mut raised.features.iter().map(|value| json!(value))),
        "baseline": named(&mut raised.baseline.iter().map(|value| json!(value))),
        "rows": features.contributed(&raised.subject),
    });
    Flag {
        detector: manifest.name.clone(),
        subject: raised.subject,
        since: raised.since,
        score: raised.score,
        threshold: raised.threshold,
        reason: raised.reason,
        evidence: evidence.to_string(),
    }
}

/// Rows as a change of the table; `None` without rows.
pub(super) fn state_change(rows: &[(Flag, i64)]) -> Option<StateChange> {
    if rows.is_empty() {
        return None;
    }
    let text = |of: fn(&Flag) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(flag, _)| of(flag))))
    };
    let float = |of: fn(&Flag) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(flag, _)| of(flag))))
    };
    let since = TimestampNanosecondArray::from_iter_values(rows.iter().map(|(flag, _)| flag.since));
    let columns = vec![
        text(|flag| &flag.detector),
        text(|flag| &flag.subject),
        Arc::new(since.with_timezone("+00:00")),
        float(|flag| flag.score),
        float(|flag| flag.threshold),
        text(|flag| &flag.reason),
        text(|flag| &flag.evidence),
    ];
    let batch = RecordBatch::try_new(SYSTEM_FLAGS.storage_schema(), columns).expect("columns in the table's order");
    Some(StateChange { table: SYSTEM_FLAGS.name, rows: batch, diffs: rows.iter().map(|(_, diff)| *diff).collect() })
}
