//! Rows that come from beside the source (the cluster, detectors, alerts): they join the next tick.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tokio::sync::mpsc;
use watershed_model::{StateChange, Tick};

/// So much may wait for the next tick; who sends more waits.
const WAITING_LIMIT: usize = 64;

/// Rows for the next tick.
#[derive(Debug)]
pub(crate) enum Fed {
    /// Rows of an event table, in its storage schema.
    Events(&'static str, RecordBatch),
    /// Changes of state tables.
    States(Vec<StateChange>),
}

/// Where rows from beside the source are sent to; the ticks take them at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Feed(mpsc::Sender<Fed>);

impl Feed {
    /// Sends rows; waits while too many do. False once nothing is taken any more.
    pub(crate) async fn send(&self, fed: Fed) -> bool {
        self.0.send(fed).await.is_ok()
    }
}

/// The end that the ticks take from.
#[derive(Debug)]
pub(crate) struct Waiting(mpsc::Receiver<Fed>);

/// Both ends.
pub(crate) fn feed() -> (Feed, Waiting) {
    let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
    (Feed(sender), Waiting(receiver))
}

impl Waiting {
    /// Moves what waits into a tick.
    pub(crate) fn join(&mut self, tick: &mut Tick) {
        while let Ok(fed) = self.0.try_recv() {
            match fed {
                Fed::States(changes) => tick.states.extend(changes),
                Fed::Events(table, rows) => add(tick, table, rows),
            }
        }
    }
}

fn add(tick: &mut Tick, table: &'static str, rows: RecordBatch) {
    let Some((_, present)) = tick.events.iter_mut().find(|(name, _)| *name == table) else {
        tick.events.push((table, rows));
        return;
    };
    match concat_batches(&present.schema(), [&*present, &rows]) {
        Ok(both) => *present = both,
        Err(error) => tracing::error!("rows for {table} do not fit its schema: {error}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use watershed_model::TickTime;
    use watershed_model::tables::HTTP_EVENTS;

    use super::*;

    #[tokio::test]
    async fn rows_of_one_table_become_one_batch() {
        let (feed, mut waiting) = feed();
        let empty = RecordBatch::new_empty(HTTP_EVENTS.storage_schema());
        for _ in 0..3 {
            assert!(feed.send(Fed::Events(HTTP_EVENTS.name, empty.clone())).await);
        }
        let mut tick = Tick { time: TickTime(1), ..Tick::default() };
        waiting.join(&mut tick);
        assert_eq!(tick.events.len(), 1);
        drop(waiting);
        assert!(!feed.send(Fed::States(Vec::new())).await);
    }
}
