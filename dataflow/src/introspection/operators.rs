//! `system.operators`: the time spent in each operator.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use watershed_model::StateChange;
use watershed_model::tables::SYSTEM_OPERATORS;

use super::{Roster, Shown, state_change};

/// An operator that took less than this since it was last shown waits for a slow refresh, so that idle ones cost
/// nearly nothing.
const WORTH_NS: i64 = 1_000_000;
/// Refreshes between two that show every difference.
const SLOW: u32 = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    elapsed: i64,
    activations: i64,
}

/// What the table shows.
#[derive(Default)]
pub(super) struct Operators {
    shown: Shown<Line>,
    refreshes: u32,
}

impl Operators {
    /// Changes since the refresh before.
    pub(super) fn refresh(&mut self, roster: &Roster) -> Option<StateChange> {
        self.refreshes = self.refreshes.wrapping_add(1);
        let all = self.refreshes.is_multiple_of(SLOW);
        let changes = self.shown.update(
            roster,
            |meter| Some(Line { elapsed: meter.elapsed.get(), activations: meter.activations.get() }),
            |old, new| new.elapsed - old.elapsed >= WORTH_NS || (all && old != new),
        );
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(meter, _, _)| &meter.view))),
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(meter, _, _)| &meter.operator))),
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(meter, _, _)| meter.worker))),
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, line, _)| line.elapsed))),
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, line, _)| line.activations))),
        ];
        state_change(&SYSTEM_OPERATORS, columns, changes.iter().map(|(_, _, diff)| *diff).collect())
    }
}
