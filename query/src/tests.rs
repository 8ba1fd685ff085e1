//! Scripts compiled and executed over a small snapshot.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::util::pretty::pretty_format_batches;
use watershed_model::{TickTime, tables};

use crate::{Catalog, Snapshot, compile, execute};

/// Three rows of `system.losses`, and nothing else.
pub(crate) struct Losses;

impl Snapshot for Losses {
    fn time(&self) -> TickTime {
        TickTime(100_000)
    }

    fn batches(&self, table: &str) -> Vec<RecordBatch> {
        if table != "system.losses" {
            return Vec::new();
        }
        let text = |values: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let time = TimestampNanosecondArray::from(vec![10_000_000_000, 95_000_000_000, 99_000_000_000]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(time.with_timezone("+00:00")),
            text(["n", "n", "n"]),
            text(["kernel", "kernel", "ingest"]),
            text(["ring_full", "ring_full", "gap"]),
            Arc::new(Int64Array::from(vec![1, 2, 4])),
            Arc::new(Int64Array::from(vec![10, 20, 40])),
        ];
        vec![RecordBatch::try_new(tables::SYSTEM_LOSSES.storage_schema(), columns).unwrap()]
    }
}

fn answer(sql: &str) -> String {
    let catalog = Catalog::new();
    let script = compile(&catalog, sql, "test.sql").unwrap();
    let batches =
        futures::executor::block_on(execute(&catalog, &script.tables[0], Arc::new(Losses))).expect("the query runs");
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let rows = table.lines().skip(3).filter(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split_whitespace().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_are_summed() {
    assert_eq!(
        answer("SELECT source, sum(count), count(*) FROM system.losses GROUP BY source ORDER BY source"),
        "ingest|4|1 kernel|3|2"
    );
}

#[test]
fn now_is_the_snapshots_time() {
    assert_eq!(answer("SELECT sum(bytes) FROM system.losses WHERE time_ > now() - INTERVAL '10 seconds'"), "60");
    assert_eq!(answer("SELECT now() = to_timestamp_nanos(100000000000)"), "true");
}

#[test]
fn tables_without_rows_can_be_read() {
    assert_eq!(answer("SELECT count(*) FROM http_events"), "0");
}

#[test]
fn mistakes_have_a_place() {
    let error = |sql| compile(&Catalog::new(), sql, "a.sql").unwrap_err()[0].to_string();
    assert!(error("SELECT 1 +").starts_with("a.sql:"));
    assert!(error("SELECT\n latenzy FROM http_events").starts_with("a.sql:2:2: "));
    assert!(error("DROP TABLE http_events").contains("DDL"));
    assert!(error("").contains("no query"));
}

#[test]
fn only_bounded_plans_are_lowered() {
    let lowered = |sql| crate::lower(&Catalog::new(), &compile(&Catalog::new(), sql, "a.sql").unwrap().tables[0]);
    assert!(lowered("SELECT host, count(*) FROM processes WHERE pid > 1 GROUP BY host").is_ok());
    assert!(lowered("SELECT sum(count) FROM system.losses").is_ok());
    let refusal = lowered("SELECT source, sum(count) FROM system.losses GROUP BY source").unwrap_err();
    assert!(refusal.hint.contains("time_ > now()"), "{refusal}");
    assert!(lowered("SELECT count(*) FROM (SELECT source FROM system.losses GROUP BY source)").is_err());
    assert!(lowered("SELECT now() FROM processes").is_ok(), "a value, which moves with the ticks");
}
