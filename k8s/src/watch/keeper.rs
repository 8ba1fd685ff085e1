//! Takes in what the watches say and tells it onwards, at most once an interval.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::status::Statuses;
use super::{Report, Told};
use crate::batches::{batch, state_changes};
use crate::facts::Facts;

/// What changes makes a tick, and a tick costs all views a look.
const INTERVAL: Duration = Duration::from_millis(200);
/// Object counts in `system.watches` are told every so many intervals; states at once.
const COUNTS_EVERY: u32 = 5;
const REPORTS_AT_ONCE: usize = 256;
/// A whole cluster in one tick would take the memory of all that is made of it at once.
const OBJECTS_AT_ONCE: usize = 500;
/// Deleted pods are known so much longer, for traffic that was seen before. What names them twice as long.
const RETENTION_NS: i64 = 3_600_000_000_000;

/// What is known, and how the watches are.
pub(super) struct Keeper {
    facts: Facts,
    statuses: Statuses,
    now_ns: fn() -> i64,
    /// A state changed since it was told.
    stale: bool,
    intervals: u32,
}

impl Keeper {
    pub(super) fn new(now_ns: fn() -> i64) -> Self {
        let mut facts = Facts::new(RETENTION_NS);
        facts.advance(now_ns());
        Keeper { facts, statuses: Statuses::new(now_ns()), now_ns, stale: true, intervals: 0 }
    }

    pub(super) async fn keep(mut self, mut reports: mpsc::Receiver<Report>, mut tell: impl AsyncFnMut(Told) -> bool) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = Vec::with_capacity(REPORTS_AT_ONCE);
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    let told = self.told();
                    let nothing = told.states.is_empty() && told.events.is_none();
                    if !nothing && !tell(told).await {
                        return;
                    }
                }
                count = reports.recv_many(&mut waiting, REPORTS_AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    waiting.drain(..).for_each(|report| self.take(report));
                }
            }
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::News(news) => self.facts.learn(news),
            Report::Unread(kind, count) => self.statuses.unread(kind, count),
            Report::State(kind, state, error) => {
                if self.statuses.set(kind, state, error.clone(), (self.now_ns)()) {
                    self.stale = true;
                    if !error.is_empty() {
                        tracing::warn!(kind = kind.name(), ?state, "{error}");
                    }
                }
            }
        }
    }

    fn told(&mut self) -> Told {
        self.facts.advance((self.now_ns)());
        let mut changes = self.facts.changes_of(OBJECTS_AT_ONCE);
        self.intervals += 1;
        if std::mem::take(&mut self.stale) || self.intervals.is_multiple_of(COUNTS_EVERY) {
            changes.extend(self.statuses.changes(&self.facts));
        }
        let events = self.facts.events();
        let rows: Vec<_> = events.iter().collect();
        let batches = (state_changes(&changes), rows.first().map(|first| batch(first.table, &rows)).transpose());
        match batches {
            (Ok(states), Ok(events)) => Told { states, events },
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!("rows of the cluster do not fit their tables: {error}");
                Told::default()
            }
        }
    }
}
