//! Look-ups against sums of all pairs.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use proptest::prelude::*;

use differential_dataflow::trace::TraceReader;
use timely::progress::Antichain;
use timely::worker::Worker;

use super::{Elsewhere, Further, KeyedUpdates, Updates, Wanted, lookup, lookup_elsewhere};
use crate::rows::{Row, RowTrace, arrange_rows};

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
        (0..=last).map(|until| at(&seen, until)).collect()
    })
}

/// What updates add up to by the end of a time.
fn at(seen: &[(Row, u64, i64)], until: u64) -> Counted {
    let mut counted = Counted::new();
    seen.iter().filter(|(_, time, _)| *time <= until).for_each(|(row, _, d)| add(&mut counted, row.clone(), *d));
    counted
}

/// Looks up what was made once more, by its second byte: that of its first partner, if it has one.
fn again(table: RowTrace) -> Further {
    let keyed = |updates: Updates| -> KeyedUpdates {
        updates.into_iter().map(|(row, time, diff)| ((second_key(&row), row), time, diff)).collect()
    };
    (Box::new(keyed), Elsewhere { table, wanted: Wanted::PairsAndAlone, made: Box::new(made) })
}

fn second_key(row: &[u8]) -> Row {
    row.get(1).filter(|byte| **byte > 0).map(|byte| vec![*byte]).unwrap_or_default()
}

/// Times at which all that came is handed on; others are part of the next one.
fn is_end(time: u64, last: u64) -> bool {
    time % 5 > 1 || time == last
}

/// What the look-up in a table elsewhere has made by the end of each time that is an end. It begins when the table has
/// some rows already.
fn looked_up_elsewhere(changes: &[Change], begin: u64, last: u64, wanted: Wanted, twice: bool) -> Vec<(u64, Counted)> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.time);
    timely::execute_directly(move |worker| {
        let (mut rows, mut table, mut changed) = (InputSession::new(), InputSession::new(), InputSession::new());
        let mut trace = worker.dataflow(|scope| arrange_rows(table.to_collection(scope), "table").trace);
        let mut move_table = |worker: &mut Worker, trace: &mut RowTrace, times: &[u64], until| {
            let of_table = changes.iter().filter(|change| change.of_table && times.contains(&change.time));
            let mut moves = false;
            for change in of_table {
                // The table may move more often than rows come.
                table.advance_to(change.time);
                table.update((key(change.key), vec![change.value]), change.diff);
                moves = true;
            }
            if moves {
                table.advance_to(until + 1);
                table.flush();
                let mut upper = Antichain::new();
                loop {
                    trace.read_upper(&mut upper);
                    if !upper.less_equal(&until) {
                        break;
                    }
                    worker.step();
                }
                trace.set_logical_compaction(Antichain::from_elem(until).borrow());
                trace.set_physical_compaction(upper.borrow());
            }
            moves
        };
        move_table(worker, &mut trace, &(0..begin).collect::<Vec<_>>(), begin.saturating_sub(1));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let seeing = Rc::clone(&seen);
        worker.dataflow(|scope| {
            let (rows, changed) = (rows.to_collection(scope), changed.to_collection(scope));
            let first = Elsewhere { table: trace.clone(), wanted, made: Box::new(made) };
            let further = if twice { vec![again(trace.clone())] } else { Vec::new() };
            lookup_elsewhere(rows, changed, "lookup", first, further)
                .inspect(move |(row, time, diff)| seeing.borrow_mut().push((row.clone(), *time, *diff)));
        });
        let mut times: Vec<u64> = (0..begin).collect();
        let mut found = Vec::new();
        for time in begin..=last {
            times.push(time);
            if !is_end(time, last) {
                continue;
            }
            let of_table: Vec<u64> = times.iter().copied().filter(|time| *time >= begin).collect();
            if move_table(worker, &mut trace, &of_table, time) {
                changed.update_at((), time, 1);
            }
            for change in changes.iter().filter(|change| !change.of_table && times.contains(&change.time)) {
                rows.update_at((key(change.key), vec![change.value]), time, change.diff);
            }
            times.clear();
            rows.advance_to(time + 1);
            changed.advance_to(time + 1);
            rows.flush();
            if time % 2 == 0 {
                worker.step();
            }
            changed.flush();
            // Several times may be taken at once.
            if time % 3 != 0 {
                for _ in 0..3 {
                    worker.step();
                }
            }
            found.push(time);
        }
        drop((rows, changed, trace, table));
        while !worker.installed_dataflows().is_empty() {
            worker.step();
        }
        let seen = seen.borrow();
        found.into_iter().map(|time| (time, at(&seen, time))).collect()
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

/// Rows looked up by [`again`].
fn expected_again(changes: &[Change], until: u64, rows: &Counted) -> Counted {
    let mut table = BTreeMap::<(Row, u8), i64>::new();
    for change in changes.iter().filter(|change| change.of_table && change.time <= until) {
        *table.entry((key(change.key), change.value)).or_default() += change.diff;
    }
    let mut counted = Counted::new();
    for (row, times) in rows {
        let of_row = second_key(row);
        let partners: Vec<_> = table.iter().filter(|((key, _), _)| !key.is_empty() && *key == of_row).collect();
        for ((_, partner), diff) in &partners {
            add(&mut counted, made(row, Some(&[*partner])), times * **diff);
        }
        if partners.iter().map(|(_, diff)| **diff).sum::<i64>() <= 0 {
            add(&mut counted, made(row, None), *times);
        }
    }
    counted
}

fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let diff = prop_oneof![4 => Just(1_i64), 2 => Just(-1), 1 => Just(2)];
    let change = (0_u64..12, any::<bool>(), 0_u8..4, 0_u8..3, diff);
    let change = change.prop_map(|(time, of_table, key, value, diff)| Change { time, of_table, key, value, diff });
    proptest::collection::vec(change, 0..60)
}

proptest! {
    #[test]
    fn a_lookup_is_all_pairs_at_each_time(changes in any_changes()) {
        for wanted in ALL {
            for (until, counted) in looked_up(&changes, 12, wanted).into_iter().enumerate() {
                prop_assert_eq!(counted, expected(&changes, until as u64, wanted), "{:?} at {}", wanted, until);
            }
        }
    }

    #[test]
    fn a_table_elsewhere_is_looked_up_as_one_here(
        begin in 0_u64..4, changes in any_changes(),
    ) {
        for wanted in ALL {
            for (until, counted) in looked_up_elsewhere(&changes, begin, 12, wanted, false) {
                prop_assert_eq!(counted, expected(&changes, until, wanted), "{:?} at {}", wanted, until);
            }
            for (until, counted) in looked_up_elsewhere(&changes, begin, 12, wanted, true) {
                let once = expected(&changes, until, wanted);
                prop_assert_eq!(counted, expected_again(&changes, until, &once), "{:?} at {}, again", wanted, until);
            }
        }
    }
}
