//! Needs root: what real servers of other protocols are asked by their ordinary clients is in the tables, each once.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::machine;
use watershed_integration::processes::{self, Owned};
use watershed_integration::redis::Redis;

#[test]
fn redis_commands_are_seen_each_as_root() -> Result<()> {
    if !machine::can_trace("redis_commands", &Redis::PROGRAMS) {
        return Ok(());
    }
    let redis = Redis::start()?;
    let agent = Agent::on_process(redis.pid(), &[])?;
    redis.ask(&["-r", "100", "SET", "key", "value"])?;
    redis.ask(&["-r", "50", "GET", "key"])?;
    redis.ask(&["LPUSH", "key", "not a list"])?;

    let of = |command: &str| format!("SELECT count(*) FROM redis_events WHERE req_cmd = '{command}'");
    assert_eq!(agent.settled_at(&of("SET"), 100)?, 100);
    assert_eq!(agent.number(&of("GET"))?, 50);
    assert_eq!(agent.number(&format!("{} AND resp = 'value' AND latency > 0", of("GET")))?, 50);
    assert_eq!(agent.number(&format!("{} AND failed", of("LPUSH")))?, 1);
    let map = processes::output(&mut agent.command(&["query", "ws/service_map", "-o", "jsonl"]))?;
    assert!(map.contains(r#""responder":"redis-server@"#) && map.contains(r#""protocol":"redis""#), "{map}");
    let endpoints = processes::output(&mut agent.command(&["query", "ws/endpoint_latency", "-o", "jsonl"]))?;
    assert!(endpoints.contains(r#""endpoint":"SET","requests":100"#), "{endpoints}");
    let losses = agent.query("SELECT * FROM system.losses")?;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn http2_requests_are_seen_each_as_root() -> Result<()> {
    if !machine::can_trace("http2_requests", &["nghttpd", "h2load"]) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("page.txt"), "page")?;
    let port = machine::free_port().to_string();
    let server = Owned::spawn(
        Command::new(machine::find("nghttpd").unwrap())
            .args(["--no-tls", "-d", folder.path().to_str().unwrap(), &port])
            .stdout(Stdio::null()),
    )?;
    processes::wait_for_port(port.parse()?)?;
    let agent = Agent::on_process(server.pid(), &[])?;
    let url = format!("http://127.0.0.1:{port}/page.txt");
    let report = processes::output(Command::new("h2load").args(["-n", "500", "-c", "5", "-m", "10", &url]))?;
    assert!(report.contains("500 succeeded"), "{report}");

    let right = "SELECT count(*) FROM http_events WHERE major_version = 2 AND resp_status = 200 \
                 AND req_method = 'GET' AND req_path = '/page.txt' AND resp_body_size = 4";
    assert_eq!(agent.settled_at(right, 500)?, 500);
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, 500, "nothing is invented");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
