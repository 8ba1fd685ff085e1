//! `system.arrangements`: what operators keep.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use watershed_model::StateChange;
use watershed_model::tables::SYSTEM_ARRANGEMENTS;

use super::{Roster, Shown, state_change};

/// Bytes of an update as measured for rows of usual length: key, value, offsets, time and difference.
const BYTES_PER_RECORD: i64 = 80;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    records: i64,
    batches: i64,
}

/// What the table shows.
#[derive(Default)]
pub(super) struct Arrangements {
    shown: Shown<Line>,
}

impl Arrangements {
    /// Changes since the refresh before.
    pub(super) fn refresh(&mut self, roster: &Roster) -> Option<StateChange> {
        let changes = self.shown.update(
            roster,
            |meter| {
                let line = Line { records: meter.records.get(), batches: meter.batches.get() };
                meter.arranges().then_some(line)
            },
            |old, new| old != new,
        );
        let number = |of: fn(&Line) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, line, _)| of(line))))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(meter, _, _)| &meter.view))),
            Arc::new(StringArray::from_iter_values(changes.iter().map(|(meter, _, _)| &meter.operator))),
            Arc::new(Int64Array::from_iter_values(changes.iter().map(|(meter, _, _)| meter.worker))),
            number(|line| line.records),
            number(|line| line.records.saturating_mul(BYTES_PER_RECORD)),
            number(|line| line.batches),
        ];
        state_change(&SYSTEM_ARRANGEMENTS, columns, changes.iter().map(|(_, _, diff)| *diff).collect())
    }
}
