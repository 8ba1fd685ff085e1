//! The scripts that join what was asked with what it led to, and edges with edges.

use super::{Rows, address, ago, answer, number, process, runtime, tables_of, text, upid};
use crate::{Catalog, execute};
use std::sync::Arc;
use watershed_model::tables;

/// `shop` (pid 7) answers `GET /cart` within `latency_ms`, ended so many seconds ago.
fn request(rows: Rows, seconds: i64, latency_ms: i64, status: i64) -> Rows {
    use datafusion::scalar::ScalarValue;
    let values = [
        ("time_", ago(seconds)),
        ("upid", upid(7)),
        ("trace_role", number(2)),
        ("req_method", ScalarValue::Binary(Some(b"GET".to_vec()))),
        ("req_path", ScalarValue::Binary(Some(b"/cart".to_vec()))),
        ("resp_status", number(status)),
        ("latency", number(latency_ms * 1_000_000)),
    ];
    rows.with(&tables::HTTP_EVENTS, &values)
}

fn statement(rows: Rows, ago_ms: i64, sql: &str, latency_ms: i64) -> Rows {
    use datafusion::scalar::ScalarValue;
    let time = (super::NOW_S * 1000 - ago_ms) * 1_000_000;
    let values = [
        ("time_", ScalarValue::TimestampNanosecond(Some(time), Some("+00:00".into()))),
        ("upid", upid(7)),
        ("trace_role", number(1)),
        ("req_cmd", number(3)),
        ("req_body", ScalarValue::Binary(Some(sql.as_bytes().to_vec()))),
        ("latency", number(latency_ms * 1_000_000)),
    ];
    rows.with(&tables::MYSQL_EVENTS, &values)
}

const N_PLUS_ONE: [&str; 7] = ["time_", "responder", "request", "latency", "statement", "statements", "cost"];

#[test]
fn a_statement_repeated_within_one_request_is_told_with_its_cost() {
    let mut rows = request(process(Rows::none(), 7, "shop"), 10, 500, 200);
    for id in 0..6 {
        rows = statement(rows, 10_400 - 50 * id, &format!("SELECT * FROM item WHERE id = {id}"), 2);
    }
    rows = statement(rows, 10_300, "SELECT 1", 2);
    rows = statement(rows, 20_000, "SELECT * FROM item WHERE id = 9", 2);
    assert_eq!(
        answer("ws/n_plus_one", &N_PLUS_ONE, rows),
        ["1970-01-12T13:46:30Z|shop@n1|GET /cart|500000000|SELECT * FROM item WHERE id = ?|6|12000000"]
    );
}

#[test]
fn statements_of_requests_that_overlap_are_left_out() {
    let mut rows = request(request(process(Rows::none(), 7, "shop"), 10, 500, 200), 10, 400, 200);
    for id in 0..6 {
        rows = statement(rows, 10_200 - 10 * id, &format!("SELECT * FROM item WHERE id = {id}"), 2);
    }
    assert_eq!(answer("ws/n_plus_one", &N_PLUS_ONE, rows), Vec::<String>::new());
}

fn edge(rows: Rows, seconds: i64, local: u32, remote: u32) -> Rows {
    let values = [
        ("time_", ago(seconds)),
        ("upid", upid(local)),
        ("remote_upid", upid(remote)),
        ("remote_addr", address(3)),
        ("trace_role", number(1)),
        ("sent", number(10)),
        ("received", number(5)),
    ];
    rows.with(&tables::CONN_STATS, &values)
}

fn services() -> Rows {
    ["web", "shop", "cart", "db", "disk", "tape"]
        .iter()
        .zip(1..)
        .fold(Rows::none(), |rows, (name, pid)| process(rows, pid, name))
}

#[test]
fn blast_radius_reaches_through_others_and_counts_hops() {
    let mut rows = services();
    for (local, remote) in [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (1, 3), (3, 2)] {
        rows = edge(rows, 30, local, remote);
    }
    let reached = answer("ws/blast_radius", &["origin", "reached", "hops"], edge(rows, 900, 6, 1));
    let of = |origin: &str| -> Vec<String> {
        let own = reached.iter().filter_map(|row| row.strip_prefix(&format!("{origin}@n1|")));
        own.map(|row| row.replace("@n1", "")).collect()
    };
    assert_eq!(of("web"), ["cart|1", "db|2", "disk|3", "shop|1", "tape|4"]);
    assert_eq!(of("shop"), ["cart|1", "db|2", "disk|3", "tape|4"]);
    assert_eq!(of("tape"), Vec::<String>::new());
}

#[test]
fn new_edges_are_those_that_were_not_there_an_hour_ago() {
    let columns = ["local", "relation", "remote", "first_seen", "bytes"];
    let rows = edge(edge(services(), 60, 1, 2), 60, 2, 3);
    assert_eq!(answer("ws/new_edges", &columns, edge(edge(services(), 60, 1, 2), 60, 2, 3)), Vec::<String>::new());
    assert_eq!(
        answer("ws/new_edges", &columns, edge(rows, 5000, 1, 2)),
        ["shop@n1|calls|cart@n1|1970-01-12T13:45:40Z|15"]
    );
}

#[test]
fn burn_rates_compare_errors_with_what_the_objective_allows() {
    let mut rows = services().with(&tables::PROCESSES, &[("upid", upid(7)), ("cmdline", text("shop"))]);
    for second in 0..10 {
        rows = request(rows, 10 + second, 5, if second < 5 { 500 } else { 200 });
        rows = request(rows, 1000 + second, 5, 200);
    }
    let catalog = Catalog::new();
    let script = super::bundled().iter().find(|script| script.name == "ws/error_budget").unwrap();
    let table = tables_of(&catalog, script).remove(0);
    let batches = runtime().block_on(execute(&catalog, &table, Arc::new(rows))).unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let row: Vec<_> = shown.lines().nth(3).unwrap().split('|').map(str::trim).collect();
    let rate = |at: usize| row[at].parse::<f64>().unwrap().round();
    assert_eq!((row[1], rate(2), rate(3)), ("shop", 500.0, 250.0), "{shown}");
    assert_eq!(row[4..8], ["10", "5", "20", "5"], "{shown}");
}
