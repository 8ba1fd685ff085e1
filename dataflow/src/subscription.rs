//! One follower of a view: the whole view first, then changes and progress; a slow one starts again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use watershed_model::TickTime;

use crate::introspection::{Subscriber, Subscribers};
use crate::multiset::Multiset;
use crate::publish::{Message, ViewShared};

/// Rows of a snapshot that travel together.
const SNAPSHOT_ROWS: usize = 8192;

/// How to follow.
#[derive(Debug, Clone)]
pub struct SubscribeOptions {
    /// Whether the rows that are there come first.
    pub snapshot: bool,
    /// Who follows, for `system.subscriptions`.
    pub peer: String,
    /// How soon changes are wanted.
    pub pace: Pace,
}

/// How soon a follower wants changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// At each tick.
    #[default]
    Live,
    /// Within a second, which costs the node far less. If others follow the view live, at each tick.
    Relaxed,
}

/// What a subscriber is handed.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// Rows whose multiplicities changed by `diffs` at `time`.
    Changes {
        /// When.
        time: TickTime,
        /// Which rows, in the view's schema.
        rows: RecordBatch,
        /// By how much, one entry a row.
        diffs: Vec<i64>,
        /// Whether these are rows of the snapshot at `time`.
        snapshot: bool,
    },
    /// All changes at or before this time were handed over; the first one ends the snapshot.
    Progress(TickTime),
    /// Forget all rows; a snapshot follows. Says why.
    Restart(String),
    /// The view is gone.
    Dropped,
}

/// A follower of one view.
pub struct Subscription {
    view: Arc<ViewShared>,
    closed: watch::Receiver<Option<TickTime>>,
    since: TickTime,
    receiver: Option<Receiver<Message>>,
    waiting: VecDeque<Delivery>,
    options: SubscribeOptions,
    counters: Arc<Subscriber>,
    ended: bool,
}

impl Subscription {
    pub(crate) fn new(
        view: Arc<ViewShared>,
        options: SubscribeOptions,
        subscribers: &Subscribers,
        since: TickTime,
    ) -> Self {
        let counters = Arc::new(Subscriber {
            view: view.name.clone(),
            peer: options.peer.clone(),
            since,
            rows: 0.into(),
            restarts: 0.into(),
            position: since.0.into(),
        });
        subscribers.add(&counters);
        let closed = view.closed.subscribe();
        // A view at rest is behind, but no more than who follows it at that pace will be.
        let since = if options.pace == Pace::Live { since } else { TickTime::default() };
        let (receiver, waiting) = (None, VecDeque::new());
        let mut subscription = Subscription { view, closed, since, receiver, waiting, options, counters, ended: false };
        // A view that is up to date is joined at once, so that what is pushed from here on comes as changes.
        let is_ready = subscription.closed.borrow().is_some_and(|closed| closed >= subscription.since);
        if is_ready {
            subscription.join(subscription.options.snapshot);
        }
        subscription
    }

    /// Columns of the rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.view.schema)
    }

    /// The next delivery; `None` after [`Delivery::Dropped`].
    pub async fn next(&mut self) -> Option<Delivery> {
        if self.ended {
            return None;
        }
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return Some(self.count(delivery));
            }
            let Some(receiver) = &mut self.receiver else {
                let since = self.since;
                if self.closed.wait_for(|closed| closed.is_some_and(|closed| closed >= since)).await.is_err() {
                    return Some(self.end());
                }
                self.join(self.options.snapshot);
                continue;
            };
            match receiver.recv().await {
                Ok(Message::Changes { time, rows, diffs }) => {
                    let diffs = diffs.as_ref().clone();
                    return Some(self.count(Delivery::Changes { time, rows, diffs, snapshot: false }));
                }
                Ok(Message::Progress(time)) => return Some(self.count(Delivery::Progress(time))),
                Ok(Message::Dropped) | Err(RecvError::Closed) => return Some(self.end()),
                Err(RecvError::Lagged(_)) => {
                    self.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    self.waiting.push_back(Delivery::Restart("the reader is too slow".to_owned()));
                    self.join(true);
                }
            }
        }
    }

    fn end(&mut self) -> Delivery {
        self.ended = true;
        Delivery::Dropped
    }

    /// Takes the rows at the last closed time and every message after it, as one step under the view's lock.
    fn join(&mut self, snapshot: bool) {
        let state = self.view.state.lock().expect("not poisoned");
        if self.view.dropped.load(Ordering::Acquire) {
            drop(state);
            self.waiting.push_back(Delivery::Dropped);
            self.receiver = Some(self.view.sender.subscribe());
            return;
        }
        let rows = if snapshot { state.rows.clone() } else { Multiset::default() };
        let time = state.closed.unwrap_or_default();
        self.receiver = Some(self.view.sender.subscribe());
        drop(state);
        let rows: Vec<(&[u8], i64)> = rows.iter().collect();
        for part in rows.chunks(SNAPSHOT_ROWS) {
            if let Some(rows) = self.view.decode(part.iter().map(|(row, _)| *row), part.len()) {
                let diffs = part.iter().map(|(_, count)| *count).collect();
                self.waiting.push_back(Delivery::Changes { time, rows, diffs, snapshot: true });
            }
        }
        self.waiting.push_back(Delivery::Progress(time));
    }

    fn count(&mut self, delivery: Delivery) -> Delivery {
        match &delivery {
            Delivery::Changes { diffs, .. } => {
                self.counters.rows.fetch_add(diffs.len() as i64, Ordering::Relaxed);
            }
            Delivery::Progress(time) => self.counters.position.store(time.0, Ordering::Relaxed),
            Delivery::Restart(_) => {}
            Delivery::Dropped => self.ended = true,
        }
        delivery
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.options.pace == Pace::Live {
            self.view.rest.leave();
        }
    }
}
