//! The bundled scripts run once over a few rows.
#![allow(clippy::unwrap_used)]

mod led_to;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::scalar::ScalarValue;
use watershed_model::{Table, TickTime, Upid, tables};

use super::bundled;
use crate::{Catalog, Snapshot, compile, execute};

const SECOND: i64 = 1_000_000_000;
const NOW_S: i64 = 1_000_000;

struct Rows(BTreeMap<&'static str, Vec<RecordBatch>>);

impl Snapshot for Rows {
    fn time(&self) -> TickTime {
        TickTime((NOW_S * 1000) as _)
    }

    fn batches(&self, table: &str) -> Vec<RecordBatch> {
        self.0.get(table).cloned().unwrap_or_default()
    }
}

impl Rows {
    fn none() -> Self {
        Rows(BTreeMap::new())
    }

    /// Adds a row; columns that are not given are empty.
    fn with(mut self, table: &'static Table, values: &[(&str, ScalarValue)]) -> Self {
        let schema = table.storage_schema();
        let columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| {
                let given = values.iter().find(|(name, _)| name == field.name()).map(|(_, value)| value.clone());
                let value = given.unwrap_or_else(|| empty(field.data_type()));
                value.cast_to(field.data_type()).unwrap().to_array().unwrap()
            })
            .collect();
        assert!(values.iter().all(|(name, _)| table.column(name).is_some()), "a column is misspelt");
        self.0.entry(table.name).or_default().push(RecordBatch::try_new(schema, columns).unwrap());
        self
    }
}

fn empty(data_type: &DataType) -> ScalarValue {
    match data_type {
        DataType::FixedSizeBinary(width) => ScalarValue::FixedSizeBinary(*width, Some(vec![0; 16])),
        other => ScalarValue::new_default(other).unwrap(),
    }
}

fn upid(pid: u32) -> ScalarValue {
    ScalarValue::FixedSizeBinary(16, Some(Upid { asid: 1, pid, start_ticks: 5 }.to_bytes().to_vec()))
}

fn address(last: u8) -> ScalarValue {
    ScalarValue::FixedSizeBinary(16, Some(vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, last]))
}

fn text(text: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(text.into()))
}

fn number(number: i64) -> ScalarValue {
    ScalarValue::Int64(Some(number))
}

fn ago(seconds: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some((NOW_S - seconds) * SECOND), Some("+00:00".into()))
}

fn process(rows: Rows, pid: u32, name: &str) -> Rows {
    rows.with(&tables::PROCESSES, &[("upid", upid(pid)), ("name", text(name)), ("host", text("n1"))])
}

/// `shop` (pid 7) calls `cart` (pid 8), seen from both sides; `10.0.0.9` calls `shop`; all within the window, and one
/// call before it.
fn traffic() -> Rows {
    let mut rows = process(process(Rows::none(), 7, "shop"), 8, "cart");
    let mut call = |seconds, role, local: u32, remote: Option<u32>, path: &str, status, latency| {
        let mut values = vec![
            ("time_", ago(seconds)),
            ("upid", upid(local)),
            ("remote_addr", address(if role == 2 { 9 } else { 3 })),
            ("trace_role", number(role)),
            ("req_method", ScalarValue::Binary(Some(b"GET".to_vec()))),
            ("req_path", ScalarValue::Binary(Some(path.as_bytes().to_vec()))),
            ("resp_status", number(status)),
            ("latency", number(latency)),
            ("req_bytes", number(100)),
            ("resp_bytes", number(1000)),
        ];
        values.extend(remote.map(|pid| ("remote_upid", upid(pid))));
        rows = std::mem::replace(&mut rows, Rows::none()).with(&tables::HTTP_EVENTS, &values);
    };
    call(10, 1, 7, Some(8), "/cart/1", 200, 50);
    call(10, 2, 8, Some(7), "/cart/1", 200, 40);
    call(20, 2, 8, Some(7), "/cart/2?full", 500, 20);
    call(30, 2, 7, None, "/", 200, 60);
    call(40, 1, 7, None, "/rates", 404, 30);
    call(50, 1, 99, None, "/late", 200, 10);
    call(900, 2, 7, None, "/old", 200, 60);
    rows
}

