//! Alerts as rows of `system.alerts`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use watershed_model::tables::{SYSTEM_ALERTS, SYSTEM_LOSSES};
use watershed_model::{StateChange, TickTime};

use super::machine::Alert;

/// Rows of a script's alerts that come and go.
pub(super) fn change(script: &str, changes: &[(Alert, i64)]) -> StateChange {
    let text = |of: &dyn Fn(&Alert) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(changes.iter().map(|(alert, _)| of(alert))))
    };
    let time = |of: &dyn Fn(&Alert) -> u64| -> ArrayRef {
        let times = changes.iter().map(|(alert, _)| TickTime(of(alert)).as_nanoseconds());
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00"))
    };
    let columns = vec![
        text(&|_| script.to_owned()),
        text(&|alert| alert.subject.clone()),
        text(&|alert| state_of(alert).to_owned()),
        time(&|alert| alert.since),
        time(&|alert| alert.raised),
        time(&|alert| alert.cleared.unwrap_or_default()),
        text(&|alert| alert.row.clone()),
    ];
    let rows = RecordBatch::try_new(SYSTEM_ALERTS.storage_schema(), columns)
        .expect("the columns are those of the table, all of one length");
    StateChange { table: SYSTEM_ALERTS.name, rows, diffs: changes.iter().map(|(_, diff)| *diff).collect() }
}

/// A row of `system.losses`; `time` in milliseconds.
pub(super) fn loss(node: &str, reason: &str, time: u64, count: u64) -> RecordBatch {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let number = |number: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![number as i64])) };
    let time = TimestampNanosecondArray::from(vec![TickTime(time).as_nanoseconds()]).with_timezone("+00:00");
    let columns = vec![Arc::new(time) as ArrayRef, text(node), text("alerts"), text(reason), number(count), number(0)];
    RecordBatch::try_new(SYSTEM_LOSSES.storage_schema(), columns).expect("the columns are those of the table")
}

/// As the table and messages say it.
pub(super) fn state_of(alert: &Alert) -> &'static str {
    if alert.cleared.is_some() { "cleared" } else { "raised" }
}
