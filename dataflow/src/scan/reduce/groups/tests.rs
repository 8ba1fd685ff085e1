//! Groups under a sliding window against rows counted anew at each time.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::aggregate::Choice;

const SECOND: i64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// A row of a key with a value, so many seconds after (or before) now.
    Row { key: u8, value: u8, after: i64 },
    /// Time goes on.
    Seconds(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let row = (0u8..4, 0u8..6, -12i64..2).prop_map(|(key, value, after)| Step::Row { key, value, after });
    prop_oneof![4 => row, 1 => (1i64..5).prop_map(Step::Seconds)]
}

fn any_window() -> impl Strategy<Value = Option<Window>> {
    let seconds = |range: std::ops::Range<i64>| prop::option::of(range.prop_map(|seconds| seconds * SECOND));
    prop::option::of((seconds(3..9), seconds(1..3)).prop_map(|(age_ns, delay_ns)| Window {
        pane_ns: SECOND,
        age_ns,
        delay_ns,
    }))
}

fn groups(window: Option<Window>) -> Groups {
    Groups::new(window, Merger::new(vec![Choice::Largest, Choice::Smallest]))
}

/// A row's accumulator: one in the lane of rows, and its value as both candidates.
fn accumulator(value: u8) -> Accumulator {
    let mut sums = Accumulator::from_sorted([(0, 1)]);
    let candidates = Merger::new(vec![Choice::Largest, Choice::Smallest]);
    sums.add_value(&candidates.of(&[Some(&[value]), Some(&[value])]), 1);
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn sums_and_values_are_those_of_the_rows_inside(
        window in any_window(),
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut groups = groups(window);
        let mut shown: BTreeMap<Row, Accumulator> = BTreeMap::new();
        let mut rows: Vec<(u8, u8, i64)> = Vec::new();
        let mut now = 1_000 * SECOND;
        groups.advance(now, &mut |_, _| {});
        for step in steps {
            let mut show = |key: Row, change: Accumulator| shown.entry(key).or_default().plus_equals(&change);
            match step {
                Step::Seconds(seconds) => {
                    now += seconds * SECOND;
                    groups.advance(now, &mut show);
                }
                Step::Row { key, value, after } => {
                    let pane = groups.panes.pane_of(now + after * SECOND);
                    groups.add(&[key], accumulator(value), pane, None, &mut show);
                    groups.pack();
                    if groups.panes.standing(pane, now) != Standing::Left {
                        rows.push((key, value, pane));
                    }
                }
            }
            shown.retain(|_, sums| !sums.is_zero());
            let mut wanted: BTreeMap<Row, Accumulator> = BTreeMap::new();
            for key in 0..4 {
                let is_inside = |pane| groups.panes.standing(pane, now) == Standing::Inside;
                let values: Vec<u8> = rows.iter().filter(|row| row.0 == key && is_inside(row.2)).map(|row| row.1).collect();
                if let (Some(largest), Some(smallest)) = (values.iter().max(), values.iter().min()) {
                    let mut sums = Accumulator::from_sorted([(0, values.len() as i64)]);
                    sums.add_value(&groups.merger.of(&[Some(&[*largest]), Some(&[*smallest])]), 1);
                    wanted.insert(vec![key], sums);
                }
            }
            prop_assert_eq!(&shown, &wanted);
        }
    }

    #[test]
    fn a_window_that_empties_keeps_no_key(steps in prop::collection::vec(any_step(), 1..40)) {
        let mut groups = groups(Some(Window { pane_ns: SECOND, age_ns: Some(5 * SECOND), delay_ns: None }));
        let mut now = 1_000 * SECOND;
        groups.advance(now, &mut |_, _| {});
        for step in steps {
            match step {
                Step::Seconds(seconds) => {
                    now += seconds * SECOND;
                    groups.advance(now, &mut |_, _| {});
                }
                Step::Row { key, value, after } => {
                    let pane = groups.panes.pane_of(now + after * SECOND);
                    groups.add(&[key], accumulator(value), pane, None, &mut |_, _| {});
                }
            }
        }
        groups.advance(now + 100 * SECOND, &mut |_, _| {});
        prop_assert_eq!(groups.keys.is_empty(), true);
        prop_assert_eq!(groups.open.len(), 0);
    }
}
