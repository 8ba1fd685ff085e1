//! `system.subscriptions`: who follows which view, and how far behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};
use watershed_model::tables::SYSTEM_SUBSCRIPTIONS;
use watershed_model::{StateChange, TickTime};

use super::state_change;

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

/// What the table shows.
#[derive(Default)]
pub(super) struct Subscriptions {
    shown: BTreeMap<u64, Line>,
}

impl Subscriptions {
    /// Changes since the refresh before.
    pub(super) fn refresh(&mut self, subscribers: &Subscribers, closed: TickTime) -> Option<StateChange> {
        let before = std::mem::replace(&mut self.shown, subscribers.rows(closed));
        let mut changes: Vec<(u64, &Line, i64)> = Vec::new();
        changes.extend(before.iter().filter(|(n, l)| self.shown.get(n) != Some(*l)).map(|(n, l)| (*n, l, -1)));
        changes.extend(self.shown.iter().filter(|(n, l)| before.get(n) != Some(*l)).map(|(n, l)| (*n, l, 1)));
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
        state_change(&SYSTEM_SUBSCRIPTIONS, columns, changes.iter().map(|(_, _, diff)| *diff).collect())
    }
}
