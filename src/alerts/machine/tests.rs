//! Rows that come and go, and what is told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Event, Machine, Outcome};

fn machine(raise_after: u64, clear_after: u64) -> Machine {
    let mut machine = Machine::default();
    machine.configure(Duration::from_millis(raise_after), Duration::from_millis(clear_after));
    machine
}

fn told(outcome: &Outcome) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Raised(alert) => format!("+{} {}", alert.subject, alert.row),
        Event::Cleared(alert) => format!("-{} {}", alert.subject, alert.row),
    };
    outcome.events.iter().map(line).collect()
}

fn update(machine: &mut Machine, subject: &str, row: &str, diff: i64) {
    machine.update(subject, row.into(), diff);
}

#[test]
fn a_row_that_comes_raises_and_one_that_goes_clears() {
    let mut machine = machine(0, 0);
    update(&mut machine, "a", "1", 1);
    assert_eq!(told(&machine.close(10)), ["+a 1"]);
    assert_eq!(machine.close(20), Outcome::default());
    update(&mut machine, "a", "1", -1);
    update(&mut machine, "a", "2", 1);
    let outcome = machine.close(30);
    assert_eq!((told(&outcome).len(), outcome.changes.len()), (0, 2));
    update(&mut machine, "a", "2", -1);
    assert_eq!(told(&machine.close(40)), ["-a 2"]);
}

#[test]
fn a_row_must_stand_and_be_gone_long_enough() {
    let mut machine = machine(100, 50);
    update(&mut machine, "a", "1", 1);
    assert!(told(&machine.close(0)).is_empty());
    assert!(told(&machine.close(99)).is_empty());
    assert_eq!(told(&machine.close(100)), ["+a 1"]);
    update(&mut machine, "a", "1", -1);
    assert!(told(&machine.close(200)).is_empty());
    update(&mut machine, "a", "1", 1);
    assert!(told(&machine.close(240)).is_empty());
    update(&mut machine, "a", "1", -1);
    assert!(told(&machine.close(260)).is_empty());
    assert_eq!(told(&machine.close(310)), ["-a 1"]);
    update(&mut machine, "b", "1", 1);
    assert!(told(&machine.close(400)).is_empty());
    update(&mut machine, "b", "1", -1);
    assert!(told(&machine.close(450)).is_empty());
    update(&mut machine, "b", "1", 1);
    assert!(told(&machine.close(520)).is_empty(), "it stood only since 520");
    assert_eq!(told(&machine.close(620)), ["+b 1"]);
}

#[test]
fn a_restart_with_the_same_rows_tells_nothing() {
    let mut machine = machine(0, 0);
    update(&mut machine, "a", "1", 1);
    machine.close(10);
    machine.restart();
    update(&mut machine, "a", "1", 1);
    assert_eq!(machine.close(20), Outcome::default());
    assert_eq!(told(&machine.end(30)), ["-a 1"]);
}

#[test]
fn what_stood_in_an_earlier_run_is_not_raised_again_and_cleared_when_its_row_stays_away() {
    let mut before = machine(0, 0);
    update(&mut before, "a", "1", 1);
    update(&mut before, "b", "1", 1);
    update(&mut before, "c", "1", 1);
    before.close(10);
    update(&mut before, "c", "1", -1);
    before.close(20);

    let mut after = machine(0, 0);
    let restored = after.restore(before.alerts());
    assert_eq!((told(&restored).len(), restored.changes.len()), (0, 3));
    assert_eq!(after.alerts(), before.alerts());
    assert_eq!(after.close(1_000), Outcome::default());
    update(&mut after, "a", "2", 1);
    let outcome = after.close(2_000);
    assert_eq!((told(&outcome).len(), outcome.changes.len()), (0, 2), "its row is another");
    update(&mut after, "a", "2", -1);
    assert_eq!(told(&after.close(3_000)), ["-a 2"]);
    assert!(told(&after.close(60_999)).is_empty());
    assert_eq!(told(&after.close(61_000)), ["-b 1"]);
}

#[test]
fn a_script_that_ends_clears_at_once_what_an_earlier_run_left() {
    let mut before = machine(0, 0);
    update(&mut before, "a", "1", 1);
    before.close(10);
    let mut after = machine(0, 50);
    after.restore(before.alerts());
    assert_eq!(told(&after.end(20)), ["-a 1"]);
    assert!(after.alerts().is_empty());
}

proptest! {
    /// Without durations, what stands is what is present, and the table is what was raised and cleared.
    #[test]
    fn the_table_adds_up_to_what_stands(
        steps in prop::collection::vec(prop::collection::vec((0_usize..4, 0_usize..3), 0..4), 1..30),
        raise_after in 0_u64..30, clear_after in 0_u64..30,
    ) {
        let mut machine = machine(raise_after, clear_after);
        let (mut present, mut table) = (BTreeMap::<(usize, usize), i64>::new(), BTreeMap::<String, i64>::new());
        let mut standing = BTreeMap::<String, i64>::new();
        for (time, toggled) in steps.iter().enumerate() {
            for (subject, row) in toggled {
                let count = present.entry((*subject, *row)).or_default();
                let diff = if *count > 0 { -1 } else { 1 };
                *count += diff;
                update(&mut machine, &subject.to_string(), &row.to_string(), diff);
            }
            let outcome = machine.close(10 * time as u64);
            for (alert, diff) in &outcome.changes {
                *table.entry(format!("{alert:?}")).or_default() += diff;
            }
            for event in &outcome.events {
                match event {
                    Event::Raised(alert) => *standing.entry(alert.subject.clone()).or_default() += 1,
                    Event::Cleared(alert) => *standing.entry(alert.subject.clone()).or_default() -= 1,
                }
            }
            prop_assert!(table.values().all(|count| (0..=1).contains(count)), "{table:?}");
            prop_assert!(standing.values().all(|count| (0..=1).contains(count)), "{standing:?}");
            let shown = table.iter().filter(|(alert, count)| **count == 1 && alert.contains("cleared: None")).count();
            prop_assert_eq!(shown as i64, standing.values().sum::<i64>());
            if raise_after == 0 && clear_after == 0 {
                let there = (0..4).filter(|subject| present.iter().any(|((of, _), count)| of == subject && *count > 0));
                prop_assert_eq!(there.count() as i64, standing.values().sum::<i64>());
            }
        }
    }
}
