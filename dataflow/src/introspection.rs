//! The `system.*` state tables, refreshed about once a second; only what changed becomes a change.

mod arrangements;
mod operators;
mod subscriptions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arrow::array::{ArrayRef, RecordBatch};
use watershed_model::{StateChange, Table, TickTime};

use crate::handle::Shared;
use crate::losses::Losses;
use crate::meters::Meter;
pub(crate) use subscriptions::{Subscriber, Subscribers};

/// Between two refreshes: this many milliseconds of tick time, or this many ticks where a recording's clock stands.
const EVERY_MS: u64 = 1000;
const EVERY_TICKS: u32 = 10;
/// Operators that are shown; others are counted as lost.
const MAX_OPERATORS: usize = 4096;

/// The operators of all workers.
struct Roster {
    incoming: Receiver<Arc<Meter>>,
    meters: BTreeMap<u64, Arc<Meter>>,
    next: u64,
}

impl Roster {
    fn refresh(&mut self, losses: &Losses) {
        self.meters.retain(|_, meter| !meter.has_ended());
        let mut hidden = 0;
        while let Ok(meter) = self.incoming.try_recv() {
            if meter.has_ended() {
                continue;
            }
            if self.meters.len() >= MAX_OPERATORS {
                hidden += 1;
                continue;
            }
            self.next += 1;
            self.meters.insert(self.next, meter);
        }
        if hidden > 0 {
            losses.add("dataflow", "operators_not_shown", hidden, 0);
        }
    }
}

/// What a table shows of each operator.
struct Shown<L>(BTreeMap<u64, (Arc<Meter>, L)>);

impl<L> Default for Shown<L> {
    fn default() -> Self {
        Shown(BTreeMap::new())
    }
}

impl<L: Copy> Shown<L> {
    /// Lines that go (-1) and come (+1). A known line is replaced when `worth` says so of the old and the new one.
    fn update(
        &mut self,
        roster: &Roster,
        line: impl Fn(&Meter) -> Option<L>,
        worth: impl Fn(&L, &L) -> bool,
    ) -> Vec<(Arc<Meter>, L, i64)> {
        let mut changes = Vec::new();
        self.0.retain(|number, (meter, line)| {
            let there = roster.meters.contains_key(number);
            if !there {
                changes.push((Arc::clone(meter), *line, -1));
            }
            there
        });
        for (number, meter) in &roster.meters {
            let Some(new) = line(meter) else { continue };
            let old = self.0.get(number).map(|(_, old)| *old);
            if old.is_some_and(|old| !worth(&old, &new)) {
                continue;
            }
            changes.extend(old.map(|old| (Arc::clone(meter), old, -1)));
            changes.push((Arc::clone(meter), new, 1));
            self.0.insert(*number, (Arc::clone(meter), new));
        }
        changes
    }
}

/// What was last put into the tables.
pub(crate) struct Introspection {
    last: TickTime,
    ticks: u32,
    roster: Roster,
    subscriptions: subscriptions::Subscriptions,
    operators: operators::Operators,
    arrangements: arrangements::Arrangements,
}

impl Introspection {
    pub(crate) fn new(meters: Receiver<Arc<Meter>>) -> Self {
        Introspection {
            last: TickTime::default(),
            ticks: 0,
            roster: Roster { incoming: meters, meters: BTreeMap::new(), next: 0 },
            subscriptions: subscriptions::Subscriptions::default(),
            operators: operators::Operators::default(),
            arrangements: arrangements::Arrangements::default(),
        }
    }

    /// The changes since the refresh before, when one is due.
    pub(crate) fn refresh(&mut self, time: TickTime, shared: &Shared) -> Vec<StateChange> {
        self.ticks += 1;
        if time.0 < self.last.0.saturating_add(EVERY_MS) && self.ticks < EVERY_TICKS {
            return Vec::new();
        }
        (self.last, self.ticks) = (time, 0);
        self.roster.refresh(&shared.losses);
        let subscriptions = self.subscriptions.refresh(&shared.subscribers, shared.queue.closed());
        let operators = self.operators.refresh(&self.roster);
        let arrangements = self.arrangements.refresh(&self.roster);
        [subscriptions, operators, arrangements].into_iter().flatten().collect()
    }
}

/// A change of a table, unless nothing changed.
fn state_change(table: &Table, columns: Vec<ArrayRef>, diffs: Vec<i64>) -> Option<StateChange> {
    if diffs.is_empty() {
        return None;
    }
    let rows = RecordBatch::try_new(table.storage_schema(), columns).ok()?;
    Some(StateChange { table: table.name, rows, diffs })
}
