//! The server as others meet it: what survives a restart, who may ask, and the ways to ask beside the CLI.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;
use watershed_integration::agent::{Agent, failure, integer};
use watershed_integration::{broker, machine, processes};

const BUSY: &str = "SELECT req_method, count(*) AS n FROM http_events \
                    WHERE time_ > now() - INTERVAL '1 minute' GROUP BY req_method";

/// An agent on the recording of the demo, which needs no privileges.
fn agent(flags: &[&str]) -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    Agent::start(&[&["--source", &source, "--pace", "fast"], flags].concat())
}

/// Posts a gRPC message without fields; the response's body.
fn post(agent: &Agent, flags: &[&str], method: &str) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty");
    std::fs::write(&empty, [0; 5])?;
    let url = format!("http://{}/{method}", agent.address());
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--data-binary", &format!("@{}", empty.display())]).args(flags).arg(url);
    Ok(command.output()?.stdout)
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn named_views_are_there_again_after_a_restart() -> Result<()> {
    let state = tempfile::tempdir()?;
    let flags = ["--state", state.path().to_str().unwrap()];
    let names = |agent: &Agent| processes::output(&mut agent.command(&["view", "list", "-o", "jsonl"]));

    let first = agent(&flags)?;
    processes::output(&mut first.command(&["view", "create", "busy", "-s", BUSY]))?;
    processes::output(&mut first.command(&["view", "create", "gone", "-s", BUSY]))?;
    processes::output(&mut first.command(&["view", "drop", "gone"]))?;
    assert_eq!(first.stop(), Some(0));

    let second = agent(&flags)?;
    let listed = names(&second)?;
    assert!(listed.contains("\"busy\"") && !listed.contains("\"gone\""), "{listed}");
    assert!(second.query("SELECT * FROM busy")?.len() <= 10);
    assert_eq!(second.stop(), Some(0));
    Ok(())
}

