//! The half of a sink that follows the view: it closes batches and never waits for the endpoint.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use tokio::time::Instant;

use crate::buffer::{Buffer, Refusal};
use crate::endpoint::{Batch, Changes};
use crate::feed::{Event, Feed, Follow, Shape};
use crate::retry::{Backoff, RetryPolicy};
use crate::status::Status;

/// A frontier that moves without changes is passed on this often.
const MARK_EVERY: Duration = Duration::from_millis(500);

/// Follows the view whenever the buffer wants it. Ends only by being dropped.
pub(crate) async fn run(feed: &dyn Feed, buffer: &Buffer, status: &Status, policy: RetryPolicy) {
    let mut backoff = Backoff::new(policy);
    loop {
        let epoch = buffer.wanted().await;
        let ended = match feed.follow().await {
            Ok(mut follow) => {
                backoff.reset();
                match follow_one(follow.as_mut(), epoch, buffer, status).await {
                    Some(ended) => ended,
                    None => continue,
                }
            }
            Err(ended) => ended.to_string(),
        };
        status.change(|status| status.reason = ended);
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Why the subscription ended; `None` when it was let go of.
async fn follow_one(follow: &mut dyn Follow, epoch: u64, buffer: &Buffer, status: &Status) -> Option<String> {
    let mut open = Open::new(Arc::new(follow.shape().clone()));
    loop {
        let event = tokio::select! {
            event = follow.next() => event,
            // The writer lost track of its endpoint; it asks for a snapshot when it is ready.
            () = buffer.stale(epoch) => return None,
        };
        let event = match event {
            Ok(event) => event,
            Err(ended) => return Some(ended.to_string()),
        };
        match event {
            Event::Changes { time, rows, diffs, snapshot } => {
                open.add(Changes { time, rows, diffs }, snapshot);
                if !open.snapshot && !buffer.has_room(open.bytes) {
                    give_up(status, buffer.give_up() + open.rows);
                    return None;
                }
            }
            Event::Progress(time) => {
                status.change(|status| status.closed = time);
                match open.close(time).map_or(Ok(()), |batch| buffer.push(epoch, batch)) {
                    Ok(()) => (),
                    Err(Refusal::Stale) => return None,
                    Err(Refusal::Full(dropped)) => {
                        give_up(status, dropped);
                        return None;
                    }
                }
                status.change(|status| status.waiting_bytes = buffer.bytes());
            }
            Event::Restart(_) => open = Open::new(Arc::new(follow.shape().clone())),
        }
    }
}

fn give_up(status: &Status, dropped: u64) {
    status.change(|status| {
        status.dropped += dropped;
        status.restarts += 1;
        status.waiting_bytes = 0;
        status.reason = "the endpoint is too slow: the buffer was full, a snapshot replaces what waited".to_owned();
    });
}

/// The batch that is not closed yet.
struct Open {
    shape: Arc<Shape>,
    /// Whether the next batch replaces everything.
    snapshot: bool,
    changes: Vec<Changes>,
    bytes: usize,
    rows: u64,
    last: Option<Instant>,
}

impl Open {
    fn new(shape: Arc<Shape>) -> Self {
        Self { shape, snapshot: true, changes: Vec::new(), bytes: 0, rows: 0, last: None }
    }

    fn add(&mut self, changes: Changes, snapshot: bool) {
        let changes = if self.shape.append { only_new(changes) } else { changes };
        self.snapshot |= snapshot;
        self.bytes += changes.rows.get_array_memory_size();
        self.rows += changes.diffs.len() as u64;
        self.changes.push(changes);
    }

    /// The batch, unless nothing happened for so short a time that nobody needs to know.
    fn close(&mut self, frontier: u64) -> Option<Batch> {
        let snapshot = mem::take(&mut self.snapshot);
        let due = self.last.is_none_or(|last| last.elapsed() >= MARK_EVERY);
        if self.changes.is_empty() && !snapshot && !due {
            return None;
        }
        self.last = Some(Instant::now());
        (self.bytes, self.rows) = (0, 0);
        Some(Batch { frontier, snapshot, shape: Arc::clone(&self.shape), changes: mem::take(&mut self.changes) })
    }
}

/// Without the rows that leave: what was appended stays.
fn only_new(changes: Changes) -> Changes {
    if changes.diffs.iter().all(|diff| *diff > 0) {
        return changes;
    }
    let comes: BooleanArray = changes.diffs.iter().map(|diff| Some(*diff > 0)).collect();
    let rows = filter_record_batch(&changes.rows, &comes).expect("one flag a row");
    Changes { time: changes.time, rows, diffs: changes.diffs.into_iter().filter(|diff| *diff > 0).collect() }
}
