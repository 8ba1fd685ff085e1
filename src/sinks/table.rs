//! `system.sinks`: rows of all sinks, refreshed about once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use watershed_model::StateChange;
use watershed_model::tables::SYSTEM_SINKS;
use watershed_proto::v1;

use super::Sinks;
use crate::feed::{Fed, Feed};

const EVERY: Duration = Duration::from_secs(1);

/// Keeps the table until nothing is taken any more.
pub(crate) async fn keep(sinks: Arc<Sinks>, feed: Feed) {
    let mut shown: BTreeMap<String, v1::Sink> = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let now: BTreeMap<String, v1::Sink> = sinks.list().into_iter().map(|sink| (sink.name.clone(), sink)).collect();
        let mut changes: Vec<(&v1::Sink, i64)> = Vec::new();
        changes.extend(shown.iter().filter(|(name, sink)| now.get(*name) != Some(sink)).map(|(_, sink)| (sink, -1)));
        changes.extend(now.iter().filter(|(name, sink)| shown.get(*name) != Some(sink)).map(|(_, sink)| (sink, 1)));
        if changes.is_empty() {
            continue;
        }
        match rows(&changes) {
            Ok(rows) => {
                let diffs = changes.iter().map(|(_, diff)| *diff).collect();
                let change = StateChange { table: SYSTEM_SINKS.name, rows, diffs };
                if !feed.send(Fed::States(vec![change])).await {
                    return;
                }
            }
            Err(error) => tracing::error!("rows for {} do not fit its schema: {error}", SYSTEM_SINKS.name),
        }
        shown = now;
    }
}

fn rows(changes: &[(&v1::Sink, i64)]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |of: fn(&v1::Sink) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(changes.iter().map(|(sink, _)| of(sink))))
    };
    let number = |of: fn(&v1::Sink) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            changes.iter().map(|(sink, _)| i64::try_from(of(sink)).unwrap_or(i64::MAX)),
        ))
    };
    let columns = vec![
        text(|sink| &sink.name),
        text(|sink| &sink.kind),
        text(|sink| &sink.view),
        text(|sink| &sink.phase),
        number(|sink| sink.lag_ns),
        number(|sink| sink.written),
        number(|sink| sink.retried),
        number(|sink| sink.dropped),
        number(|sink| sink.restarts),
        number(|sink| sink.waiting_bytes),
        text(|sink| &sink.reason),
    ];
    RecordBatch::try_new(SYSTEM_SINKS.storage_schema(), columns)
}
