//! What the demo shows: the map, the endpoints, what was lost, and the commands to try next.

use serde_json::Value;

use super::view::{LiveView, Row};
use crate::format::table;
use crate::sizes::human_duration;

/// Rows of each table that fit a screen.
const ROWS: usize = 12;

/// The live views and where they come from.
pub(super) struct Screen {
    pub(super) source: String,
    pub(super) address: String,
    pub(super) map: LiveView,
    pub(super) endpoints: LiveView,
    pub(super) losses: LiveView,
}

impl Screen {
    /// The whole screen; `live` is the one that is redrawn.
    pub(super) fn text(&self, live: bool) -> String {
        let end = if live { "   Ctrl-C ends everything." } else { "" };
        let server = match self.address.as_str() {
            "127.0.0.1:7070" => String::new(),
            address => format!(" --server {address}"),
        };
        format!(
            "Watershed demo: {}.{end}\n\nWho talks to whom (service_map, last 5 minutes)\n{}\n\
             Endpoints, slowest first (endpoint_latency, last 5 minutes)\n{}\n{}\n\nIn another terminal, try:\n  \
             watershed subscribe{server} service_map\n  \
             watershed query{server} -s \"SELECT req_path, resp_status, latency FROM http_events WHERE resp_status >= 500 \
             ORDER BY time_ DESC LIMIT 5\"\n  \
             watershed table{server} list\n  and http://{}/ in a browser\n",
            self.source,
            map(&self.map.rows()),
            endpoints(&self.endpoints.rows()),
            losses(&self.losses.rows()),
            self.address,
        )
    }
}

fn map(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        vec![
            text(row, "requestor"),
            text(row, "responder"),
            text(row, "protocol"),
            text(row, "requests"),
            text(row, "errors"),
            duration(row, "latency_p50"),
            duration(row, "latency_p99"),
        ]
    };
    let titles = ["requestor", "responder", "protocol", "requests", "errors", "p50", "p99"];
    largest_first(rows, "requests", &titles, cells)
}

fn endpoints(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let rate = row.get("error_rate").and_then(Value::as_f64).unwrap_or_default();
        vec![
            text(row, "responder"),
            text(row, "endpoint"),
            text(row, "requests"),
            format!("{:.1} %", rate * 100.0),
            duration(row, "latency_p50"),
            duration(row, "latency_p99"),
            duration(row, "latency_max"),
        ]
    };
    let titles = ["responder", "endpoint", "requests", "error rate", "p50", "p99", "slowest"];
    largest_first(rows, "latency_p50", &titles, cells)
}

fn losses(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "Lost: nothing.".to_owned();
    }
    let parts: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {} by {}", text(row, "count"), text(row, "reason"), text(row, "source")))
        .collect();
    format!("Lost: {}.", parts.join(", "))
}

fn largest_first(rows: &[Row], by: &str, titles: &[&str], cells: impl Fn(&Row) -> Vec<String>) -> String {
    if rows.is_empty() {
        return "  (nothing yet)\n".to_owned();
    }
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| (std::cmp::Reverse(integer(row, by)), cells(row)));
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let lines: Vec<Vec<String>> = sorted.iter().take(ROWS).map(|row| cells(row)).collect();
    table::render(&titles, &lines, table::width_of_stdout())
}

fn integer(row: &Row, column: &str) -> i64 {
    match row.get(column) {
        Some(Value::Number(number)) => number.as_i64().unwrap_or_default(),
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}

fn text(row: &Row, column: &str) -> String {
    match row.get(column) {
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).collect(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn duration(row: &Row, column: &str) -> String {
    human_duration(integer(row, column) as f64)
}
