//! Look-ups against sums of all pairs.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use proptest::prelude::*;

use super::{Wanted, lookup};
use crate::rows::{Row, arrange_rows};

const ALL: [Wanted; 4] = [Wanted::Pairs, Wanted::PairsAndAlone, Wanted::Matched, Wanted::Alone];
const ALONE: &[u8] = b"-";

/// A change of the rows or of the table: key, value, by how much. Key 0 is none.
#[derive(Debug, Clone)]
struct Change {
    time: u64,
    of_table: bool,
    key: u8,
    value: u8,
    diff: i64,
}

type Counted = BTreeMap<Row, i64>;

fn made(row: &[u8], partner: Option<&[u8]>) -> Row {
    [row, partner.unwrap_or(ALONE)].concat()
}

fn key(key: u8) -> Row {
    if key == 0 { Row::new() } else { vec![key] }
}

fn add(counted: &mut Counted, row: Row, diff: i64) {
    *counted.entry(row).or_default() += diff;
    counted.retain(|_, count| *count != 0);
}

/// What the look-up has made by the end of each time.
fn looked_up(changes: &[Change], last: u64, wanted: Wanted) -> Vec<Counted> {
    let changes = changes.to_vec();
    timely::execute_directly(move |worker| {
        let (mut rows, mut table) = (InputSession::new(), InputSession::new());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let seeing = Rc::clone(&seen);
        worker.dataflow(|scope| {
            let table = arrange_rows(table.to_collection(scope), "table");
            let seeing = Rc::clone(&seeing);
            lookup(rows.to_collection(scope), table, "lookup", wanted, made)
                .inspect(move |(row, time, diff)| seeing.borrow_mut().push((row.clone(), *time, *diff)));
        });
        for time in 0..=last {
            rows.advance_to(time);
            table.advance_to(time);
            for change in changes.iter().filter(|change| change.time == time) {
                let input = if change.of_table { &mut table } else { &mut rows };
                input.update((key(change.key), vec![change.value]), change.diff);
            }
            // One input may be flushed before the other, and several times may be taken at once.
            if time % 3 != 1 {
                if time % 2 == 0 {
                    rows.flush()
                } else {
                    table.flush()
                }
                worker.step();
                rows.flush();
                table.flush();
                worker.step();
            }
        }
        drop((rows, table));
        while !worker.installed_dataflows().is_empty() {
            worker.step();
        }
        let seen = seen.borrow();
        (0..=last)
            .map(|until| {
                let mut counted = Counted::new();
                seen.iter()
                    .filter(|(_, time, _)| *time <= until)
                    .for_each(|(row, _, d)| add(&mut counted, row.clone(), *d));
                counted
            })
            .collect()
    })
}

fn expected(changes: &[Change], until: u64, wanted: Wanted) -> Counted {
    let mut sides = [BTreeMap::<(u8, u8), i64>::new(), BTreeMap::new()];
    for change in changes.iter().filter(|change| change.time <= until) {
        *sides[usize::from(change.of_table)].entry((change.key, change.value)).or_default() += change.diff;
    }
    let mut counted = Counted::new();
    for ((of_row, row), times) in &sides[0] {
        let partners: Vec<_> = sides[1].iter().filter(|((key, _), _)| *key != 0 && key == of_row).collect();
        let has_partner = partners.iter().map(|(_, diff)| **diff).sum::<i64>() > 0;
        for ((_, partner), diff) in partners.iter().filter(|_| wanted.pairs()) {
            add(&mut counted, made(&[*row], Some(&[*partner])), times * **diff);
        }
        if wanted.by_itself(has_partner) {
            add(&mut counted, made(&[*row], None), *times);
        }
    }
    counted
}

proptest! {
    #[test]
    fn a_lookup_is_all_pairs_at_each_time(
        changes in proptest::collection::vec(
            (0_u64..12, any::<bool>(), 0_u8..4, 0_u8..3, prop_oneof![4 => Just(1_i64), 2 => Just(-1), 1 => Just(2)]),
            0..60,
        ),
    ) {
        let change = |(time, of_table, key, value, diff)| Change { time, of_table, key, value, diff };
        let changes: Vec<_> = changes.into_iter().map(change).collect();
        for wanted in ALL {
            for (until, counted) in looked_up(&changes, 12, wanted).into_iter().enumerate() {
                prop_assert_eq!(counted, expected(&changes, until as u64, wanted), "{:?} at {}", wanted, until);
            }
        }
    }
}
