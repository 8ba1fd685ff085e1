//! Needs root: what a subscriber adds up is what a query answers, on live traffic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::{Agent, integer};
use watershed_integration::{machine, processes, servers};

/// Rows with their multiplicities after the last progress mark, and whether the lines came in the promised order.
fn added_up(text: &str) -> BTreeMap<String, i64> {
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    let mut pending: Vec<(String, i64)> = Vec::new();
    let mut closed = 0;
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(lines.next().unwrap().get("schema").is_some(), "the schema comes first");
    for line in lines {
        if let Some(time) = line.get("progress") {
            let time = time.as_i64().unwrap();
            assert!(time >= closed, "progress goes forward");
            closed = time;
            for (row, diff) in pending.drain(..) {
                *rows.entry(row).or_default() += diff;
            }
            rows.retain(|_, count| *count != 0);
            assert!(rows.values().all(|count| *count > 0), "no row is taken back that was not there");
        } else if line.get("restart").is_some() {
            rows.clear();
            pending.clear();
        } else {
            assert!(line["time"].as_i64().unwrap() > closed, "no change at a closed time: {line}");
            pending.push((line["row"].to_string(), line["diff"].as_i64().unwrap()));
        }
    }
    rows
}

#[test]
fn a_subscription_adds_up_to_the_answer_as_root() -> Result<()> {
    if !machine::can_trace("a_subscription_adds_up", &["nginx", "ab", "curl"]) {
        return Ok(());
    }
    let server = servers::nginx(false)?;
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let sql = "SELECT req_path, resp_status, count(*) AS n, max(latency) AS slowest, quantile(resp_bytes, 0.5) AS half \
               FROM http_events WHERE time_ > now() - INTERVAL '10 minutes' GROUP BY req_path, resp_status";
    let subscriber = agent.command(&["subscribe", "-s", sql, "-o", "jsonl", "--for", "8s"]);
    let reader = std::thread::spawn(move || processes::output(&mut { subscriber }));
    for round in 0..5 {
        processes::output(Command::new("ab").args(["-q", "-k", "-n", "300", "-c", "5", &server.url("/1k.txt")]))?;
        processes::output(Command::new("curl").args([
            "-s",
            "-o",
            "/dev/null",
            &server.url(&format!("/none/{round}")),
        ]))?;
    }
    let streamed = added_up(&reader.join().unwrap()?);
    let asked: BTreeMap<String, i64> = agent.query(sql)?.iter().map(|row| (row.to_string(), 1)).collect();
    assert_eq!(streamed, asked);
    assert_eq!(asked.len(), 6);

    let map = agent.query("SELECT * FROM service_map")?;
    let requests: i64 = map.iter().map(|row| integer(&row["requests"]).unwrap()).sum();
    assert_eq!(requests, 1505);
    assert!(map.iter().all(|row| row["responder"].as_str().unwrap().starts_with("nginx@")), "{map:?}");
    assert!(map.iter().all(|row| row["responder_kind"] == "process" && row["protocol"] == "http"), "{map:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
