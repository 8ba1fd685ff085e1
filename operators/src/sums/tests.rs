//! Sums against a model, and that nothing stays of what was taken back.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::difference::{Abelian, IsZero, Semigroup};
use differential_dataflow::input::InputSession;
use differential_dataflow::logging::{DifferentialEvent, DifferentialEventBuilder};
use proptest::prelude::*;

use super::accumulate;
use crate::accumulator::Accumulator;
use crate::rows::Row;

#[derive(Debug, Clone)]
struct Change {
    time: u64,
    key: Row,
    sums: Accumulator,
}

type Pairs = BTreeMap<(Row, Vec<u8>), i64>;

/// What there is by the end of each time, and how many records the operator reported at the end.
fn accumulated(changes: &[Change], last: u64) -> (Vec<Pairs>, i64) {
    let changes = changes.to_vec();
    timely::execute_directly(move |worker| {
        let reported = Rc::new(RefCell::new((0, 0)));
        let reporting = Rc::clone(&reported);
        worker.log_register().unwrap().insert::<DifferentialEventBuilder, _>(
            "differential/arrange",
            move |_, events| {
                for (_, event) in events.iter().flat_map(|events| events.iter()) {
                    let (records, batches) = &mut *reporting.borrow_mut();
                    match event {
                        DifferentialEvent::Batch(batch) => {
                            *records += batch.length as i64;
                            *batches += 1;
                        }
                        DifferentialEvent::Merge(merge) => {
                            *records += merge.complete.unwrap() as i64 - merge.length1 as i64 - merge.length2 as i64;
                            *batches -= 1;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            },
        );
        let mut input = InputSession::new();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let seeing = Rc::clone(&seen);
        worker.dataflow(|scope| {
            accumulate(input.to_collection(scope), "sums", |sums| sums.encode())
                .inspect(move |(pair, time, diff)| seeing.borrow_mut().push((pair.clone(), *time, *diff)));
        });
        for time in 0..=last {
            input.advance_to(time);
            for change in changes.iter().filter(|change| change.time == time) {
                input.update(change.key.clone(), change.sums.clone());
            }
            // Several times may be taken at once.
            if time % 3 != 1 {
                input.flush();
                worker.step();
            }
        }
        drop(input);
        while !worker.installed_dataflows().is_empty() {
            worker.step();
        }
        let at = |until| {
            let mut pairs = Pairs::new();
            for (pair, _, diff) in seen.borrow().iter().filter(|(_, time, _)| *time <= until) {
                *pairs.entry(pair.clone()).or_default() += diff;
            }
            pairs.retain(|_, count| *count != 0);
            pairs
        };
        let pairs = (0..=last).map(at).collect();
        worker.log_register().unwrap().flush();
        let (records, batches) = *reported.borrow();
        assert!(batches <= 1, "what is kept is one batch");
        (pairs, records)
    })
}

/// The sums of all changes up to a time.
fn expected(changes: &[Change], until: u64) -> Pairs {
    let mut sums = BTreeMap::<Row, Accumulator>::new();
    for change in changes.iter().filter(|change| change.time <= until) {
        sums.entry(change.key.clone()).or_default().plus_equals(&change.sums);
    }
    let present = sums.into_iter().filter(|(_, sums)| !sums.is_zero());
    present.map(|(key, sums)| ((key, sums.encode()), 1)).collect()
}

fn any_change() -> impl Strategy<Value = Change> {
    let lanes = prop::collection::btree_map(0u32..3, -1i64..2, 0..3);
    let value = prop::option::of((prop::collection::vec(0u8..2, 0..2), -1i64..2));
    // Keys that begin with each other, and one that is empty.
    let key = prop::collection::vec(0u8..2, 0..4);
    (0u64..8, key, lanes, value).prop_map(|(time, key, lanes, value)| {
        let mut sums = Accumulator::from_sorted(lanes);
        value.into_iter().for_each(|(value, count)| sums.add_value(&value, count));
        Change { time, key, sums }
    })
}

proptest! {
    #[test]
    fn each_key_has_its_sums_at_each_time(changes in prop::collection::vec(any_change(), 0..60)) {
        let (seen, records) = accumulated(&changes, 8);
        for (time, pairs) in seen.iter().enumerate() {
            prop_assert_eq!(pairs, &expected(&changes, time as u64), "at {}", time);
        }
        prop_assert_eq!(records, seen.last().unwrap().len() as i64);
    }
}

#[test]
fn what_is_taken_back_leaves_nothing() {
    let key = |number: u16| number.to_be_bytes().to_vec();
    let come = (0..5_000).map(|number| Change {
        time: u64::from(number) % 7,
        key: key(number),
        sums: Accumulator::from_sorted([(0, i64::from(number) + 1)]),
    });
    let mut changes: Vec<_> = come.collect();
    let gone: Vec<_> = changes
        .iter()
        .map(|change| {
            let mut sums = change.sums.clone();
            sums.negate();
            Change { time: 8, sums, ..change.clone() }
        })
        .collect();
    changes.extend(gone);
    let (seen, records) = accumulated(&changes, 8);
    assert_eq!(seen[7].len(), 5_000);
    assert!(seen[8].is_empty());
    assert_eq!(records, 0, "nothing is kept");
}
