//! Views that nobody follows live rest: they are brought up to date once a second, not at each tick. So are those whose
//! rows of events change with the time alone, whoever follows them. Most of what a tick
//! costs does not depend on how much it brings, so ten ticks as one cost little more than one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use watershed_model::TickTime;

use crate::publish::ViewId;
use crate::subscription::Pace;

/// Longest rest, in milliseconds of tick time.
const LONGEST_MS: u64 = 1000;
/// Most ticks that become one.
const LONGEST_TICKS: u64 = 10;

/// When a view is brought up to date: decided by the sequencer, read by the publisher.
#[derive(Debug)]
pub(crate) struct Rest {
    /// How often it is brought up to date for those who want each tick.
    pace: Pace,
    /// Who wants each tick.
    live: AtomicUsize,
    due: Mutex<Due>,
}

#[derive(Debug)]
struct Due {
    /// Ticks that the view is to end, or has ended last.
    ticks: VecDeque<u64>,
    /// Ticks since then.
    skipped: u64,
}

impl Rest {
    /// Views wake at different ticks, so that none of the ticks brings all of them.
    pub(crate) fn new(id: ViewId, pace: Pace) -> Self {
        Rest { pace, live: 0.into(), due: Mutex::new(Due { ticks: VecDeque::new(), skipped: id % LONGEST_TICKS }) }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().expect("no thread panics while it holds the lock")
    }

    /// One more who wants each tick; whether there was none.
    pub(crate) fn join(&self) -> bool {
        self.live.fetch_add(1, Ordering::AcqRel) == 0
    }

    /// One less.
    pub(crate) fn leave(&self) {
        self.live.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether the view ends the tick that comes; otherwise it is part of a later one.
    pub(crate) fn ends(&self, tick: u64) -> bool {
        let mut due = self.due();
        due.skipped += 1;
        let slept = tick.saturating_sub(due.ticks.back().copied().unwrap_or(0));
        let is_live = self.pace == Pace::Live && self.live.load(Ordering::Acquire) > 0;
        let ends = is_live || due.skipped >= LONGEST_TICKS || slept >= LONGEST_MS;
        if ends {
            due.add(tick);
        }
        ends
    }

    /// The view is to end the last tick, be it in the middle of its rest.
    pub(crate) fn wake(&self, tick: u64) {
        self.due().add(tick);
    }

    /// The tick that the view has ended when its frontier is at `upper`.
    pub(crate) fn ended_before(&self, upper: u64) -> Option<TickTime> {
        let ticks = &mut self.due().ticks;
        let after = ticks.partition_point(|tick| *tick < upper);
        ticks.drain(..after.saturating_sub(1));
        ticks.front().filter(|_| after > 0).copied().map(TickTime)
    }

    /// Whether the view has still to end ticks after the one that it closed.
    pub(crate) fn is_behind(&self, closed: Option<TickTime>) -> bool {
        closed.is_none_or(|closed| self.due().ticks.back().is_some_and(|last| closed.0 < *last))
    }
}

impl Due {
    fn add(&mut self, tick: u64) {
        self.skipped = 0;
        if self.ticks.back().is_none_or(|last| *last < tick) {
            self.ticks.push_back(tick);
        }
    }
}
