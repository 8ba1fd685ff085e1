#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn identity() -> Identity {
    Identity { sink: "s".to_owned(), node: "n".to_owned() }
}

fn writer(identity: &Identity, mode: Mode, most_bytes: usize) -> Writer<'_> {
    Writer { mode, identity, view: "v", most_bytes }
}

fn change(key: Option<&str>, row: &str, diff: i64) -> Change {
    Change { key: key.map(str::to_owned), row: row.to_owned(), diff }
}

#[test]
fn a_row_that_is_replaced_is_one_update() {
    let identity = identity();
    let writer = writer(&identity, Mode::Changes, 1000);
    let changes =
        vec![change(Some("{\"k\":1}"), "{\"k\":1,\"n\":1}", -1), change(Some("{\"k\":1}"), "{\"k\":1,\"n\":2}", 1)];
    let records = writer.records(7, 'c', changes).records;
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        record.value.as_deref(),
        Some(
            "{\"before\":{\"k\":1,\"n\":1},\"after\":{\"k\":1,\"n\":2},\"op\":\"u\",\"ts_ms\":7,\
             \"source\":{\"node\":\"n\",\"view\":\"v\",\"time\":7}}"
        )
    );
}

#[test]
fn rows_come_once_for_each_of_their_multiplicity() {
    let identity = identity();
    let writer = writer(&identity, Mode::Changes, 1000);
    let records = writer.records(7, 'r', vec![change(None, "{\"n\":1}", 3), change(None, "{\"n\":2}", -2)]).records;
    let ops: Vec<_> = records.iter().map(|record| record.value.as_deref().unwrap().contains("\"op\":\"r\"")).collect();
    assert_eq!(ops, [true, true, true, false, false]);
}

#[test]
fn a_row_that_leaves_is_a_tombstone_in_upsert_mode() {
    let identity = identity();
    let writer = writer(&identity, Mode::Upsert, 1000);
    let records = writer.records(7, 'c', vec![change(Some("1"), "{\"n\":1}", -1)]).records;
    assert_eq!(records, [Record { key: Some("1".to_owned()), value: None }]);
}

#[test]
fn a_row_that_no_record_can_hold_is_neither_written_nor_taken_away() {
    let identity = identity();
    let writer = writer(&identity, Mode::Changes, 200);
    let large = format!("\"{}\"", "x".repeat(200));
    let come = writer.records(7, 'c', vec![change(None, &large, 1), change(None, "1", 1)]);
    assert_eq!((come.records.len(), come.too_large), (1, 1));
    let leave = writer.records(8, 'c', vec![change(None, &large, -1)]);
    assert_eq!((leave.records.len(), leave.too_large), (0, 0));
    // Two rows that fit alone but not together are two records.
    let half = |letter: &str| format!("\"{}\"", letter.repeat(70));
    let both = writer.records(9, 'c', vec![change(Some("1"), &half("a"), -1), change(Some("1"), &half("b"), 1)]);
    assert_eq!((both.records.len(), both.too_large), (2, 0));
}

/// Each step sets or removes the row of a key (or of none).
fn steps() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let step = (0..4u8, proptest::option::of(0..5u8));
    proptest::collection::vec(proptest::collection::vec(step, 0..6), 1..12)
}

/// Changes of one time, consolidated, that lead from one model to the next.
fn changes(keyed: bool, model: &mut Rows, step: &[(u8, Option<u8>)]) -> Vec<Change> {
    let mut next = model.clone();
    for (key, n) in step {
        let row = |n: i64| format!("{{\"k\":{key},\"n\":{n}}}");
        let name = keyed.then(|| format!("{{\"k\":{key}}}"));
        if keyed {
            let old: Vec<_> = next.rows.keys().filter(|(known, _)| *known == name).cloned().collect();
            for row in old {
                next.rows.remove(&row);
            }
        }
        if let Some(n) = n {
            next.apply(Change { key: name, row: row(i64::from(*n)), diff: 1 });
        } else if !keyed && let Some((key, row)) = next.rows.keys().next().cloned() {
            next.apply(Change { key, row, diff: -1 });
        }
    }
    let changes = model.until(&next);
    *model = next;
    changes
}

proptest! {
    #[test]
    fn whoever_applies_all_records_holds_the_view(keyed in any::<bool>(), upsert in any::<bool>(), steps in steps()) {
        let mode = if upsert && keyed { Mode::Upsert } else { Mode::Changes };
        let identity = identity();
        let writer = writer(&identity, mode, 1000);
        let (mut model, mut held) = (Rows::default(), Rows::default());
        for (time, step) in steps.iter().enumerate() {
            let changes = changes(keyed, &mut model, step);
            for record in writer.records(time as u64, 'c', changes).records {
                held.read(mode, record.key.as_deref(), record.value.as_deref()).unwrap();
            }
            prop_assert_eq!(&held, &model);
        }
    }
}