/// Sorted rows, columns joined by `|`; also checks the columns' names.
fn answer(name: &str, columns: &[&str], rows: Rows) -> Vec<String> {
    let script = bundled().iter().find(|script| script.name == name).unwrap();
    let catalog = Catalog::new();
    let compiled = compile(&catalog, script.text, name).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let [table] = compiled.tables.as_slice() else { panic!("one statement") };
    let names: Vec<_> = table.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, columns);
    let batches = runtime().block_on(execute(&catalog, table, Arc::new(rows))).unwrap();
    let Some(first) = batches.first() else { return Vec::new() };
    let all = concat_batches(&first.schema(), &batches).unwrap();
    assert!(all.columns().iter().all(|column| column.null_count() == 0), "a bundled view has a NULL");
    let options = FormatOptions::default();
    let cells: Vec<_> = all.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| cells.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
    let mut lines: Vec<_> = (0..all.num_rows()).map(row).collect();
    lines.sort();
    lines
}

const SERVICE_MAP: [&str; 13] = [
    "requestor",
    "requestor_kind",
    "responder",
    "responder_kind",
    "protocol",
    "encrypted",
    "requests",
    "errors",
    "bytes_sent",
    "bytes_received",
    "latency_p50",
    "latency_p90",
    "latency_p99",
];

#[test]
fn service_map_counts_an_exchange_once_and_names_both_ends() {
    assert_eq!(
        answer("ws/service_map", &SERVICE_MAP, traffic()),
        [
            "10.0.0.9|address|shop@n1|process|http|false|1|0|100|1000|60|60|60",
            "shop@n1|process|10.0.0.3|address|http|false|1|1|100|1000|30|30|30",
            "shop@n1|process|cart@n1|process|http|false|2|1|200|2000|20|40|40",
            "unknown|process|10.0.0.3|address|http|false|1|0|100|1000|10|10|10",
        ]
    );
}

#[test]
fn a_process_known_late_is_named_in_the_service_map() {
    let rows = answer("ws/service_map", &SERVICE_MAP, process(traffic(), 99, "job"));
    assert_eq!(rows[1], "job@n1|process|10.0.0.3|address|http|false|1|0|100|1000|10|10|10");
    assert_eq!(rows.len(), 4);
}

#[test]
fn endpoint_latency_groups_by_template() {
    let columns = [
        "responder",
        "protocol",
        "endpoint",
        "requests",
        "errors",
        "error_rate",
        "latency_p50",
        "latency_p90",
        "latency_p99",
        "latency_max",
    ];
    assert_eq!(
        answer("ws/endpoint_latency", &columns, traffic()),
        [
            "10.0.0.3|http|GET /late|1|0|0.0|10|10|10|10",
            "10.0.0.3|http|GET /rates|1|1|1.0|30|30|30|30",
            "cart@n1|http|GET /cart/{}|2|1|0.5|20|40|40|40",
            "shop@n1|http|GET /|1|0|0.0|60|60|60|60",
        ]
    );
}

#[test]
fn flows_add_changes_and_take_the_last_active_of_each_peer() {
    let columns = [
        "local",
        "local_kind",
        "remote",
        "remote_kind",
        "trace_role",
        "protocol",
        "bytes_sent",
        "bytes_received",
        "opened",
        "closed",
        "active",
    ];
    let row = |rows: Rows, seconds, pid: u32, port, active, peer: Option<u32>| {
        let mut values = vec![
            ("time_", ago(seconds)),
            ("upid", upid(pid)),
            ("remote_addr", address(3)),
            ("remote_port", number(port)),
            ("trace_role", number(1)),
            ("protocol", number(1)),
            ("conn_active", number(active)),
            ("sent", number(10)),
            ("received", number(100)),
            ("opened", number(2)),
            ("closed", number(1)),
        ];
        values.extend(peer.map(|pid| ("remote_upid", upid(pid))));
        rows.with(&tables::CONN_STATS, &values)
    };
    let rows = process(process(Rows::none(), 7, "shop"), 8, "cart");
    let rows = row(row(rows, 60, 7, 80, 4, None), 30, 7, 80, 3, Some(8));
    let rows = row(row(rows, 20, 7, 81, 5, Some(8)), 30, 8, 5432, 1, None);
    assert_eq!(
        answer("ws/flows", &columns, row(rows, 2000, 7, 80, 9, None)),
        ["cart@n1|process|10.0.0.3|address|1|http|10|100|2|1|1", "shop@n1|process|cart@n1|process|1|http|30|300|6|3|8",]
    );
}

