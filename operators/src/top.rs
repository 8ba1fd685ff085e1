//! The first rows in an order, kept in order: a change costs a look-up of its row, and one among the first rows a walk over
//! them.

use std::collections::BTreeMap;
use std::ops::Range;

use differential_dataflow::hashable::Hashable;

use crate::complete::{Complete, at_complete_times};
use crate::reports::Reports;
use crate::rows::{Row, Rows};

/// The rows at positions `skip..skip + fetch` of the ascending byte order, counting multiplicities. Each worker finds those
/// of its rows that may be among them, and the first one those that are.
pub fn first_rows<'scope>(rows: Rows<'scope>, name: &str, skip: usize, fetch: usize) -> Rows<'scope> {
    let enough = i64::try_from(skip.saturating_add(fetch)).unwrap_or(i64::MAX);
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let candidates = match rows.inner.scope().peers() {
        1 => rows,
        _ => positions(rows, &format!("{name}: candidates"), 0..enough, |row| row.hashed()),
    };
    positions(candidates, name, skip..enough, |_| 0)
}

fn positions<'scope>(
    rows: Rows<'scope>,
    name: &str,
    range: Range<i64>,
    worker_of: impl Fn(&Row) -> u64 + 'static,
) -> Rows<'scope> {
    let scope = rows.inner.scope();
    at_complete_times(rows, worker_of, name, |info| (Ordered::new(range), Reports::new(scope.worker(), info.global_id)))
}

impl Complete<Row, i64, Row> for (Ordered, Reports) {
    type Coming = Vec<(Row, i64)>;

    fn take(coming: &mut Self::Coming, row: Row, diff: i64) {
        coming.push((row, diff));
    }

    fn make(&mut self, changes: Self::Coming, give: &mut dyn FnMut(Row, i64)) {
        self.0.change(changes).into_iter().for_each(|(row, diff)| give(row, diff));
    }

    fn settle(&mut self) {
        self.1.report(self.0.rows.len());
    }
}

/// Rows in order with their multiplicities; those whose multiplicity is not positive take no position.
struct Ordered {
    rows: BTreeMap<Box<[u8]>, i64>,
    range: Range<i64>,
    /// The rows at the positions that are wanted, ascending.
    shown: Vec<(Row, i64)>,
    /// The row at the last of the positions, if there are as many rows.
    last: Option<Row>,
}

impl Ordered {
    fn new(range: Range<i64>) -> Self {
        Ordered { rows: BTreeMap::new(), range, shown: Vec::new(), last: None }
    }

    /// Takes the changes of one time; what comes to the wanted positions and goes from them.
    fn change(&mut self, changes: Vec<(Row, i64)>) -> Vec<(Row, i64)> {
        let mut matters = false;
        for (row, diff) in changes {
            matters |= self.last.as_ref().is_none_or(|last| row <= *last);
            match self.rows.get_mut(row.as_slice()) {
                Some(count) => {
                    *count += diff;
                    if *count == 0 {
                        self.rows.remove(row.as_slice());
                    }
                }
                None if diff == 0 => {}
                None => drop(self.rows.insert(row.into(), diff)),
            }
        }
        if matters { self.show() } else { Vec::new() }
    }

    fn show(&mut self) -> Vec<(Row, i64)> {
        let mut known = std::mem::take(&mut self.shown).into_iter().peekable();
        let (mut position, mut updates) = (0_i64, Vec::new());
        self.last = None;
        for (row, count) in self.rows.iter().filter(|(_, count)| **count > 0) {
            let next = position.saturating_add(*count);
            let taken = next.min(self.range.end) - position.max(self.range.start);
            if taken > 0 {
                while let Some((gone, count)) = known.next_if(|(known, _)| known.as_slice() < row) {
                    updates.push((gone, -count));
                }
                let (row, before) = match known.next_if(|(known, _)| known.as_slice() == row.as_ref()) {
                    Some((row, count)) => (row, count),
                    None => (row.to_vec(), 0),
                };
                if taken != before {
                    updates.push((row.clone(), taken - before));
                }
                self.shown.push((row, taken));
            }
            position = next;
            if position >= self.range.end {
                self.last = Some(row.to_vec());
                break;
            }
        }
        updates.extend(known.map(|(gone, count)| (gone, -count)));
        updates
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_rows_are_those_of_a_sorted_list(
            skip in 0_i64..4,
            fetch in 0_i64..5,
            ticks in prop::collection::vec(prop::collection::vec((0_u8..12, -2_i64..3), 0..6), 0..30),
        ) {
            let mut ordered = Ordered::new(skip..skip + fetch);
            let (mut counts, mut shown) = (BTreeMap::<Row, i64>::new(), BTreeMap::<Row, i64>::new());
            for changes in ticks {
                let changes: Vec<_> = changes.into_iter().map(|(row, diff)| (vec![row], diff)).collect();
                changes.iter().for_each(|(row, diff)| *counts.entry(row.clone()).or_default() += diff);
                for (row, diff) in ordered.change(changes) {
                    prop_assert!(diff != 0);
                    *shown.entry(row).or_default() += diff;
                }
                shown.retain(|_, count| *count != 0);
                let sorted = counts.iter().flat_map(|(row, count)| (0..*count).map(move |_| row));
                let mut expected = BTreeMap::<Row, i64>::new();
                for row in sorted.skip(skip as usize).take(fetch as usize) {
                    *expected.entry(row.clone()).or_default() += 1;
                }
                prop_assert_eq!(&shown, &expected);
            }
            let held: Vec<_> = counts.into_iter().filter(|(_, count)| *count != 0).map(|(row, count)| (row, -count)).collect();
            for (row, diff) in ordered.change(held) {
                *shown.entry(row).or_default() += diff;
            }
            prop_assert!(shown.values().all(|count| *count == 0) && ordered.rows.is_empty(), "nothing stays");
        }
    }
}
