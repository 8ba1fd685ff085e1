#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};

use super::*;
use crate::feed::Shape;

/// A batch of one view: rows with diffs, all at one time (ms).
fn batch(view: &str, time: u64, snapshot: bool, columns: Vec<(&str, ArrayRef)>, diffs: &[i64]) -> Batch {
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let shape = Shape { view: view.to_owned(), schema: rows.schema(), key: Vec::new(), append: false };
    let changes = vec![Changes { time, rows, diffs: diffs.to_vec() }];
    Batch { frontier: time, snapshot, shape: Arc::new(shape), changes }
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn anomalies(time: u64, snapshot: bool, rows: &[(&str, i64)]) -> Batch {
    let subjects: Vec<&str> = rows.iter().map(|(subject, _)| *subject).collect();
    let columns = vec![
        ("detector", texts(&vec!["slow"; rows.len()])),
        ("subject", texts(&subjects)),
        ("since", Arc::new(TimestampNanosecondArray::from(vec![7_000_000_001; rows.len()])) as ArrayRef),
        ("score", Arc::new(Float64Array::from(vec![4.5; rows.len()])) as ArrayRef),
        ("reason", texts(&vec!["p99 is 2s instead of 5ms"; rows.len()])),
    ];
    batch("anomalies", time, snapshot, columns, &rows.iter().map(|(_, diff)| *diff).collect::<Vec<_>>())
}

fn attribute_of(record: &LogRecord, name: &str) -> Value {
    let found = record.attributes.iter().find(|attribute| attribute.key == name).unwrap();
    found.value.clone().unwrap().value.unwrap()
}

/// Events and subjects.
fn events(records: &[LogRecord]) -> Vec<(String, String)> {
    let subject = |record: &LogRecord| match attribute_of(record, "watershed.subject") {
        Value::StringValue(subject) => subject,
        other => panic!("{other:?}"),
    };
    records.iter().map(|record| (record.event_name.clone(), subject(record))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(event, subject)| ((*event).to_owned(), (*subject).to_owned())).collect()
}

#[test]
fn a_flag_is_a_warning_since_when_it_stands_and_a_note_when_it_goes() {
    let mut standing = Standing::default();
    let [raised] = &standing.apply(&anomalies(9_000, false, &[("nginx", 1)]), "watershed")[..] else { panic!("one") };
    assert_eq!((raised.time_unix_nano, raised.observed_time_unix_nano), (7_000_000_001, 9_000_000_000));
    assert_eq!((raised.severity_number(), raised.severity_text.as_str()), (SeverityNumber::Warn, "WARN"));
    assert_eq!(raised.event_name, "watershed.anomalies.raised");
    let body = raised.body.clone().unwrap().value.unwrap();
    assert_eq!(body, Value::StringValue("slow: nginx: p99 is 2s instead of 5ms".to_owned()));
    assert_eq!(attribute_of(raised, "watershed.score"), Value::DoubleValue(4.5));
    assert_eq!(attribute_of(raised, "watershed.since"), Value::IntValue(7_000_000_001));
    let [cleared] = &standing.apply(&anomalies(10_000, false, &[("nginx", -1)]), "watershed")[..] else {
        panic!("one")
    };
    assert_eq!((cleared.time_unix_nano, cleared.severity_number()), (10_000_000_000, SeverityNumber::Info));
    assert_eq!(cleared.event_name, "watershed.anomalies.cleared");
    assert_eq!(cleared.attributes, raised.attributes);
}

#[test]
fn a_snapshot_tells_only_what_was_not_told() {
    let mut standing = Standing::default();
    let mut apply = |batch: Batch| events(&standing.apply(&batch, "watershed"));
    let (raised, cleared) = ("watershed.anomalies.raised", "watershed.anomalies.cleared");
    assert_eq!(apply(anomalies(1, true, &[("a", 1), ("b", 1)])), pairs(&[(raised, "a"), (raised, "b")]));
    assert_eq!(apply(anomalies(2, true, &[("b", 1), ("c", 1)])), pairs(&[(cleared, "a"), (raised, "c")]));
    // A row that goes and comes at one time has not changed.
    assert_eq!(apply(anomalies(3, false, &[("b", -1), ("b", 1)])), pairs(&[]));
    assert_eq!(apply(anomalies(4, false, &[("b", 1)])), pairs(&[]));
    assert_eq!(apply(anomalies(5, false, &[("b", -1)])), pairs(&[]));
    assert_eq!(apply(anomalies(6, false, &[("b", -1)])), pairs(&[(cleared, "b")]));
}

#[test]
fn an_alert_says_itself_what_became_of_it() {
    let alert = |time: u64, rows: &[(&str, i64, i64)]| {
        let times = |of: fn(&(&str, i64, i64)) -> i64| {
            Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(of))) as ArrayRef
        };
        let columns = vec![
            ("alert", texts(&vec!["errors"; rows.len()])),
            ("subject", texts(&vec!["nginx"; rows.len()])),
            ("state", texts(&rows.iter().map(|(state, ..)| *state).collect::<Vec<_>>())),
            ("since", times(|_| 1_000)),
            ("cleared", times(|(_, cleared, _)| *cleared)),
        ];
        batch("ws/alerts", time, false, columns, &rows.iter().map(|(.., diff)| *diff).collect::<Vec<_>>())
    };
    let mut standing = Standing::default();
    let [raised] = &standing.apply(&alert(1, &[("raised", 0, 1)]), "shop")[..] else { panic!("one") };
    assert_eq!((raised.event_name.as_str(), raised.time_unix_nano), ("shop.alerts.raised", 1_000));
    let [cleared] = &standing.apply(&alert(2, &[("raised", 0, -1), ("cleared", 2_000, 1)]), "shop")[..] else {
        panic!("one")
    };
    assert_eq!((cleared.event_name.as_str(), cleared.time_unix_nano), ("shop.alerts.cleared", 2_000));
    assert_eq!(cleared.severity_number(), SeverityNumber::Info);
    // It is forgotten, which is no news.
    assert_eq!(standing.apply(&alert(3, &[("cleared", 2_000, -1)]), "shop"), []);
}
