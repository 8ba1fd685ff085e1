//! The `system.*` state tables, refreshed once a second of tick time; only what changed becomes a change.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use watershed_model::tables::SYSTEM_SUBSCRIPTIONS;
use watershed_model::{StateChange, TickTime};

use crate::handle::Shared;

/// Between two refreshes, in milliseconds of tick time.
const EVERY_MS: u64 = 1000;

/// Counters of a subscription.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) view: String,
    pub(crate) peer: String,
    pub(crate) since: TickTime,
    pub(crate) rows: AtomicI64,
    pub(crate) restarts: AtomicI64,
    /// Milliseconds of the last progress that it took.
    pub(crate) position: AtomicU64,
}

/// Who follows what; entries go with their subscriptions.
#[derive(Default)]
pub(crate) struct Subscribers {
    by_number: Mutex<(u64, BTreeMap<u64, Weak<Subscriber>>)>,
}

impl Subscribers {
    pub(crate) fn add(&self, subscriber: &Arc<Subscriber>) {
        let mut numbered = self.by_number.lock().expect("not poisoned");
        numbered.0 += 1;
        let number = numbered.0;
        numbered.1.insert(number, Arc::downgrade(subscriber));
        numbered.1.retain(|_, known| known.strong_count() > 0);
    }

    fn rows(&self, closed: TickTime) -> BTreeMap<u64, Line> {
        let numbered = self.by_number.lock().expect("not poisoned");
        let line = |subscriber: &Subscriber| Line {
            view: subscriber.view.clone(),
            peer: subscriber.peer.clone(),
            since: subscriber.since.as_nanoseconds(),
            rows: subscriber.rows.load(Ordering::Relaxed),
            restarts: subscriber.restarts.load(Ordering::Relaxed),
            lag: closed.0.saturating_sub(subscriber.position.load(Ordering::Relaxed)) as i64 * 1_000_000,
        };
        numbered.1.iter().filter_map(|(number, known)| Some((*number, line(known.upgrade()?.as_ref())))).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    view: String,
    peer: String,
    since: i64,
    rows: i64,
    restarts: i64,
    lag: i64,
}

/// What was last put into the tables.
#[derive(Default)]
pub(crate) struct Introspection {
    last: TickTime,
    subscriptions: BTreeMap<u64, Line>,
}

impl Introspection {
    /// The changes since the refresh before, when one is due.
    pub(crate) fn refresh(&mut self, time: TickTime, shared: &Shared) -> Vec<StateChange> {
        if time.0 < self.last.0 + EVERY_MS {
            return Vec::new();
        }
        self.last = time;
        let lines = shared.subscribers.rows(shared.queue.closed());
        let before = std::mem::replace(&mut self.subscriptions, lines);
        let mut changes: Vec<(u64, &Line, i64)> = Vec::new();
        changes.extend(before.iter().filter(|(n, l)| self.subscriptions.get(n) != Some(*l)).map(|(n, l)| (*n, l, -1)));
        changes.extend(self.subscriptions.iter().filter(|(n, l)| before.get(n) != Some(*l)).map(|(n, l)| (*n, l, 1)));
        if changes.is_empty() {
            return Vec::new();
        }
        let number =
            |of: fn(&Line) -> i64| Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, l, _)| of(l))));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(n, _, _)| *n as i64))),
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(_, l, _)| &l.view))),
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(_, l, _)| &l.peer))),
            Arc::new(
                TimestampNanosecondArray::from_iter_values(changes.iter().map(|(_, l, _)| l.since))
                    .with_timezone("+00:00"),
            ),
            number(|l| l.rows),
            number(|l| l.restarts),
            number(|l| l.lag),
        ];
        let diffs = changes.iter().map(|(_, _, diff)| *diff).collect();
        let rows = RecordBatch::try_new(SYSTEM_SUBSCRIPTIONS.storage_schema(), columns).ok();
        rows.map(|rows| StateChange { table: SYSTEM_SUBSCRIPTIONS.name, rows, diffs }).into_iter().collect()
    }
}
