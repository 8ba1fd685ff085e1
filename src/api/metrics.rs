//! The server's own counters and those of services as Prometheus text.

use std::fmt::Write as _;

use super::{Server, status, views};
use crate::engine::{Request, Target};
use crate::format::json;

/// Losses since the oldest row kept, by where and why.
const LOSSES: &str = "SELECT source, reason, sum(count) AS n, sum(bytes) AS bytes FROM system.losses \
                      GROUP BY source, reason ORDER BY source, reason";

/// All metrics.
pub(super) async fn text(server: &Server) -> String {
    let mut text = String::new();
    let status = status::of(server);
    let mut metric = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
        writeln!(text, "# HELP watershed_{name} {help}\n# TYPE watershed_{name} {kind}").expect("text grows");
        for (labels, value) in samples {
            writeln!(text, "watershed_{name}{labels} {value}").expect("text grows");
        }
    };
    let plain = |value: f64| vec![(String::new(), value)];

    metric("info", "gauge", "What runs.", vec![(labels(&[("version", &status.version), ("node", &status.node)]), 1.0)]);
    metric("uptime_seconds", "counter", "Time since the start.", plain(status.uptime_ms as f64 / 1e3));
    metric(
        "closed_timestamp_seconds",
        "gauge",
        "Last time that all views have closed.",
        plain(status.closed as f64 / 1e3),
    );
    let source_ended = f64::from(u8::from(status.source_ended));
    metric("source_ended", "gauge", "1 when a recording was read to its end.", plain(source_ended));
    let attached = status.probes.iter().filter(|probe| probe.attached).count();
    metric("probes_attached", "gauge", "Probes that are attached.", plain(attached as f64));
    metric("probes", "gauge", "Probes there are.", plain(status.probes.len() as f64));

    let tables = views::tables_of(server);
    let by_table = |value: fn(&watershed_proto::v1::Table) -> u64| {
        tables.iter().map(|table| (labels(&[("table", &table.name)]), value(table) as f64)).collect::<Vec<_>>()
    };
    metric("table_rows", "gauge", "Rows that a table keeps.", by_table(|table| table.rows));
    metric("table_bytes", "gauge", "Bytes that a table keeps.", by_table(|table| table.bytes));

    let dataflow = server.engine.dataflow.views();
    let by_view = |value: fn(&watershed_dataflow::ViewStatus) -> f64| {
        dataflow.iter().map(|view| (labels(&[("view", &view.name)]), value(view))).collect::<Vec<_>>()
    };
    metric("views", "gauge", "Views that are kept up.", plain(dataflow.len() as f64));
    metric("view_rows", "gauge", "Rows of a view.", by_view(|view| view.rows as f64));
    metric("subscriptions", "gauge", "Subscribers of a view.", by_view(|view| view.subscribers as f64));

    let (counts, bytes) = losses(server).await;
    metric("losses", "gauge", "What was lost, as far back as system.losses reaches.", counts);
    metric("losses_bytes", "gauge", "Bytes that were lost, as far back as system.losses reaches.", bytes);

    let (resident, processor) = process();
    metric("process_resident_memory_bytes", "gauge", "Resident memory.", plain(resident));
    metric("process_cpu_seconds_total", "counter", "Processor time used.", plain(processor));
    text.push_str(&server.services.scrape(&server.engine));
    text
}

type Samples = Vec<(String, f64)>;

async fn losses(server: &Server) -> (Samples, Samples) {
    let target = Target::Text { text: LOSSES.to_owned(), origin: "metrics".to_owned(), vis: None };
    let Ok(answer) = server.engine.query(&Request { target, arguments: [].into() }).await else {
        return Default::default();
    };
    let rows = json::lines_of_answer(&answer);
    let rows = rows.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| row[key].as_f64().or_else(|| text(key).parse().ok()).unwrap_or_default();
        let labels = labels(&[("source", &text("source")), ("reason", &text("reason"))]);
        ((labels.clone(), number("n")), (labels, number("bytes")))
    })
    .unzip()
}

/// Resident bytes and processor seconds of this process.
fn process() -> (f64, f64) {
    let Ok(stat) = procfs::process::Process::myself().and_then(|process| process.stat()) else { return (0.0, 0.0) };
    let resident = stat.rss as f64 * procfs::page_size() as f64;
    (resident, (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// Labels as Prometheus writes them.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}