#[test]
fn an_answer_tells_which_rows_are_gone() -> Result<()> {
    let agent = agent(&["--data-budget", "64KiB"])?;
    agent.settled("SELECT count(*) AS n FROM http_events")?;
    let asked = |sql: &str| -> Result<String> {
        let output = agent.command(&["query", "-o", "json", "-s", sql]).output()?;
        let document: Value = serde_json::from_slice(&output.stdout)?;
        let told = String::from_utf8(output.stderr)?;
        assert_eq!(document["notes"].is_null(), told.is_empty(), "{document}: {told}");
        Ok(told)
    };
    let told = asked("SELECT count(*) AS n FROM http_events")?;
    assert!(told.starts_with("note: rows of `http_events` up to "), "{told}");
    assert_eq!(asked("SELECT count(*) AS n FROM http_events WHERE time_ > now() - INTERVAL '1 nanosecond'")?, "");
    assert_eq!(asked("SELECT count(*) AS n FROM processes")?, "");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn only_who_has_the_token_is_answered() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    std::fs::write(&file, "open-sesame\n")?;
    let agent = agent(&["--token-file", file.to_str().unwrap()])?;
    let query = ["query", "-s", "SELECT 1 AS one"];

    for token in [None, Some("open-barley")] {
        let mut command = agent.command(&query);
        command.env_remove("WATERSHED_TOKEN").envs(token.map(|token| ("WATERSHED_TOKEN", token)));
        let (code, stderr) = failure(&mut command)?;
        assert_eq!(code, Some(3), "{token:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
        assert!(!stderr.contains("open-sesame"), "{stderr}");
    }
    let answer = processes::output(agent.command(&query).env("WATERSHED_TOKEN", "open-sesame"))?;
    assert_eq!(answer.trim(), r#"{"one":1}"#);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn grpc_web_and_reflection_answer() -> Result<()> {
    if !machine::has_commands("grpc_web_and_reflection_answer", &["curl"]) {
        return Ok(());
    }
    let agent = agent(&[])?;
    let web = ["--http1.1", "-H", "content-type: application/grpc-web+proto", "-H", "x-grpc-web: 1"];
    let body = post(&agent, &web, "watershed.v1.Views/ListTables")?;
    assert!(holds(&body, "http_events") && holds(&body, "grpc-status:0"), "{}", String::from_utf8_lossy(&body));

    // ServerReflectionRequest { list_services: "" }
    let folder = tempfile::tempdir()?;
    let request = folder.path().join("request");
    std::fs::write(&request, [0, 0, 0, 0, 2, 0x3a, 0])?;
    let url = format!("http://{}/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", agent.address());
    let mut command = Command::new("curl");
    command.args(["-sS", "--http2-prior-knowledge", "--max-time", "20", "-H", "content-type: application/grpc"]);
    command.args(["-H", "te: trailers", "--data-binary", &format!("@{}", request.display())]).arg(url);
    let body = command.output()?.stdout;
    for service in ["watershed.v1.Views", "grpc.health.v1.Health"] {
        assert!(holds(&body, service), "{service}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

/// Samples of `/metrics` as the official parser reads them: name, labels, value.
fn metrics(agent: &Agent) -> Result<Vec<(String, Value, f64)>> {
    let script = "import json, sys, urllib.request\n\
                  from prometheus_client.parser import text_string_to_metric_families as parse\n\
                  text = urllib.request.urlopen(sys.argv[1], timeout=20).read().decode()\n\
                  print(json.dumps([[s.name, s.labels, s.value] for f in parse(text) for s in f.samples]))";
    let python = broker::python().context("a Python")?;
    let mut command = Command::new(python);
    let text = processes::output(command.args(["-c", script, &format!("http://{}/metrics", agent.address())]))?;
    Ok(serde_json::from_str(&text)?)
}

#[test]
fn requests_errors_and_durations_of_services_are_counted() -> Result<()> {
    if broker::python().is_none() {
        println!(
            "SKIPPED requests_errors_and_durations_of_services_are_counted: `tools/setup.sh test` installs a Python"
        );
        return Ok(());
    }
    let agent = agent(&[])?;
    // The first look begins with the last minute, which must not go on.
    agent.settled("SELECT count(*) FROM http_events")?;
    let closed = |samples: &[(String, Value, f64)]| {
        samples.iter().find(|sample| sample.0 == "watershed_closed_timestamp_seconds").unwrap().2
    };
    let of = |samples: &[(String, Value, f64)], name: &str, more: &[(&str, &str)]| {
        let is_meant = |labels: &Value| labels["protocol"] == "http" && more.iter().all(|(key, is)| labels[key] == *is);
        samples.iter().filter(|sample| sample.0 == name && is_meant(&sample.1)).map(|sample| sample.2).sum::<f64>()
    };
    // Ten seconds are counted once they are over and five more have passed.
    let until = (closed(&metrics(&agent)?) - 5.0).div_euclid(10.0) * 10.0;
    let sql = "SELECT date_bin(INTERVAL '10 seconds', time_) AS step, count(*) AS requests, \
               sum(CASE WHEN resp_status >= 400 THEN 1 ELSE 0 END) AS errors, \
               sum(CASE WHEN latency <= 5000000 THEN 1 ELSE 0 END) AS fast FROM http_events \
               WHERE time_ > now() - INTERVAL '1 minute' AND major_version <> 2 \
               AND NOT (trace_role = 1 AND upid_is_known(remote_upid)) GROUP BY date_bin(INTERVAL '10 seconds', time_)";
    let rows = agent.query(sql)?;
    let counted = rows.iter().filter(|row| (integer(&row["step"]).unwrap() as f64) < until * 1e9);
    let sum = |column: &str| counted.clone().map(|row| integer(&row[column]).unwrap() as f64).sum::<f64>();
    let expected = (sum("requests"), sum("errors"), sum("fast"));
    assert!(expected.1 > 0.0 && expected.2 < expected.0, "the demo has errors and slow requests: {expected:?}");
    let mut found = (0.0, 0.0, 0.0);
    let counts = processes::wait_until("all of them", || {
        let samples = metrics(&agent).unwrap();
        let fast = of(&samples, "watershed_request_duration_seconds_bucket", &[("le", "0.005")]);
        let (requests, errors) = ("watershed_requests_total", "watershed_request_errors_total");
        found = (of(&samples, requests, &[]), of(&samples, errors, &[]), fast);
        found == expected
    });
    assert!(counts.is_ok(), "{found:?} instead of {expected:?}");
    Ok(())
}