#[test]
fn losses_are_summed_in_steps_of_ten_seconds() {
    let loss = |rows: Rows, seconds, reason| {
        let values = [
            ("time_", ago(seconds)),
            ("node", text("n1")),
            ("source", text("kernel")),
            ("reason", text(reason)),
            ("count", number(1)),
            ("bytes", number(50)),
        ];
        rows.with(&tables::SYSTEM_LOSSES, &values)
    };
    let rows = loss(loss(loss(Rows::none(), 12, "ring_full"), 15, "ring_full"), 25, "ring_full");
    assert_eq!(
        answer("ws/losses", &["time_", "node", "source", "reason", "count", "bytes"], loss(rows, 7000, "old")),
        ["1970-01-12T13:46:10Z|n1|kernel|ring_full|1|50", "1970-01-12T13:46:20Z|n1|kernel|ring_full|2|100"]
    );
}

#[test]
fn bundled_scripts_answer_nothing_from_nothing() {
    assert_eq!(answer("ws/service_map", &SERVICE_MAP, Rows::none()), Vec::<String>::new());
}

#[test]
fn every_bundled_script_has_a_sentence_and_the_manifest_its_name() {
    for script in bundled() {
        assert!(script.doc.ends_with('.') && !script.doc.contains('\n'), "{}", script.name);
        let folder = format!("{}/../scripts/{}/manifest.yaml", env!("CARGO_MANIFEST_DIR"), script.name);
        let manifest = std::fs::read_to_string(folder).unwrap();
        assert!(manifest.starts_with(&format!("name: {}\n", script.name)), "{}", script.name);
    }
    assert!(bundled().is_sorted_by_key(|script| script.name));
}

#[test]
fn integers_stay_integers_in_the_service_map() {
    let script = bundled().iter().find(|script| script.name == "ws/service_map").unwrap();
    let table = compile(&Catalog::new(), script.text, "a").unwrap().tables.remove(0);
    for name in ["requests", "errors", "bytes_sent", "latency_p50", "latency_p99"] {
        assert_eq!(table.schema.field_with_name(name).unwrap().data_type(), &DataType::Int64, "{name}");
    }
    let batch = runtime().block_on(execute(&Catalog::new(), &table, Arc::new(traffic()))).unwrap();
    let requests: i64 = batch.iter().flat_map(|batch| batch.column(6).as_primitive::<Int64Type>().values()).sum();
    assert_eq!(requests, 5);
}

/// Plans of several parts are executed as tasks.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// The tables of a bundled script, with the defaults of its variables.
fn tables_of(catalog: &Catalog, script: &super::Bundled) -> Vec<crate::ScriptTable> {
    let inputs = crate::script::Inputs { arguments: &std::collections::BTreeMap::new(), vis: script.vis };
    match crate::script::compile_with(catalog, script.text, script.file, &inputs) {
        Ok(script) => script.tables,
        Err(errors) => {
            panic!("{}: {}", script.name, errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("; "))
        }
    }
}

#[test]
fn every_bundled_script_runs_once_and_can_be_a_view() {
    let catalog = Catalog::new();
    let runtime = runtime();
    for script in bundled() {
        let tables = tables_of(&catalog, script);
        assert!(!tables.is_empty(), "{}", script.name);
        for table in tables {
            let answer = runtime.block_on(execute(&catalog, &table, Arc::new(traffic())));
            answer.unwrap_or_else(|error| panic!("{} {}: {error}", script.name, table.name));
            crate::lower(&catalog, &table)
                .unwrap_or_else(|refusal| panic!("{} {}: {refusal}", script.name, table.name));
        }
    }
}
